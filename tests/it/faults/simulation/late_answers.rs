//! An answer of the API server that comes after the watch has shown the end of the object: nothing comes of it.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    races::at_each,
    server::faults::{Does, patches},
    store::Resource,
    world::{World, value},
};

/// How long an object takes to be ready, at a provider that is slow to apply too.
const READY: Duration = Duration::from_secs(15);
/// How long a reconcile takes.
const RECONCILE: Duration = Duration::from_secs(30);

/// Waits until the API server has carried out so many writes of the object; whether there were so many.
async fn written(world: &World, count: usize) -> bool {
    let mut changes = world.store.subscribe();
    let written = async {
        while world.store.versions(Resource::ProviderSecrets).len() < count {
            let _ = changes.changed().await;
        }
    };
    timeout(RECONCILE, written).await.is_ok()
}

fn is_ready(world: &World) -> bool {
    world.ready_reason("object").as_deref() == Some("Synced")
}

/// Cases, D-11
#[rstest]
fn an_answer_that_comes_after_the_end_of_its_object_claims_nothing(
    // After its finalizer, its write-ahead, its outcome: whatever comes first.
    #[values(1, 2, 3)] write: usize,
    // Milliseconds.
    #[values(0, 5, 50)] late: u64,
    #[values(0, 5, 2000)] pause: u64,
    #[values("Retain", "Delete")] policy: &str,
) {
    at_each(async |world| {
        sleep(Duration::from_secs(5)).await;
        let spec = json!({"deletionPolicy": policy, "conflictPolicy": "Overwrite"});
        let late = Duration::from_millis(late);
        world.store.faults.always(patches, Does::Late(late));
        let before = world.store.versions(Resource::ProviderSecrets).len();
        world.spec(&spec);
        world.entries(&[("A_KEY", "a")]);
        // Two are those of the user.
        if !written(world, before + 2 + write).await {
            world.store.faults.clear();
            return;
        }
        // In the moment at which it is carried out: the watch shows both before the answer comes.
        world.delete();
        if world.object().is_some() {
            world.finalizers(&[]);
        }
        assert_eq!(world.object(), None);
        sleep(Duration::from_millis(pause)).await;
        world.spec(&spec);
        world.entries(&[("A_KEY", "a")]);
        sleep(RECONCILE).await;
        world.store.faults.clear();
        world.wait("the object made anew", READY, is_ready).await;
        assert_eq!(world.held()["A_KEY"], value("a1"));
        world.rotate("a2");
        let rotated = |world: &World| world.held()["A_KEY"] == value("a2");
        world
            .wait("its rotation", Duration::from_secs(1), rotated)
            .await;
    });
}

/// The end comes while a rotation of the object is written, and the answer to that comes later still.
/// Cases
#[rstest]
fn a_rotation_that_ends_after_its_object_claims_nothing(
    #[values(1, 2, 3)] write: usize,
    #[values(0, 5, 50)] late: u64,
    #[values("object", "another")] next: &str,
) {
    at_each(async |world| {
        let entry = json!([{"name": "A_KEY", "secretKeyRef": {"name": "source", "key": "a"}}]);
        world.spec(&json!({"data": entry}));
        world.quiet().await;
        let before = world.store.versions(Resource::ProviderSecrets).len();
        let late = Duration::from_millis(late);
        world.store.faults.always(patches, Does::Late(late));
        world.rotate("a2");
        if !written(world, before + write).await {
            world.store.faults.clear();
            return;
        }
        world.delete();
        assert_eq!(world.object(), None);
        world.apply(next, &json!({"data": entry}));
        sleep(RECONCILE).await;
        world.store.faults.clear();
        let is_ready = |world: &World| world.ready_reason(next).as_deref() == Some("Synced");
        world.wait("the next object", READY, is_ready).await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
    });
}
