//! `report`: a support bundle, one YAML document for each part. It holds names and never a value or a credential.

mod redact;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{ListParams, LogParams},
};
use serde_json::{Value, json};

use self::redact::redacted;
use super::{
    answer::{Answer, Refusal},
    flags::{ClusterFlags, Scope},
    installation::{Installation, LABELS},
    output::yaml,
    print,
    read::{Known, Reader, bounded, known, on_cluster},
    say,
    version::CLIENT,
    view::namespaced_name,
};

/// How many bytes of a log are taken.
const LOG_BYTES: i64 = 1024 * 1024;

/// The flags of `report`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    /// How many lines of each log
    #[arg(long, value_name = "LINES", default_value_t = 1000)]
    tail: i64,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let versions = bounded("get the version", None, reader.client.apiserver_version()).await;
        let versions = known(versions).map(|version| json!(version.git_version));
        write(
            "report",
            &json!({
                "time": Timestamp::now(), "clientVersion": CLIENT, "kubernetes": shown(versions),
            }),
        )?;
        let installations = reader.installations().await;
        for operator in installations.read().into_iter().flatten() {
            let leases = reader.leases(operator.lease.as_ref()).await;
            write("lease", &shown(leases.map(|leases| json!(leases))))?;
        }
        let operators = installations.read().cloned().unwrap_or_default();
        write("operators", &shown(installations.map(|found| json!(found))))?;
        write(
            "definition",
            &shown(reader.definition().await.map(|fact| json!(fact))),
        )?;
        let is_whole = objects(&reader, &flags.scope).await?;
        pods(&reader, flags.tail, &operators).await?;
        Ok(Answer::new(String::new(), is_whole))
    })
}

/// The objects with their events. Whether they could be listed: what they say may be the reason for the bundle, and the rest
/// of it is worth as much without them.
async fn objects(reader: &Reader, scope: &Scope) -> Result<bool, Refusal> {
    let objects = match reader.each(scope, |object| object).await {
        Ok(objects) => objects,
        Err(refusal) => {
            say(&refusal.text);
            write("objects", &shown(Known::Unread(refusal.text)))?;
            return Ok(false);
        }
    };
    for object in &objects {
        let (namespace, name) = namespaced_name(object);
        let events = reader.events(&namespace, &name).await;
        write(
            "object",
            &json!({
                "object": redacted(object), "events": shown(events.map(|events| json!(events))),
            }),
        )?;
    }
    Ok(true)
}

/// The log and the metrics of each pod of the operator, and the log of before where its container was restarted.
async fn pods(reader: &Reader, tail: i64, operators: &[Installation]) -> Result<(), Refusal> {
    let api: Api<Pod> = Api::all(reader.client.clone());
    let parameters = ListParams::default().labels(LABELS);
    let pods = match bounded("list pods", None, api.list(&parameters)).await {
        Ok(pods) => pods.items,
        Err(refusal) => return write("pods", &json!({"unknownBecause": refusal.text})),
    };
    for pod in pods {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let api: Api<Pod> = Api::namespaced(reader.client.clone(), &namespace);
        let container = container(&pod, operators);
        let log = async |previous: bool| {
            let parameters = LogParams {
                container: container.clone(),
                tail_lines: Some(tail),
                limit_bytes: Some(LOG_BYTES),
                previous,
                ..LogParams::default()
            };
            let call = api.logs(&name, &parameters);
            let log = bounded("get the log of a pod", Some(&namespace), call).await;
            shown(known(log).map(|log| json!(log)))
        };
        let previous = if was_restarted(&pod, container.as_deref()) {
            log(true).await
        } else {
            Value::Null
        };
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:metrics/proxy/metrics");
        let request = http::Request::get(path).body(Vec::new());
        let metrics = match request {
            Ok(request) => {
                let call = reader.client.request_text(request);
                known(bounded("get the metrics of a pod", Some(&namespace), call).await)
            }
            Err(_) => Known::Unread("the name of the pod is none of a URL".to_owned()),
        };
        write(
            "pod",
            &json!({
                "namespace": namespace, "name": name, "phase": pod.status.as_ref().and_then(|status| status.phase.as_ref()),
                "previousLog": previous, "log": log(false).await, "metrics": shown(metrics.map(|text| json!(text))),
            }),
        )?;
    }
    Ok(())
}

/// The container of the operator in a pod: the one of its Deployment, else the first one. Without its name the API
/// server gives no log of a pod into which a mesh has put another.
fn container(pod: &Pod, operators: &[Installation]) -> Option<String> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let names: Vec<&String> = containers.map(|container| &container.name).collect();
    let mut operators = operators.iter().filter(|of| of.has_pod(&namespace, &name));
    let deployed = operators.find_map(|of| names.iter().find(|name| ***name == of.container));
    deployed
        .or_else(|| names.first())
        .map(|name| (*name).clone())
}

/// Whether a container of a pod was restarted, so that there is a log of before.
fn was_restarted(pod: &Pod, container: Option<&str>) -> bool {
    let status = pod.status.iter();
    let mut statuses = status.flat_map(|status| status.container_statuses.iter().flatten());
    let is_it = |name: &str| Some(name) == container;
    statuses.any(|of| is_it(&of.name) && of.restart_count > 0)
}

/// What was read, or why not.
fn shown(known: Known<Value>) -> Value {
    match known {
        Known::Read(value) => value,
        Known::Unread(why) => json!({"unknownBecause": why}),
    }
}

/// Prints a document.
fn write(part: &str, value: &Value) -> Result<(), Refusal> {
    let text = yaml(&json!({part: value}))?;
    print(&format!("---\n{text}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn deployment(name: &str) -> Installation {
        let deployment = json!({
            "metadata": {"namespace": "system", "name": name},
            "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "provider-secrets"}]}}},
        });
        Installation::new(serde_json::from_value(deployment).unwrap()).unwrap()
    }

    /// A pod of the Deployment `operator` with these containers, which were restarted so often.
    fn pod(containers: &[(&str, i32)]) -> Pod {
        let names = containers.iter().map(|(name, _)| json!({"name": name}));
        let statuses = containers.iter().map(|(name, count)| {
            json!({"name": name, "restartCount": count, "ready": true, "image": "i", "imageID": "i"})
        });
        let pod = json!({
            "metadata": {"namespace": "system", "name": "operator-7d9f-abc"},
            "spec": {"containers": names.collect::<Vec<_>>()},
            "status": {"containerStatuses": statuses.collect::<Vec<_>>()},
        });
        serde_json::from_value(pod).unwrap()
    }

    #[rstest]
    #[case::alone(&[("provider-secrets", 1)], "operator", ("provider-secrets", true))]
    #[case::a_mesh(&[("mesh", 3), ("provider-secrets", 0)], "operator", ("provider-secrets", false))]
    #[case::restarted(&[("mesh", 0), ("provider-secrets", 1)], "operator", ("provider-secrets", true))]
    #[case::other_deployment(&[("first", 1), ("second", 0)], "operators", ("first", true))]
    #[case::other_name(&[("first", 0), ("second", 1)], "operator", ("first", false))]
    fn the_log_is_that_of_the_operators_container(
        #[case] containers: &[(&str, i32)],
        #[case] deployed: &str,
        #[case] expected: (&str, bool),
    ) {
        let pod = pod(containers);
        let found = container(&pod, &[deployment(deployed)]);
        let found = found.as_deref();
        assert_eq!(
            (found, was_restarted(&pod, found)),
            (Some(expected.0), expected.1)
        );
    }
}
