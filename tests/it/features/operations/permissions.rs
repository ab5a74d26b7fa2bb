//! What is missing at the start, is taken away, or does not decode. Nothing needs a restart.

use serde_json::{Value, json};

use super::wait_events;
use crate::harness::{
    Bystander, LEASE, NAMESPACE, Operator, RIGHTS, Target, TestCase, TestEnv, run, until,
};

const DEFINITION: &str = "customresourcedefinition/providersecrets.providersecrets.dev";

/// Something as it is applied.
pub(super) async fn get(env: &TestEnv, what: &str) -> Value {
    let get = ["get", what, "--namespace", NAMESPACE, "-o", "json"];
    let output = env.kubectl(&get, None).await;
    let mut object: Value = serde_json::from_str(&output).expect("JSON");
    for field in [
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "generation",
        "managedFields",
    ] {
        object["metadata"]
            .as_object_mut()
            .expect("metadata")
            .remove(field);
    }
    object
}

async fn kubectl(env: &TestEnv, arguments: &[&str], object: Option<&Value>) {
    let text = object.map(Value::to_string);
    env.kubectl(arguments, text.as_deref()).await;
}

/// The role without the rules for a resource.
pub(super) fn without(role: &Value, resource: &str) -> Value {
    let mut role = role.clone();
    let rules = role["rules"].as_array_mut().expect("rules");
    rules.retain(|rule| {
        !rule["resources"]
            .to_string()
            .contains(&format!("\"{resource}\""))
    });
    role
}

async fn wait_not_ready(operator: &Operator, words: &[&str]) {
    until("it says what is missing", async || {
        match operator.get("/readyz").await {
            (503, body) if words.iter().all(|word| body.contains(word)) => Ok(()),
            (status, body) => Err(format!("{status} {body}")),
        }
    })
    .await;
    assert_eq!(operator.get("/healthz").await.0, 200);
}

/// Cases, D-08, D-09
#[test]
fn readiness_names_what_is_missing_and_comes_back_without_a_restart() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        let role = get(&env, &format!("clusterrole/{RIGHTS}")).await;
        let definition = get(&env, DEFINITION).await;

        // Events may not be written: no object is affected.
        kubectl(
            &env,
            &["replace", "-f", "-"],
            Some(&without(&role, "events")),
        )
        .await;
        let case = TestCase::new(&env, Target::Braintrust).await;
        case.source("a").await;
        until("events are refused", async || {
            case.object("quiet", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("quiet").await;
            let metrics = env.operator.get("/metrics").await.1;
            let dropped = "provider_secrets_events_dropped_total ";
            match metrics.lines().find_map(|line| line.strip_prefix(dropped)) {
                Some(count) if count != "0" => Ok(()),
                other => {
                    case.objects()
                        .delete("quiet", &kube::api::DeleteParams::default())
                        .await
                        .ok();
                    Err(format!("{other:?}"))
                }
            }
        })
        .await;

        // Secrets may not be listed.
        kubectl(
            &env,
            &["replace", "-f", "-"],
            Some(&without(&role, "secrets")),
        )
        .await;
        let blind = env.further_unready(&[]).await;
        wait_not_ready(&blind, &["secrets", "list and watch"]).await;
        kubectl(&env, &["replace", "-f", "-"], Some(&role)).await;
        blind.wait_until_ready().await;
        assert!(blind.terminate().await.success());

        // The Lease may not be read: a process that can never lead takes the place of no leader.
        let role = get(&env, &format!("role/{LEASE}-lease")).await;
        kubectl(
            &env,
            &["replace", "-f", "-"],
            Some(&without(&role, "leases")),
        )
        .await;
        let never_leads = env.further_unready(&[]).await;
        wait_not_ready(&never_leads, &["lease", "grant the verbs"]).await;
        kubectl(&env, &["replace", "-f", "-"], Some(&role)).await;
        never_leads.wait_until_ready().await;
        assert!(never_leads.terminate().await.success());

        // The definition goes while it runs, and is not there when it starts.
        kubectl(&env, &["delete", DEFINITION], None).await;
        wait_not_ready(
            &env.operator,
            &["providersecrets", "CustomResourceDefinition"],
        )
        .await;
        let early = env.further_unready(&[]).await;
        wait_not_ready(&early, &["providersecrets", "CustomResourceDefinition"]).await;
        kubectl(&env, &["create", "-f", "-"], Some(&definition)).await;
        early.wait_until_ready().await;
        assert!(early.terminate().await.success());
        env.operator.wait_until_ready().await;
        let value = case.value("b");
        case.secret("source", &[("a", &value)]).await;
        case.object("again", &[("A_KEY", "source", "a")]).await;
        case.wait_ready("again").await;
        case.wait_held(&[("A_KEY", &value)]).await;
        case.finish().await;
    });
}

/// Cases: B-08, B-09
#[test]
fn an_object_that_does_not_decode_is_reported_and_stops_no_other() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        let bystander = Bystander::new(&env).await;
        let case = TestCase::new(&env, Target::BasetenTeam).await;
        let definition = get(&env, DEFINITION).await;
        let mut relaxed = definition.clone();
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        relaxed["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = anything;
        kubectl(&env, &["replace", "-f", "-"], Some(&relaxed)).await;
        let junk = [
            (
                "data",
                json!({"provider": case.provider(), "data": "not a list"}),
            ),
            ("nothing", json!("not an object")),
            (
                "number",
                json!({"provider": {"baseten": {"apiKeySecretRef": 7}}}),
            ),
        ];
        for (name, spec) in &junk {
            let object = json!({
                "apiVersion": "providersecrets.dev/v1alpha1",
                "kind": "ProviderSecret",
                "metadata": {"name": name, "namespace": case.namespace},
                "spec": spec,
            });
            let text = object.to_string();
            until("the relaxed schema holds", async || {
                let create = env
                    .cluster
                    .kubectl_output(&["create", "-f", "-"], Some(&text));
                let output = create.await.expect("kubectl runs");
                if output.success {
                    Ok(())
                } else {
                    Err(output.stderr)
                }
            })
            .await;
        }
        kubectl(&env, &["replace", "-f", "-"], Some(&definition)).await;
        for (name, _) in &junk {
            let events = wait_events(&case, name, 1).await;
            assert_eq!(events[0]["type"], "Warning");
            assert_eq!(events[0]["reason"], "InvalidSpec");
        }
        let metrics = env.operator.get("/metrics").await.1;
        let counted = metrics.lines().find_map(|line| {
            line.strip_prefix("provider_secrets_undecodable_objects_total ")?
                .parse::<usize>()
                .ok()
        });
        assert!(counted >= Some(junk.len()), "{counted:?}");
        let log = env.operator.log();
        for (name, _) in &junk {
            let named = format!("\"name\":\"{name}\"");
            let is_reported =
                |line: &&str| line.contains("\"level\":\"error\"") && line.contains(&named);
            assert!(
                log.lines().any(|line| is_reported(&line)),
                "the log does not name {name}"
            );
        }
        bystander.rotate().await;
        // Also from the start on.
        assert!(env.operator.terminate().await.success());
        let again = env.further(&[]).await;
        bystander.rotate().await;
        assert!(again.terminate().await.success());
        for (name, _) in &junk {
            kubectl(&env, &["delete", "psec", name, "-n", &case.namespace], None).await;
        }
        case.finish().await;
    });
}
