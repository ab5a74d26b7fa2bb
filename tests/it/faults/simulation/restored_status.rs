//! A status that a backup put onto another object: what it says was written is looked at, and written.

use std::time::Duration;

use provider_secrets::api::FINALIZER;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    races::at_each,
    world::{World, value},
};
use crate::harness::Target;

/// As operators of the simulation have it, and the jitter.
const VERIFY_INTERVAL: Duration = Duration::from_mins(11);

/// What the provider holds when the status is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    /// Nothing: it was rebuilt too.
    Nothing,
    /// What the status says.
    Same,
    /// One of the two entries.
    Half,
    /// Values that another client wrote since.
    Foreign,
}

/// Makes the object anew, with a uid of its own and the status of the former one.
fn restore(world: &World, spec: &Value, has_finalizer: bool) {
    let mut status = world.object().expect("the object")["status"].clone();
    world.finalizers(&[]);
    world.delete();
    assert_eq!(world.object(), None);
    world.spec(spec);
    if has_finalizer {
        world.finalizers(&[FINALIZER]);
    }
    let object = world.object().expect("the object");
    status["observedGeneration"] = object["metadata"]["generation"].clone();
    let conditions = status["conditions"].as_array_mut().expect("conditions");
    for condition in conditions {
        condition["observedGeneration"] = object["metadata"]["generation"].clone();
    }
    world.change_status(|shown| *shown = status);
}

fn change_remote(world: &World, remote: Remote) {
    let scope = world.scope();
    let delete = |name: &str| {
        let deleted = world.account.foreign_delete(scope.as_deref(), name);
        deleted.expect("it is deleted");
    };
    match remote {
        Remote::Same => {}
        Remote::Half => delete("B_KEY"),
        Remote::Nothing => ["A_KEY", "B_KEY"].into_iter().for_each(delete),
        Remote::Foreign => {
            world.foreign_write("A_KEY", "foreign");
            world.foreign_write("B_KEY", "foreign");
        }
    }
}

fn is_held(world: &World) -> bool {
    let held = world.held();
    held.get("A_KEY") == Some(&value("a1")) && held.get("B_KEY") == Some(&value("b1"))
}

/// Cases
#[rstest]
fn a_status_restored_onto_another_object_is_not_at_rest(
    #[values(Remote::Nothing, Remote::Same, Remote::Half, Remote::Foreign)] remote: Remote,
    #[values("Retain", "Delete")] deletion: &str,
    #[values(false, true)] runs: bool,
) {
    at_each(async |world| {
        let entries = super::world::data(&[("A_KEY", "a"), ("B_KEY", "b")]);
        let spec = json!({"deletionPolicy": deletion, "data": entries});
        world.spec(&spec);
        world.quiet().await;
        assert!(is_held(world));
        let before = world.provider_writes();
        if !runs {
            world.down().await;
        }
        restore(world, &spec, deletion == "Delete");
        change_remote(world, remote);
        world.up();
        let is_ready = |world: &World| {
            let is_ready = world.ready_reason("object").as_deref() == Some("Synced");
            is_ready && is_held(world) && world.provider_writes() > before
        };
        world
            .wait("what is written again", VERIFY_INTERVAL, is_ready)
            .await;
        world.quiet().await;
        // Each entry once, or the set; and a second time where the first could not be told from a foreign one.
        let most = if world.target == Target::Pipecat {
            2
        } else {
            4
        };
        let writes = world.provider_writes() - before;
        assert!(writes <= most, "{:?}: {writes} writes", world.target);
        // The records are the object's own now.
        world.down().await;
        world.up();
        world.quiet().await;
        assert_eq!(
            world.provider_writes(),
            before + writes,
            "{:?}",
            world.target
        );
    });
}

/// Under `conflictPolicy: Fail` what cannot be told from a foreign secret stays as it is, and the object says so.
/// Cases, P-06
#[rstest]
fn a_status_restored_onto_another_object_overwrites_nothing_under_fail(
    #[values(Remote::Nothing, Remote::Same, Remote::Half, Remote::Foreign)] remote: Remote,
    #[values(false, true)] runs: bool,
) {
    at_each(async |world| {
        let entries = super::world::data(&[("A_KEY", "a"), ("B_KEY", "b")]);
        let spec = json!({"conflictPolicy": "Fail", "data": entries});
        world.without_foreign_set();
        world.spec(&spec);
        world.quiet().await;
        world.with_foreign_secret();
        if !runs {
            world.down().await;
        }
        restore(world, &spec, false);
        change_remote(world, remote);
        if remote == Remote::Nothing {
            world.without_foreign_set();
        }
        let kept = world.held();
        world.up();
        let is_told = |world: &World| {
            let reason = world.ready_reason("object");
            if remote == Remote::Nothing {
                reason.as_deref() == Some("Synced") && is_held(world)
            } else {
                reason.as_deref() == Some("Conflict")
            }
        };
        world.wait("what is so", VERIFY_INTERVAL, is_told).await;
        world.quiet().await;
        assert!(is_told(world), "{:?}", world.target);
        world.with_foreign_secret();
        for (name, text) in kept {
            assert_eq!(world.held().get(&name), Some(&text), "{:?}", world.target);
        }
    });
}
