//! The provider does not delete, or the way to it is gone: it is said, it can be ended, and it ends.

use std::time::{Duration, Instant};

use provider_secrets::api::DELETION_OVERRIDE;
use serde_json::json;
use simulator::Fault;

use crate::harness::{
    DELETION_TIMEOUT, Target, TestCase, TestEnv, at_each_api, at_each_api_verifying, calls,
    condition, delete_policy, is_guarded, metric, run, soon, until,
};

/// Waits until the object reports that its deletion is blocked, and returns the message.
async fn blocked(case: &TestCase<'_>, name: &str) -> String {
    until("the deletion is blocked", async || {
        let object = case.objects().get_opt(name).await;
        let Some(object) = object.map_err(|error| error.to_string())? else {
            let calls = calls(case.env, &case.namespace).await;
            let calls = calls
                .iter()
                .map(|call| format!("{} {} {}", call.verb, call.request_uri, call.code));
            let details: Vec<String> = calls.collect();
            let (skipped, writes) = (case.events("DeletionSkipped").await, case.writes());
            let details = (details, skipped, writes);
            return Err(format!("{:?}: it is gone. {details:#?}", case.target));
        };
        let ready = condition(&object, "Ready").filter(|ready| ready.reason == "DeletionBlocked");
        match ready {
            Some(ready) if is_guarded(&object) => Ok(ready.message.clone()),
            _ => Err(format!("{:?} {:#?}", case.target, object.status)),
        }
    })
    .await
}

/// Cases: D-03
#[test]
fn a_provider_that_is_down_blocks_and_the_deletion_is_done_when_it_is_back() {
    run(at_each_api(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.account.add_fault(Fault::status(503).forever());
        case.delete("gone").await;
        let message = blocked(&case, "gone").await;
        assert!(message.contains("deletion-override=orphan"), "{message}");
        assert!(
            message.contains("503") || message.contains("answer"),
            "{message}"
        );
        case.account.clear_faults();
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    }));
}

#[test]
fn the_override_lets_an_object_go_at_once_while_the_provider_is_down() {
    run(at_each_api(async |case| {
        let one = case.synced("gone", &delete_policy()).await;
        case.account.add_fault(Fault::status(503).forever());
        case.delete("gone").await;
        blocked(&case, "gone").await;
        let other = case.account.requests().len();
        // Any other word is none.
        case.annotate("gone", DELETION_OVERRIDE, "please").await;
        until("it is tried again", async || {
            let now = case.account.requests().len();
            (now > other).then_some(()).ok_or_else(|| format!("{now}"))
        })
        .await;
        assert!(is_guarded(&case.get("gone").await));
        case.annotate("gone", DELETION_OVERRIDE, "orphan").await;
        soon(case.wait_gone("gone")).await;
        let note = case.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY"), "{note}");
        case.assert_held(&[("A_KEY", &one)]);
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

#[test]
fn a_patch_to_retain_lets_a_deleted_object_go_at_once() {
    run(at_each_api(async |case| {
        let one = case.synced("gone", &delete_policy()).await;
        case.account.add_fault(Fault::status(503).forever());
        case.delete("gone").await;
        blocked(&case, "gone").await;
        let patch = json!({"spec": {"deletionPolicy": "Retain"}});
        case.patch("gone", patch).await.expect("the policy changes");
        soon(case.wait_gone("gone")).await;
        case.assert_held(&[("A_KEY", &one)]);
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

#[test]
fn the_timeout_lets_an_object_go_and_names_what_is_left() {
    run(async {
        let verifying = TestEnv::verifying().await;
        at_each_api_verifying(async |case| {
            let one = case.synced("gone", &delete_policy()).await;
            case.account.add_fault(Fault::status(503).forever());
            let label = format!("provider=\"{}\"", case.target.provider().to_lowercase());
            let name = "provider_secrets_keys_left_behind_total";
            let before = metric(verifying, name, &[&label]).await;
            let deleted = Instant::now();
            case.delete("gone").await;
            blocked(&case, "gone").await;
            case.wait_gone("gone").await;
            let took = deleted.elapsed();
            // A deletionTimestamp has whole seconds.
            assert!(took + Duration::from_secs(2) > DELETION_TIMEOUT, "{took:?}");
            let note = case.wait_event("DeletionSkipped").await;
            assert!(note.contains("A_KEY"), "{note}");
            assert!(
                metric(verifying, name, &[&label]).await > before,
                "{:?}",
                case.target
            );
            let log = verifying.operator.log();
            let is_told = |line: &&str| {
                line.contains("DeletionSkipped")
                    && line.contains(&format!("\"{}\"", case.namespace))
                    && line.contains("A_KEY")
            };
            assert_eq!(log.lines().filter(is_told).count(), 1, "{:?}", case.target);
            case.account.clear_faults();
            case.assert_held(&[("A_KEY", &one)]);
            case.finish_leaving(&["A_KEY"]).await;
        })
        .await;
    });
}

/// Cases: D-05
#[test]
fn a_credential_that_is_gone_first_is_remembered_while_the_operator_runs() {
    run(at_each_api(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.delete_secret("credential").await;
        case.wait_reason("gone", "CredentialNotFound").await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        case.finish().await;
    }));
}

/// Cases: D-05, P-02
#[test]
fn a_refused_credential_keeps_the_object_until_a_good_one_comes() {
    run(at_each_api(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.account.revoke_key(&case.key).expect("it is revoked");
        case.delete("gone").await;
        blocked(&case, "gone").await;
        let key = case.further_key();
        case.secret("credential", &[("api-key", &key)]).await;
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        case.finish().await;
    }));
}

/// Cases: D-14
#[test]
fn a_refused_deletion_is_said_and_tried_slowly() {
    run(at_each_api(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.account
            .add_fault(Fault::status(409).method("DELETE").forever());
        case.delete("gone").await;
        let message = blocked(&case, "gone").await;
        assert!(!message.is_empty());
        let before = case.deletions().len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let tried = case.deletions().len() - before;
        // What is refused is tried again after half a minute. At Pipecat Cloud and Braintrust the answer says that it
        // is being changed, which ends by itself.
        let most = match case.target {
            Target::Pipecat | Target::Braintrust => 6,
            _ => 0,
        };
        assert!(
            tried <= most,
            "{:?}: {tried} tries in three seconds",
            case.target
        );
        case.account.clear_faults();
        case.annotate("gone", "providersecrets.dev/sync-requested-at", "1")
            .await;
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        case.finish().await;
    }));
}

/// Cases: P-03
#[test]
fn a_forbidden_deletion_is_never_taken_for_done() {
    run(at_each_api(async |case| {
        let one = case.synced("gone", &delete_policy()).await;
        let access = simulator::Access::ReadOnly;
        case.account
            .set_access(&case.key, access)
            .expect("it is a key");
        case.delete("gone").await;
        blocked(&case, "gone").await;
        case.assert_held(&[("A_KEY", &one)]);
        case.account
            .set_access(&case.key, simulator::Access::Full)
            .expect("it is a key");
        case.annotate("gone", DELETION_OVERRIDE, "orphan").await;
        case.wait_gone("gone").await;
        case.finish_leaving(&["A_KEY"]).await;
    }));
}
