//! Entries that go away while the object stays.

use serde_json::json;

use crate::harness::{
    TestCase, at_each_api_alone, at_each_api_verifying, delete_policy, entry, run,
};

/// An object with two entries that are synced.
async fn two(case: &TestCase<'_>, policy: &serde_json::Value) -> (String, String) {
    let (a, b) = (case.value("a"), case.value("b"));
    case.secret("source", &[("a", &a), ("b", &b)]).await;
    let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
    case.put("entries", &data, policy).await;
    case.wait_ready("entries").await;
    (a, b)
}

#[test]
fn an_entry_removed_under_delete_is_deleted_once_and_the_other_is_not_written() {
    run(at_each_api_alone(async |case| {
        let (_, b) = two(&case, &delete_policy()).await;
        let before = case.writes().len();
        case.put("entries", &[("B_KEY", "source", "b")], &delete_policy())
            .await;
        let object = case.wait_ready("entries").await;
        case.assert_held(&[("B_KEY", &b)]);
        assert_eq!(object.status.expect("a status").entries.len(), 1);
        let writes = case.writes();
        assert_eq!(writes.len(), before + 1, "{:?} {writes:?}", case.target);
        assert!(writes[before].starts_with("DELETE "), "{writes:?}");
        let note = case.wait_event("RemoteDeleted").await;
        assert!(note.contains("A_KEY") && !note.contains("B_KEY"), "{note}");
        case.finish().await;
    }));
}

#[test]
fn an_entry_removed_under_retain_is_forgotten_for_good() {
    run(at_each_api_verifying(async |case| {
        let (a, b) = two(&case, &json!({})).await;
        case.put("entries", &[("B_KEY", "source", "b")], &json!({}))
            .await;
        case.wait_ready("entries").await;
        // A switch to Delete does not reach back.
        case.put("entries", &[("B_KEY", "source", "b")], &delete_policy())
            .await;
        case.wait_ready("entries").await;
        case.delete("entries").await;
        case.wait_gone("entries").await;
        case.assert_held(&[("A_KEY", &a)]);
        assert!(!b.is_empty());
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

#[test]
fn an_entry_that_comes_back_while_its_deletion_fails_is_written() {
    run(at_each_api_verifying(async |case| {
        let (a, b) = two(&case, &delete_policy()).await;
        let fault = simulator::Fault::status(503).method("DELETE").forever();
        case.account.add_fault(fault);
        case.put("entries", &[("B_KEY", "source", "b")], &delete_policy())
            .await;
        crate::harness::until("a deletion was tried", async || {
            let tried = !case.deletions().is_empty();
            tried.then_some(()).ok_or_else(|| "none".to_owned())
        })
        .await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        case.put("entries", &data, &delete_policy()).await;
        let object = case.wait_ready("entries").await;
        assert!(entry(&object, "A_KEY").digest.is_some());
        case.account.clear_faults();
        case.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
        case.finish().await;
    }));
}

/// An object that takes every key of `bulk`.
async fn bulk(case: &TestCase<'_>) -> (String, String) {
    let (a, b) = (case.value("a"), case.value("b"));
    case.secret("bulk", &[("A_KEY", &a), ("B_KEY", &b)]).await;
    let spec = json!({
        "provider": case.provider(),
        "dataFrom": [{"secretRef": {"name": "bulk"}}],
        "deletionPolicy": "Delete",
    });
    case.apply("bulk", spec).await.expect("it is applied");
    case.wait_ready("bulk").await;
    case.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
    (a, b)
}

#[test]
fn a_key_that_leaves_a_bulk_source_is_deleted_under_delete() {
    run(at_each_api_verifying(async |case| {
        let (a, _) = bulk(&case).await;
        case.secret("bulk", &[("A_KEY", &a)]).await;
        case.wait_held(&[("A_KEY", &a)]).await;
        case.wait("bulk", "left with one entry", |object| {
            object
                .status
                .as_ref()
                .is_some_and(|status| status.entries.len() == 1)
        })
        .await;
        case.wait_ready("bulk").await;
        case.finish().await;
    }));
}

#[test]
fn a_bulk_source_that_is_gone_or_empty_deletes_nothing() {
    run(at_each_api_verifying(async |case| {
        let (a, b) = bulk(&case).await;
        let before = case.writes();
        case.secret("bulk", &[]).await;
        let is_behind = |object: &provider_secrets::api::ProviderSecret| {
            crate::harness::condition(object, "Ready").is_some_and(|ready| ready.status != "True")
        };
        let emptied = case.wait("bulk", "not ready", is_behind).await;
        assert_eq!(emptied.status.expect("a status").entries.len(), 2);
        case.delete_secret("bulk").await;
        case.wait_reason("bulk", "SecretNotFound").await;
        assert_eq!(case.writes(), before, "{:?}", case.target);
        case.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
        // It comes back as it was: nothing is to be done, and nothing is lost.
        case.secret("bulk", &[("A_KEY", &a), ("B_KEY", &b)]).await;
        let object = case.wait_ready("bulk").await;
        assert_eq!(object.status.expect("a status").entries.len(), 2);
        assert_eq!(case.writes(), before, "{:?}", case.target);
        // Deleted while the source is gone, the object still takes with it what it wrote.
        case.delete_secret("bulk").await;
        case.delete("bulk").await;
        case.wait_gone("bulk").await;
        case.assert_held(&[]);
        case.finish().await;
    }));
}
