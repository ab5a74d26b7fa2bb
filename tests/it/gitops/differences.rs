//! Nothing differs between what a user applied and what the cluster has, also when the operator has written status and
//! finalizer: otherwise a tool that deploys from Git would apply it again and again.

use kube::{Api, api::ListParams};
use provider_secrets::api::{FINALIZER, GROUP, ProviderSecret};
use serde_json::{Value, json};

use crate::harness::{
    Target, TestCase, TestEnv, condition, delete_policy, is_guarded, root, run, until,
};

/// The ways in which a manifest comes into a cluster.
#[derive(Clone, Copy, Debug)]
enum Way {
    ClientSide,
    ServerSide,
    Replace,
}

impl Way {
    const ALL: [Self; 3] = [Self::ClientSide, Self::ServerSide, Self::Replace];

    fn commands(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::ClientSide => &[&["apply"]],
            Self::ServerSide => &[&["apply", "--server-side"]],
            Self::Replace => &[&["create"], &["replace"]],
        }
    }
}

/// Applies a manifest in a way, and waits for the operator to act on it after each command.
async fn apply(env: &TestEnv, way: Way, namespace: &str, file: &str) {
    for command in way.commands() {
        let arguments = [*command, &["--namespace", namespace, "--filename", file]].concat();
        // kubectl asks for the version and then replaces that: the operator may write in between.
        until(&format!("{way:?}: {arguments:?}"), async || {
            let output = env.cluster.kubectl_output(&arguments, None).await;
            let output = output.expect("kubectl runs");
            output.success.then_some(()).ok_or(output.stderr)
        })
        .await;
        until("the operator acts on the object", async || {
            let objects: Api<ProviderSecret> = Api::namespaced(env.cluster.client(), namespace);
            let listed = objects.list(&ListParams::default()).await.expect("a list");
            let object = listed.items.first().expect("an object");
            let status = object.status.as_ref();
            let observed = status.and_then(|status| status.observed_generation);
            let is_seen = observed == object.metadata.generation;
            is_seen.then_some(()).ok_or_else(|| format!("{object:?}"))
        })
        .await;
    }
}

/// How kubectl compares. Of an object that was applied client-side it would write its own annotation
/// `last-applied-configuration` otherwise when it applies server-side, which is one line that begins with `apiVersion`.
const COMPARE: &str = "diff -u -N --ignore-matching-lines=apiVersion";

/// Waits until neither kind of `kubectl diff` finds anything: it reads twice, and status may be written in between.
async fn assert_equal(env: &TestEnv, way: Way, namespace: &str, file: &str) {
    for diff in [&["diff"][..], &["diff", "--server-side"]] {
        let what = format!("nothing differs: {way:?} {diff:?} {namespace}");
        until(&what, async || {
            let kubectl = env.cluster.kubectl().await;
            let output = kubectl
                .expect("kubectl")
                .args([diff, &["--namespace", namespace, "--filename", file]].concat())
                .env("KUBECTL_EXTERNAL_DIFF", COMPARE)
                .output()
                .await
                .expect("kubectl runs");
            let said = [output.stdout, output.stderr].concat();
            let is_equal = output.status.success() && said.is_empty();
            is_equal
                .then_some(())
                .ok_or_else(|| String::from_utf8_lossy(&said).into_owned())
        })
        .await;
    }
}

#[test]
fn nothing_differs_from_an_example_whichever_way_it_was_applied() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        let folder = std::fs::read_dir(root().join("examples")).expect("the folder is there");
        let files = folder.map(|file| file.expect("a file").path());
        let files: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect();
        assert!(files.len() >= 12, "{files:?}");
        for way in Way::ALL {
            let each = files.iter().map(async |path| {
                let example = path
                    .file_stem()
                    .and_then(|name| name.to_str())
                    .expect("a name");
                let namespace = format!("{way:?}-{example}").to_lowercase();
                env.kubectl(&["create", "namespace", &namespace], None)
                    .await;
                let file = path.display().to_string();
                apply(env, way, &namespace, &file).await;
                assert_equal(env, way, &namespace, &file).await;
            });
            futures::future::join_all(each).await;
        }
    });
}

#[test]
fn nothing_differs_when_an_object_is_synced_and_has_its_finalizer() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        for way in Way::ALL {
            let case = TestCase::new(env, Target::BasetenTeam).await;
            case.source("one").await;
            let manifest = json!({
                "apiVersion": "providersecrets.dev/v1alpha1",
                "kind": "ProviderSecret",
                "metadata": {"name": "target"},
                "spec": case.spec(&[("A_KEY", "source", "a")], &delete_policy()),
            });
            let path = env.cluster.directory().join(format!("{way:?}.json"));
            std::fs::write(&path, manifest.to_string()).expect("a file");
            let file = path.display().to_string();
            apply(env, way, &case.namespace, &file).await;
            // A replace takes the finalizer away, and the operator puts it back.
            case.wait("target", "ready and kept", |object| {
                let is_ready =
                    condition(object, "Ready").is_some_and(|ready| ready.status == "True");
                is_ready && is_guarded(object)
            })
            .await;
            assert_equal(env, way, &case.namespace, &file).await;
            case.finish().await;
        }
    });
}

/// Terraform's `kubernetes_manifest` and others fail on a value that reads differently from what they wrote.
#[test]
fn a_duration_stays_as_it_was_written() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.synced("target", &json!({})).await;
        for duration in ["60s", "90m", "1h", "1h0m0s", "0h90m", "168h"] {
            let spec = json!({"verifyInterval": duration, "rewriteInterval": duration});
            case.put("target", &[("A_KEY", "source", "a")], &spec).await;
            case.request_sync("target").await;
            let object = case.wait_ready("target").await;
            let spec = &object.spec;
            assert_eq!(spec.verify_interval.as_deref(), Some(duration));
            assert_eq!(spec.rewrite_interval.as_deref(), Some(duration));
        }
        case.finish().await;
    });
}

/// So no apply is in conflict with the operator, and Terraform's plan stays empty.
#[test]
fn the_operator_owns_status_and_its_finalizer_and_nothing_else() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        let case = TestCase::new(env, Target::BasetenWorkspace).await;
        case.synced("target", &delete_policy()).await;
        let object = case.request_sync("target").await;
        assert!(is_guarded(&object));
        let fields = object.metadata.managed_fields.unwrap_or_default();
        let of_operator = fields
            .iter()
            .filter(|entry| entry.manager.as_deref() == Some(GROUP));
        let mut seen = Vec::new();
        for entry in of_operator {
            let owned = entry
                .fields_v1
                .as_ref()
                .map_or(&Value::Null, |fields| &fields.0);
            let owned: Vec<&String> = owned.as_object().expect("fields").keys().collect();
            if entry.subresource.as_deref() == Some("status") {
                assert_eq!(owned, ["f:status"]);
            } else {
                assert_eq!(owned, ["f:metadata"]);
                let metadata = entry
                    .fields_v1
                    .as_ref()
                    .map(|fields| &fields.0["f:metadata"]);
                let metadata = metadata.and_then(Value::as_object).expect("fields");
                assert_eq!(metadata.keys().collect::<Vec<_>>(), ["f:finalizers"]);
            }
            seen.push(entry.subresource.clone());
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
        case.finish().await;
    });
}

/// As the page on Terraform advises: a manifest that names the finalizer reads the same at any time.
#[test]
fn a_finalizer_that_the_manifest_names_stays_under_delete() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        let case = TestCase::new(env, Target::PrimeIntellect).await;
        case.source("one").await;
        let manifest = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "target", "finalizers": [FINALIZER]},
            "spec": case.spec(&[("A_KEY", "source", "a")], &delete_policy()),
        });
        let text = manifest.to_string();
        let apply = [
            "apply",
            "--server-side",
            "--field-manager=Terraform",
            "--filename=-",
        ];
        let arguments = [&["--namespace", &case.namespace], &apply[..]].concat();
        env.kubectl(&arguments, Some(&text)).await;
        let object = case.wait_ready("target").await;
        let object = serde_json::to_value(object).expect("JSON");
        assert_eq!(
            object["metadata"]["finalizers"],
            manifest["metadata"]["finalizers"]
        );
        assert_eq!(object["spec"], manifest["spec"]);
        // Applied again without force: nothing is in conflict, and nothing changes.
        let version = &object["metadata"]["resourceVersion"];
        env.kubectl(&arguments, Some(&text)).await;
        let again = serde_json::to_value(case.get("target").await).expect("JSON");
        assert_eq!(&again["metadata"]["resourceVersion"], version);
        case.finish().await;
    });
}
