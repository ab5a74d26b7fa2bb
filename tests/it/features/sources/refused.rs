//! Secrets that are not sent anywhere, and what of a Secret is never looked at.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{Bystander, CANARY, TestCase, TestEnv, at_each_api, condition, run};

/// Applies a Secret as given.
async fn apply_secret(case: &TestCase<'_>, name: &str, fields: Value) {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    let object = secret.as_object_mut().expect("an object");
    object.extend(fields.as_object().expect("fields").clone());
    let (secrets, parameters) = (case.secrets(), PatchParams::apply("test").force());
    let applied = secrets
        .patch(name, &parameters, &Patch::Apply(&secret))
        .await;
    applied.expect("a Secret is applied");
}

/// Cases: C-25, H-04
#[test]
fn a_secret_with_power_over_the_cluster_is_not_sent() {
    run(async {
        let bystander = Bystander::new(TestEnv::shared().await).await;
        at_each_api(async |case| {
            let value = case.value("token");
            let kinds = ["bootstrap.kubernetes.io/token", "helm.sh/release.v1"];
            for (number, kind) in kinds.into_iter().enumerate() {
                let name = format!("power-{number}");
                let fields = json!({"type": kind, "stringData": {"TOKEN": value}});
                apply_secret(&case, &name, fields).await;
            }
            // The API server deletes the token of a missing ServiceAccount.
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
            let create = ["create", "--namespace", &case.namespace, "-f", "-"];
            let cluster = &case.env.cluster;
            let made = cluster.kubectl_output(&create, Some(&account.to_string())).await;
            assert!(made.expect("kubectl runs").success);
            let fields = json!({
                "metadata": {"name": "power-2", "annotations": {"kubernetes.io/service-account.name": "robot"}},
                "type": "kubernetes.io/service-account-token",
                "stringData": {"TOKEN": value},
            });
            apply_secret(&case, "power-2", fields).await;
            for number in 0..3 {
                let secret = format!("power-{number}");
                let sources = [
                    json!({"data": [{"name": "A_KEY", "secretKeyRef": {"name": secret, "key": "TOKEN"}}]}),
                    json!({"data": [{"name": "A_KEY", "template": "{{ TOKEN }}", "secretRef": {"name": secret}}]}),
                    json!({"dataFrom": [{"secretRef": {"name": secret}}]}),
                ];
                for (index, mut spec) in sources.into_iter().enumerate() {
                    spec["provider"] = case.provider();
                    let name = format!("power-{number}-{index}");
                    case.apply(&name, spec).await.expect("an object is applied");
                    let object = case.wait_reason(&name, "SourceRefused").await;
                    let stalled = condition(&object, "Stalled").expect("Stalled");
                    assert!(stalled.message.contains(&secret), "{}", stalled.message);
                    // A name has one owner.
                    case.kubectl(&["delete", "psec", &name]).await;
                }
            }
            assert_eq!(case.account.writes().len(), 0, "{:?}", case.target);
            case.finish().await;
        })
        .await;
        bystander.finish().await;
    });
}

/// Cases: B-11
#[test]
fn the_secret_of_the_api_key_is_not_sent_in_any_way() {
    run(at_each_api(async |case| {
        let own = json!({"name": "credential", "key": "api-key"});
        let whole = json!({"name": "credential"});
        let template = "{{ secret['api-key'] }}";
        let specs = [
            json!({"data": [{"name": "A_KEY", "secretKeyRef": own}]}),
            json!({"data": [{"name": "A_KEY", "template": template, "secretRef": whole}]}),
            json!({"dataFrom": [{"secretRef": whole}]}),
        ];
        for mut spec in specs {
            spec["provider"] = case.provider();
            case.apply("own", spec).await.expect("it is applied");
            let object = case.wait_reason("own", "SourceRefused").await;
            let stalled = condition(&object, "Stalled").expect("Stalled");
            let words = "Secret credential holds the API key";
            assert!(stalled.message.contains(words), "{}", stalled.message);
        }
        assert_eq!(case.writes().len(), 0, "{:?}", case.target);
        // The right source heals it.
        case.synced("own", &json!({})).await;
        case.finish().await;
    }));
}

/// Cases: C-27, S-05
#[test]
fn annotations_of_a_secret_are_never_read_or_shown() {
    run(at_each_api(async |case| {
        // What kubectl apply leaves behind: another value than the Secret has now.
        let last = json!({"data": {"a": format!("{CANARY}-old")}}).to_string();
        let name = "kubectl.kubernetes.io/last-applied-configuration";
        let value = case.value("a");
        let fields = json!({
            "metadata": {
                "name": "source",
                "annotations": {name: last, "example.com/note": format!("{CANARY}-note")},
                "labels": {"example.com/label": CANARY},
            },
            "stringData": {"a": value},
        });
        apply_secret(&case, "source", fields).await;
        case.object("plain", &[("A_KEY", "source", "a")]).await;
        case.wait_ready("plain").await;
        case.wait_held(&[("A_KEY", &value)]).await;
        // It is seen again, with nothing new but another annotation.
        let writes = case.writes();
        let note = format!("example.com/note={CANARY}-other");
        let annotate = ["annotate", "secret", "source", "--overwrite", &note];
        case.kubectl(&annotate).await;
        case.request_sync("plain").await;
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        // The canary of the annotation is looked for in everything that the operator shows.
        case.finish().await;
    }));
}
