//! The owner goes, or gives a name up, and the next one has it.

use serde_json::{Value, json};

use super::{rival, rival_under};
use crate::harness::{at_each_api_verifying, delete_policy, run};

/// What happens to the owner.
async fn inherits(policy: Value) {
    at_each_api_verifying(async |case| {
        case.synced("owner", &policy).await;
        let rival = rival(&case, "next").await;
        let before = case.writes().len();
        case.delete("owner").await;
        case.wait_gone("owner").await;
        case.wait_held(&[("A_KEY", &rival)]).await;
        case.wait_ready("next").await;
        let writes = case.writes();
        assert_eq!(writes.len(), before + 1, "{:?} {writes:?}", case.target);
        assert_eq!(case.deletions(), Vec::<String>::new(), "{:?}", case.target);
        case.finish().await;
    })
    .await;
}

/// Cases: M-03
#[test]
fn the_next_owner_writes_exactly_once_under_retain() {
    run(inherits(json!({})));
}

/// Cases: M-03
#[test]
fn the_next_owner_writes_exactly_once_under_delete_and_nothing_is_deleted() {
    run(inherits(delete_policy()));
}

/// Under Fail it takes nothing that is there.
/// Cases: M-03, M-06
#[test]
fn a_next_owner_under_fail_creates_what_the_owner_has_deleted() {
    run(at_each_api_verifying(async |case| {
        case.synced("owner", &delete_policy()).await;
        let fail = json!({"conflictPolicy": "Fail"});
        let rival = rival_under(&case, "next", &fail).await;
        case.delete("owner").await;
        case.wait_gone("owner").await;
        case.wait_held(&[("A_KEY", &rival)]).await;
        case.wait_ready("next").await;
        assert_ne!(case.deletions(), Vec::<String>::new(), "{:?}", case.target);
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    }));
}

/// Cases: M-03
#[test]
fn a_name_that_the_owner_gives_up_goes_to_the_next() {
    run(at_each_api_verifying(async |case| {
        let (a, b) = (case.value("a"), case.value("b"));
        case.secret("source", &[("a", &a), ("b", &b)]).await;
        let delete = delete_policy();
        let both = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        case.put("owner", &both, &delete).await;
        case.wait_ready("owner").await;
        let rival = rival(&case, "next").await;
        case.put("owner", &[("B_KEY", "source", "b")], &delete)
            .await;
        case.wait_ready("owner").await;
        if case.target == crate::harness::Target::Pipecat {
            // The set is still the owner's, and the next owner's claim is on the whole of it.
            case.wait_reason("next", "Conflict").await;
            case.assert_held(&[("B_KEY", &b)]);
        } else {
            case.wait_held(&[("A_KEY", &rival), ("B_KEY", &b)]).await;
            case.wait_ready("next").await;
            assert_eq!(case.deletions(), Vec::<String>::new(), "{:?}", case.target);
        }
        case.finish().await;
    }));
}

/// Cases: M-03
#[test]
fn a_suspended_owner_keeps_its_names() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("owner", &json!({})).await;
        case.suspend("owner").await;
        case.wait_reason("owner", "Suspended").await;
        rival(&case, "younger").await;
        case.assert_held(&[("A_KEY", &one)]);
        case.finish().await;
    }));
}

/// Cases: M-03
#[test]
fn an_owner_that_cannot_sync_keeps_its_names() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("owner", &json!({})).await;
        case.delete_secret("source").await;
        case.wait_reason("owner", "SecretNotFound").await;
        rival(&case, "younger").await;
        case.assert_held(&[("A_KEY", &one)]);
        case.secret("source", &[("a", &one)]).await;
        case.wait_ready("owner").await;
        case.finish().await;
    }));
}
