//! Resource versions that begin anew while status survives: a data store that was migrated, or a backup
//! restored with its status. Status names versions then that are larger than any to come.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::at_each,
    store::{Id, Resource},
    world::{World, value},
};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);
/// As operators of the simulation have it, and the jitter.
const VERIFY_INTERVAL: Duration = Duration::from_mins(11);
/// Longer than an account is left alone whose calls have failed a few times.
const HEALED: Duration = Duration::from_mins(30);

/// Makes the object and lets it come to rest; the versions are far above those of a new data store.
async fn synced(world: &mut World) {
    world.rotate("a1");
    for _ in 0..200 {
        world.secret("other", &[("k", "1".to_owned())].into());
        world.secret("other", &[("k", "2".to_owned())].into());
    }
    world.rotate("a2");
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
    world.quiet().await;
    assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
}

/// When the value is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rotation {
    /// Before the operator starts.
    Before,
    /// Afterwards: by then the operator has looked.
    After,
}

/// Cases: L-17, R-01
#[rstest]
fn a_rotation_lands_after_versions_begin_anew(
    #[values(Rotation::Before, Rotation::After)] rotation: Rotation,
    #[values(false, true)] is_key_exchanged: bool,
) {
    at_each(async |world| {
        synced(world).await;
        let before = world.provider_writes();
        world.down().await;
        world.store.renumber();
        let rotate = |world: &World| {
            world.rotate("a3");
            if is_key_exchanged {
                let key = world.data("credential")["api-key"].clone();
                let new = format!("{key}-new");
                world.account.add_key(new.as_str()).expect("a key");
                world.secret("credential", &[("api-key", new)].into());
            }
        };
        if rotation == Rotation::Before {
            rotate(world);
        }
        world.up();
        if rotation == Rotation::After {
            world.quiet().await;
            assert_eq!(world.provider_writes(), before, "{:?}", world.target);
            rotate(world);
        }
        let is_rotated = |world: &World| world.held()["A_KEY"] == value("a3");
        world.wait("the rotation", SOON, is_rotated).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// What a writer of status may say while no operator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forged {
    /// That the newest version of the Secret was acted on.
    Newest,
    /// That a version was acted on that is larger than any.
    Huge,
    /// That the newest generation of the spec was acted on.
    Generation,
}

/// Cases: H-15, R-01
#[rstest]
fn a_writer_of_status_cannot_freeze_a_change(
    #[values(Forged::Newest, Forged::Huge, Forged::Generation)] forged: Forged,
    #[values(false, true)] is_seal_dropped: bool,
) {
    at_each(async |world| {
        synced(world).await;
        world.down().await;
        if forged == Forged::Generation {
            world.entries(&[("A_KEY", "a"), ("B_KEY", "b"), ("C_KEY", "a")]);
        } else {
            world.rotate("a3");
        }
        forge(world, forged, is_seal_dropped);
        world.up();
        let is_written = |world: &World| {
            let held = world.held();
            match forged {
                Forged::Generation => held.get("C_KEY") == Some(&value("a2")),
                Forged::Newest | Forged::Huge => held["A_KEY"] == value("a3"),
            }
        };
        world.wait("the change", VERIFY_INTERVAL, is_written).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// What another writer says of the entry whose rotation waits for the provider: that the new value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Under a key that no process has, so that no digest can be checked.
    UnknownKey,
    /// By the digest of the value that comes back, which status showed before.
    FormerDigest,
}

/// Cases: A-19, H-15, R-01
#[rstest]
fn a_rotation_that_waits_for_the_provider_is_not_frozen_by_an_edit_of_status(
    #[values(Claim::UnknownKey, Claim::FormerDigest)] claim: Claim,
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        synced(world).await;
        let digest = match claim {
            Claim::UnknownKey => json!("AAAA"),
            Claim::FormerDigest => record(world)["digest"].clone(),
        };
        world.rotate("a3");
        world.quiet().await;
        world.account.add_fault(Fault::status(503).forever());
        world.rotate("a2");
        sleep(SOON).await;
        assert_eq!(world.held()["A_KEY"], value("a3"), "{:?}", world.target);
        // In two steps, so that what the second one changes was not the operator's any more.
        forge(world, Forged::Newest, false);
        world.change_status(|status| {
            if claim == Claim::UnknownKey {
                status["keyFingerprint"] = "AAAA".into();
            }
            let edit = json!({
                "state": "Synced",
                "reason": null,
                "record": {"digest": digest, "attempted": null},
            });
            json_patch::merge(&mut status["entries"][0], &edit);
        });
        sleep(SOON).await;
        if restarts {
            world.down().await;
            world.up();
        }
        world.account.clear_faults();
        let is_written = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", HEALED, is_written).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// What the operator has to remember of the first entry.
fn record(world: &World) -> Value {
    let object = world.object().expect("the object");
    object["status"]["entries"][0]["record"].clone()
}

fn forge(world: &World, forged: Forged, is_seal_dropped: bool) {
    let source: Id = (Resource::Secrets, "team".to_owned(), "source".to_owned());
    let newest =
        world.store.get(&source).expect("the source")["metadata"]["resourceVersion"].clone();
    let object = world.object().expect("the object");
    world.change_status(|status| {
        if is_seal_dropped && let Some(status) = status.as_object_mut() {
            status.remove("sourcesSeal");
        }
        if forged == Forged::Generation {
            status["observedGeneration"] = object["metadata"]["generation"].clone();
            return;
        }
        let version = if forged == Forged::Newest {
            newest
        } else {
            json!("9223372036854775807")
        };
        let sources = status["sources"].as_array_mut().expect("sources");
        for source in sources {
            if source["name"] == "source" {
                source["resourceVersion"] = version.clone();
            }
        }
    });
}
