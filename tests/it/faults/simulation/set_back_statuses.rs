//! A status that another writer sets back while the operator runs: a backup tool restores it, or a user empties it. It is
//! put back as it was known, and nothing is foreign, forgotten or written twice.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::Fault;

use super::{
    races::at_each,
    world::{SOURCE, World, data, value},
};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);
/// Longer than an account is left alone whose calls have failed a few times.
const HEALED: Duration = Duration::from_mins(30);

/// What status is set back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backup {
    /// Nothing at all.
    Empty,
    /// As the API server makes a new object.
    New,
    /// Before the second entry came.
    FirstEntry,
    /// Before the last rotation.
    BeforeRotation,
}

fn status(world: &World) -> Value {
    world.object().expect("the object")["status"].clone()
}

fn set_back(world: &World, old: &Value) {
    world.change_status(|status| status.clone_from(old));
}

/// Cases: L-16, R-19
#[rstest]
fn a_status_that_is_set_back_is_put_back(
    #[values(Backup::Empty, Backup::New, Backup::FirstEntry, Backup::BeforeRotation)]
    backup: Backup,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values("Retain", "Delete")] deletion: &str,
    #[values(1, 3)] times: usize,
) {
    at_each(async |world| {
        world.without_foreign_set();
        let spec = |entries: &[(&str, &str)]| json!({"conflictPolicy": conflict, "deletionPolicy": deletion, "data": data(entries)});
        world.spec(&spec(&[("A_KEY", "a")]));
        world.quiet().await;
        let first = status(world);
        world.spec(&spec(&[("A_KEY", "a"), ("B_KEY", "b")]));
        world.quiet().await;
        let second = status(world);
        world.rotate("a2");
        world.quiet().await;
        world.with_foreign_secret();
        let (newest, before) = (status(world), world.provider_writes());
        let old = match backup {
            Backup::Empty => Value::Null,
            Backup::New => json!({"observedGeneration": -1}),
            Backup::FirstEntry => first,
            Backup::BeforeRotation => second,
        };
        for _ in 0..times {
            set_back(world, &old);
            let is_back = |world: &World| status(world)["entries"] == newest["entries"];
            world.wait("status as it was", SOON, is_back).await;
            world.quiet().await;
            assert_eq!(
                status(world)["entries"],
                newest["entries"],
                "{:?}",
                world.target
            );
            assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        }
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
        assert_eq!(world.notes("Conflict"), [""; 0], "{:?}", world.target);
        // The records are believed as before.
        world.rotate("a3");
        let is_rotated = |world: &World| world.held()["A_KEY"] == value("a3");
        world.wait("the rotation", SOON, is_rotated).await;
        world.quiet().await;
    });
}

/// Somebody edits a record and leaves its times.
/// Cases: L-16, R-19
#[rstest]
#[case::without_its_record(json!({"record": null}))]
#[case::of_another_id(json!({"remoteId": "other"}))]
#[case::with_another_seal(json!({"record": {"seal": "AAAA"}}))]
fn a_record_that_is_edited_is_put_back(#[case] edit: Value) {
    at_each(async |world| {
        world.without_foreign_set();
        world.spec(&json!({"conflictPolicy": "Fail", "deletionPolicy": "Delete"}));
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        world.with_foreign_secret();
        let (known, before) = (status(world), world.provider_writes());
        let mut edited = known.clone();
        json_patch::merge(&mut edited["entries"][0], &edit);
        assert_ne!(edited, known);
        set_back(world, &edited);
        let is_back = |world: &World| status(world)["entries"] == known["entries"];
        world.wait("the record as it was", SOON, is_back).await;
        world.quiet().await;
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
        assert_eq!(world.notes("Conflict"), [""; 0], "{:?}", world.target);
        world.delete();
        world.quiet().await;
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
    });
}

/// Another writer names a key under which no seal can be checked, and perhaps a foreign secret with it, while the
/// provider is down.
/// Cases
#[rstest]
fn a_key_that_another_writer_names_in_status_is_put_back(
    #[values(Some("AAAA"), Some("key:0123456789abcdef"), None)] key: Option<&str>,
    #[values(false, true)] claims_foreign: bool,
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        world.without_foreign_set();
        world.spec(&json!({"conflictPolicy": "Fail", "deletionPolicy": "Delete"}));
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        world.with_foreign_secret();
        world.entries(&[("A_KEY", "a"), ("FOREIGN_KEY", "b")]);
        world.quiet().await;
        let (known, held) = (status(world), world.held());
        let is_told = |world: &World| world.ready_reason("object").as_deref() == Some("Conflict");
        assert!(is_told(world), "{:?}", world.target);
        world.account.add_fault(Fault::status(503).forever());
        world.change_status(|status| {
            status["keyFingerprint"] = json!(key);
            if claims_foreign {
                let written = "2026-01-01T00:00:00Z";
                let claim =
                    json!({"name": "FOREIGN_KEY", "state": "Synced", "lastWriteTime": written});
                status["entries"][1] = claim;
            }
        });
        let is_back = |world: &World| status(world)["keyFingerprint"] == known["keyFingerprint"];
        world.wait("the key as it was", SOON, is_back).await;
        if restarts {
            world.down().await;
            world.up();
        }
        world.account.clear_faults();
        world.request_sync("2026-01-01T00:00:00Z");
        world.wait("the conflict", HEALED, is_told).await;
        world.quiet().await;
        assert_eq!(world.held(), held, "{:?}", world.target);
        world.delete();
        world.quiet().await;
        assert_eq!(world.object(), None, "{:?}", world.target);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        assert_eq!(world.held()["FOREIGN_KEY"], held["FOREIGN_KEY"]);
    });
}

/// A user who may write only status makes an old edit, or an old request, a new one.
/// Cases
#[rstest]
#[case::of_a_generation(json!({"observedGeneration": 0}))]
#[case::of_a_request(json!({"lastHandledSyncRequest": ""}))]
#[case::of_no_request(json!({"lastHandledSyncRequest": null}))]
fn a_status_that_forgets_what_was_acted_on_confirms_nothing(#[case] edit: Value) {
    at_each(async |world| {
        let source = json!({"secretRef": {"name": SOURCE}, "nameTransform": "UpperSnake"});
        world.spec(&json!({"deletionPolicy": "Delete", "dataFrom": [source], "data": null}));
        let keys: Vec<String> = (0..12).map(|number| format!("k{number}")).collect();
        let all: Vec<_> = keys.iter().map(|key| (key.as_str(), "a1")).collect();
        world.source(&all);
        world.request_sync("2026-01-01T00:00:00Z");
        world.quiet().await;
        world.source(&all[..1]);
        world.quiet().await;
        let is_held =
            |world: &World| world.ready_reason("object").as_deref() == Some("RemovalHeld");
        assert!(is_held(world), "{:?}", world.target);
        let held = world.held();
        for _ in 0..3 {
            world.change_status(|status| json_patch::merge(status, &edit));
            world.quiet().await;
            assert_eq!(world.held(), held, "{:?}", world.target);
            assert!(is_held(world), "{:?}", world.target);
        }
        world.request_sync("2026-01-01T00:00:01Z");
        world.quiet().await;
        assert!(world.held().len() < held.len(), "{:?}", world.target);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.spec(
            &json!({"dataFrom": null, "deletionPolicy": "Retain", "data": data(&[("A_KEY", "a")])}),
        );
        world.quiet().await;
    });
}

/// A write of status by another operator of the same object is newer, and is no reason to put anything back.
/// Cases: M-07
#[test]
fn a_newer_status_of_another_operator_is_left() {
    at_each(async |world| {
        world.rotate("a1");
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let mut newer = status(world);
        newer["entries"][0]["lastWriteTime"] = "2030-01-01T00:00:00Z".into();
        set_back(world, &newer);
        world.quiet().await;
        // Its seal does not fit, so the operator writes the name anew.
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!(world.held()["A_KEY"], value("a1"));
    });
}
