//! What must opt in before it leaves the cluster: a Secret by its label, here; a namespace by its annotation.

mod namespaces; // the annotation of a namespace bounds which providers its objects may use

use std::sync::Arc;

use cluster::AuditEvent;
use provider_secrets::api::{EntryState, ProviderSecret};
use serde_json::json;

use crate::harness::{
    Target, TestCase, TestEnv, at_each_api_on, calls, condition, delete_policy, entry, run,
};

/// The operator's flag, which asks for the label.
const FLAG: &str = "--require-source-opt-in";

/// Sets the label of a Secret, to `true` or to something else.
async fn label(case: &TestCase<'_>, secret: &str, value: &str) {
    let label = format!("providersecrets.dev/allow={value}");
    case.kubectl(&["label", "secret", secret, "--overwrite", &label])
        .await;
}

/// Removes the label of a Secret.
async fn unlabel(case: &TestCase<'_>, secret: &str) {
    case.kubectl(&["label", "secret", secret, "providersecrets.dev/allow-"])
        .await;
}

/// Waits until an object is stalled for want of the label, and says so with these words.
async fn wait_refused(case: &TestCase<'_>, name: &str, words: &str) -> ProviderSecret {
    let object = case.wait_reason(name, "SourceNotAllowed").await;
    let stalled = condition(&object, "Stalled").expect("a person must act");
    for words in [words, "has no label providersecrets.dev/allow=true"] {
        assert!(stalled.message.contains(words), "{}", stalled.message);
    }
    object
}

/// Whether the operator has read a Secret's values.
async fn was_read(case: &TestCase<'_>, secret: &str) -> bool {
    let calls = calls(case.env, &case.namespace).await;
    let is_read = |call: &Arc<AuditEvent>| {
        call.verb == "get" && call.resource == "secrets" && call.name == secret
    };
    calls.iter().any(is_read)
}

/// Cases: H-05
#[test]
fn a_secret_without_the_label_is_neither_read_nor_sent() {
    run(async {
        let env = TestEnv::fresh(&[FLAG]).await;
        at_each_api_on(&env, async |case| {
            case.source("one").await;
            label(&case, "credential", "true").await;
            // Any other value is none.
            label(&case, "source", "yes").await;
            case.object("target", &[("A_KEY", "source", "a")]).await;
            wait_refused(&case, "target", "Secret source").await;
            assert!(!was_read(&case, "source").await, "{:?}", case.target);
            assert_eq!(case.writes().len(), 0, "{:?}", case.target);

            // The watch wakes it.
            label(&case, "source", "true").await;
            case.wait_held(&[("A_KEY", &case.value("one"))]).await;
            case.wait_ready("target").await;
            case.rotate("target", "two").await;
            case.finish().await;
        })
        .await;
    });
}

/// Cases: H-05
#[test]
fn a_label_that_vanishes_holds_up_what_is_new_and_deletes_nothing() {
    run(async {
        let env = TestEnv::fresh(&[FLAG]).await;
        at_each_api_on(&env, async |case| {
            let values = |text: &str| [case.value(text), case.value("b")];
            let [one, b] = values("one");
            case.secret("source", &[("A_KEY", &one), ("B_KEY", &b)])
                .await;
            for secret in ["credential", "source"] {
                label(&case, secret, "true").await;
            }
            let mut spec = delete_policy();
            spec["provider"] = case.provider();
            spec["dataFrom"] = json!([{"secretRef": {"name": "source"}}]);
            case.apply("bulk", spec).await.expect("it is applied");
            case.wait_ready("bulk").await;
            let before = case.get("bulk").await;
            let writes = case.writes();

            unlabel(&case, "source").await;
            let object = wait_refused(&case, "bulk", "Secret source").await;
            let two = case.value("two");
            case.secret("source", &[("A_KEY", &two)]).await;
            let object_again = wait_refused(&case, "bulk", "Secret source").await;
            for object in [&object, &object_again] {
                for name in ["A_KEY", "B_KEY"] {
                    let (now, was) = (entry(object, name), entry(&before, name));
                    assert_eq!(now.state, EntryState::Failed);
                    assert_eq!(now.digest, was.digest, "its record stays");
                    assert_eq!(now.remote_id, was.remote_id);
                }
            }
            case.assert_held(&[("A_KEY", &one), ("B_KEY", &b)]);
            assert_eq!(case.writes(), writes, "{:?}", case.target);

            // What it may send again is the newest value.
            case.secret("source", &[("A_KEY", &two), ("B_KEY", &b)])
                .await;
            label(&case, "source", "true").await;
            case.wait_held(&[("A_KEY", &two), ("B_KEY", &b)]).await;
            case.wait_ready("bulk").await;
            assert_eq!(case.deletions(), Vec::<String>::new());
            case.finish().await;
        })
        .await;
    });
}

/// The key is sent to the provider as any value is: without the label an object could send every Secret there, as its
/// API key.
/// Cases: H-05
#[test]
fn an_api_key_without_the_label_is_not_sent_either() {
    run(async {
        let env = TestEnv::fresh(&[FLAG]).await;
        at_each_api_on(&env, async |case| {
            case.source("one").await;
            label(&case, "source", "true").await;
            case.object("target", &[("A_KEY", "source", "a")]).await;
            wait_refused(&case, "target", "Secret credential with the API key").await;
            assert!(!was_read(&case, "credential").await, "{:?}", case.target);
            assert!(case.account.requests().is_empty(), "{:?}", case.target);

            label(&case, "credential", "true").await;
            case.wait_held(&[("A_KEY", &case.value("one"))]).await;
            case.wait_ready("target").await;
            // Also where the process has used it before.
            unlabel(&case, "credential").await;
            wait_refused(&case, "target", "Secret credential").await;
            let requests = case.account.requests().len();
            let two = case.value("two");
            case.secret("source", &[("a", &two)]).await;
            case.annotate("target", "note", "seen").await;
            wait_refused(&case, "target", "Secret credential").await;
            assert_eq!(case.account.requests().len(), requests);

            label(&case, "credential", "true").await;
            case.wait_held(&[("A_KEY", &two)]).await;
            case.wait_ready("target").await;
            case.finish().await;
        })
        .await;
    });
}

/// Cases: H-05
#[test]
fn every_way_to_name_a_source_asks_for_the_label() {
    run(async {
        let env = TestEnv::fresh(&[FLAG]).await;
        let case = TestCase::new(&env, Target::Pipecat).await;
        label(&case, "credential", "true").await;
        let value = case.value("user:token");
        case.secret("closed", &[("a", &value)]).await;
        let mut provider = case.provider();
        provider["pipecat"]["imagePullSecret"] =
            json!({"host": "ghcr.io", "secretKeyRef": {"name": "closed", "key": "a"}});
        let mut config = case.provider();
        config["pipecat"]["imagePullSecret"] = json!({"secretRef": {"name": "closed"}});
        let plain = case.provider();
        let template = json!({"name": "A", "template": "{{ a }}", "secretRef": {"name": "closed"}});
        let key = json!({"name": "A", "secretKeyRef": {"name": "closed", "key": "a"}});
        let specs = [
            json!({"provider": plain, "data": [key]}),
            json!({"provider": plain, "data": [template]}),
            json!({"provider": plain, "dataFrom": [{"secretRef": {"name": "closed"}}]}),
            json!({"provider": provider}),
            json!({"provider": config}),
        ];
        for (number, spec) in specs.into_iter().enumerate() {
            let name = format!("way-{number}");
            case.apply(&name, spec).await.expect("it is applied");
            wait_refused(&case, &name, "Secret closed").await;
            // A set has one owner.
            case.kubectl(&["delete", "psec", &name]).await;
        }
        assert!(!was_read(&case, "closed").await);
        assert_eq!(case.writes().len(), 0);
        case.finish().await;
    });
}

/// Without the flag the label means nothing.
/// Cases: H-05
#[test]
fn a_label_is_asked_for_only_by_the_flag() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::Braintrust).await;
        case.source("one").await;
        label(&case, "source", "false").await;
        case.object("target", &[("A_KEY", "source", "a")]).await;
        case.wait_held(&[("A_KEY", &case.value("one"))]).await;
        case.wait_ready("target").await;
        case.finish().await;
    });
}
