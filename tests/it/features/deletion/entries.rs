//! Entries that go away while the object stays.

use serde_json::json;

use super::{at_each_api_on_brisk, delete};
use crate::harness::{Scene, entry, run};

/// An object with two entries that are synced.
async fn two(scene: &Scene<'_>, policy: &serde_json::Value) -> (String, String) {
    let (a, b) = (scene.value("a"), scene.value("b"));
    scene.secret("source", &[("a", &a), ("b", &b)]).await;
    let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
    scene.put("entries", &data, policy).await;
    scene.wait_ready("entries").await;
    (a, b)
}

#[test]
fn an_entry_removed_under_delete_is_deleted_once_and_the_other_is_not_written() {
    run(at_each_api_on_brisk(async |scene| {
        let (_, b) = two(&scene, &delete()).await;
        let before = scene.writes().len();
        scene
            .put("entries", &[("B_KEY", "source", "b")], &delete())
            .await;
        let object = scene.wait_ready("entries").await;
        scene.assert_held(&[("B_KEY", &b)]);
        assert_eq!(object.status.expect("a status").entries.len(), 1);
        let writes = scene.writes();
        assert_eq!(writes.len(), before + 1, "{:?} {writes:?}", scene.target);
        assert!(writes[before].starts_with("DELETE "), "{writes:?}");
        let note = scene.wait_event("RemoteDeleted").await;
        assert!(note.contains("A_KEY") && !note.contains("B_KEY"), "{note}");
        scene.finish().await;
    }));
}

#[test]
fn an_entry_removed_under_retain_is_forgotten_for_good() {
    run(at_each_api_on_brisk(async |scene| {
        let (a, b) = two(&scene, &json!({})).await;
        scene
            .put("entries", &[("B_KEY", "source", "b")], &json!({}))
            .await;
        scene.wait_ready("entries").await;
        // design.md 3: a switch to Delete does not reach back.
        scene
            .put("entries", &[("B_KEY", "source", "b")], &delete())
            .await;
        scene.wait_ready("entries").await;
        scene.delete("entries").await;
        scene.wait_gone("entries").await;
        scene.assert_held(&[("A_KEY", &a)]);
        assert!(!b.is_empty());
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}

#[test]
fn an_entry_that_comes_back_while_its_deletion_fails_is_written() {
    run(at_each_api_on_brisk(async |scene| {
        let (a, b) = two(&scene, &delete()).await;
        let fault = simulator::Fault::status(503).method("DELETE").forever();
        scene.account.add_fault(fault);
        scene
            .put("entries", &[("B_KEY", "source", "b")], &delete())
            .await;
        crate::harness::until("a deletion was tried", async || {
            let tried = !scene.deletions().is_empty();
            tried.then_some(()).ok_or_else(|| "none".to_owned())
        })
        .await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        scene.put("entries", &data, &delete()).await;
        let object = scene.wait_ready("entries").await;
        assert!(entry(&object, "A_KEY").digest.is_some());
        scene.account.clear_faults();
        scene.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
        scene.finish().await;
    }));
}

/// An object that takes every key of `bulk`.
async fn bulk(scene: &Scene<'_>) -> (String, String) {
    let (a, b) = (scene.value("a"), scene.value("b"));
    scene.secret("bulk", &[("A_KEY", &a), ("B_KEY", &b)]).await;
    let spec = json!({
        "provider": scene.provider(),
        "dataFrom": [{"secretRef": {"name": "bulk"}}],
        "deletionPolicy": "Delete",
    });
    scene.apply("bulk", spec).await.expect("it is applied");
    scene.wait_ready("bulk").await;
    scene.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
    (a, b)
}

#[test]
fn a_key_that_leaves_a_bulk_source_is_deleted_under_delete() {
    run(at_each_api_on_brisk(async |scene| {
        let (a, _) = bulk(&scene).await;
        scene.secret("bulk", &[("A_KEY", &a)]).await;
        scene.wait_held(&[("A_KEY", &a)]).await;
        scene
            .wait("bulk", "left with one entry", |object| {
                object
                    .status
                    .as_ref()
                    .is_some_and(|status| status.entries.len() == 1)
            })
            .await;
        scene.wait_ready("bulk").await;
        scene.finish().await;
    }));
}

#[test]
fn a_bulk_source_that_is_gone_or_empty_deletes_nothing() {
    run(at_each_api_on_brisk(async |scene| {
        let (a, b) = bulk(&scene).await;
        let before = scene.writes();
        scene.secret("bulk", &[]).await;
        let is_behind = |object: &provider_secrets::api::ProviderSecret| {
            crate::harness::condition(object, "Ready").is_some_and(|ready| ready.status != "True")
        };
        let emptied = scene.wait("bulk", "not ready", is_behind).await;
        assert_eq!(emptied.status.expect("a status").entries.len(), 2);
        scene.delete_secret("bulk").await;
        scene.wait_reason("bulk", "SecretNotFound").await;
        assert_eq!(scene.writes(), before, "{:?}", scene.target);
        scene.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
        // It comes back as it was: nothing is to be done, and nothing is lost.
        scene.secret("bulk", &[("A_KEY", &a), ("B_KEY", &b)]).await;
        let object = scene.wait_ready("bulk").await;
        assert_eq!(object.status.expect("a status").entries.len(), 2);
        assert_eq!(scene.writes(), before, "{:?}", scene.target);
        // Deleted while the source is gone, the object still takes with it what it wrote.
        scene.delete_secret("bulk").await;
        scene.delete("bulk").await;
        scene.wait_gone("bulk").await;
        scene.assert_held(&[]);
        scene.finish().await;
    }));
}
