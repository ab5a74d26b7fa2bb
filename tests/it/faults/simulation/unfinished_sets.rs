//! Pipecat sets that are accepted and do not come to be, or that the vendor does not show.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Action, Answer, Fault};
use tokio::time::sleep;

use super::{
    races::writes,
    world::{World, data, simulate, value},
};
use crate::harness::Target;

const SET: &str = "agents";
const MINUTE: Duration = Duration::from_mins(1);

/// Plays at Pipecat, with a source, where nothing is there and a set needs so long.
fn play(ready_after: Duration, play: impl AsyncFn(&mut World) + Copy) {
    simulate(async {
        let mut world = World::new(Target::Pipecat);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.without_foreign_set();
        let pipecat = world.remote.simulator().pipecat();
        pipecat.set_variants(&world.account, |variants| {
            variants.ready_after = ready_after;
        });
        world.up();
        play(&mut world).await;
        world.down().await;
    });
}

fn answers(body: &Value) -> Fault {
    Fault::new(Action::Answer(Answer {
        status: 200,
        body: body.to_string(),
        ..Answer::default()
    }))
    .method("GET")
    .forever()
}

/// From now on the vendor shows the set in this way: in the list, and by itself.
fn shown(world: &World, members: &Value) {
    shown_as(world, members, members);
}

/// From now on the vendor shows the set so in the list, and so by itself.
fn shown_as(world: &World, listed: &Value, by_itself: &Value) {
    world.account.clear_faults();
    let mut listed = listed.clone();
    listed["name"] = SET.into();
    let single = answers(by_itself).path_contains("/v1/secrets/");
    world.account.add_fault(single);
    let list = answers(&json!({"sets": [listed]})).path_contains("/v1/secrets");
    world.account.add_fault(list);
}

fn deletes(world: &World) -> usize {
    let requests = world.account.requests();
    let deletes = requests
        .iter()
        .filter(|one| one.line().starts_with("DELETE"));
    deletes.count()
}

/// So `rotated --wait` returns within a second of the value, and a set that never comes is asked for seldom.
#[rstest]
#[case(Duration::from_secs(4), 12)]
#[case(Duration::from_secs(10), 24)]
#[case(Duration::from_secs(20), 44)]
#[case(MINUTE * 20, 150)]
fn a_set_is_seen_within_a_second_of_being_ready(#[case] after: Duration, #[case] looks: usize) {
    play(after, async |world| {
        world.entries(&[("A_KEY", "a")]);
        sleep(Duration::from_millis(500)).await;
        assert_eq!(writes(world, "A_KEY"), 1);
        sleep(after.saturating_sub(Duration::from_secs(1))).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Progressing"));
        sleep(Duration::from_secs(2).max(after / 20)).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        let requests = world.account.requests();
        let looked = requests.iter().filter(|one| one.line().starts_with("GET"));
        let looked = looked.count();
        assert!(looked <= looks, "the operator has looked {looked} times");
    });
}

/// Cases: R-07
#[test]
fn a_set_that_vanishes_while_it_is_pending_is_written_again_after_30_seconds() {
    play(MINUTE * 20, async |world| {
        world.entries(&[("A_KEY", "a")]);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(writes(world, "A_KEY"), 1);
        let gone = world.account.foreign_delete(None, SET);
        gone.expect("the set is deleted");
        sleep(Duration::from_secs(19)).await;
        assert_eq!(writes(world, "A_KEY"), 1, "absence does not count yet");
        let most = Duration::from_secs(35);
        let written = |world: &World| world.held().get("A_KEY") == Some(&value("a1"));
        world.wait("it is written again", most, written).await;
        let notes = world.notes("DriftDetected");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("A_KEY"), "{notes:?}");
        sleep(MINUTE * 25).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!(writes(world, "A_KEY"), 2);
    });
}

/// What another entry waits for says nothing of the set.
/// Cases: R-07
#[test]
fn a_set_that_vanishes_while_another_entry_waits_is_written_again() {
    play(MINUTE * 20, async |world| {
        world.entries(&[("A_KEY", "a"), ("B_KEY", "missing")]);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(writes(world, "A_KEY"), 1);
        let gone = world.account.foreign_delete(None, SET);
        gone.expect("the set is deleted");
        let written = |world: &World| world.held().get("A_KEY") == Some(&value("a1"));
        world.wait("it is written again", MINUTE, written).await;
        sleep(MINUTE * 25).await;
        let said = world.ready_reason("object");
        assert_eq!(said.as_deref(), Some("KeyNotFound"));
        assert_eq!(writes(world, "A_KEY"), 2);
        world.entries(&[("A_KEY", "a")]);
    });
}

/// Cases: R-07
#[test]
fn a_set_that_always_fails_is_written_ever_more_seldom() {
    play(MINUTE, async |world| {
        world.entries(&[("A_KEY", "a")]);
        sleep(Duration::from_secs(10)).await;
        let pipecat = world.remote.simulator().pipecat();
        pipecat.set_variants(&world.account, |variants| {
            variants.failing_puts = u32::MAX;
        });
        world.rotate("a2");
        sleep(MINUTE * 90).await;
        let before = writes(world, "A_KEY");
        sleep(MINUTE * 60 * 10).await;
        let written = writes(world, "A_KEY") - before;
        assert!((5..=14).contains(&written), "{written} in ten hours");
        pipecat.set_variants(&world.account, |variants| variants.failing_puts = 0);
        sleep(MINUTE * 150).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// Cases: R-07
#[test]
fn a_set_that_always_vanishes_is_written_a_few_times_and_no_more() {
    play(MINUTE * 20, async |world| {
        world.entries(&[("A_KEY", "a")]);
        for _ in 0..240 {
            sleep(Duration::from_secs(15)).await;
            let _ = world.account.foreign_delete(None, SET);
        }
        assert_eq!(world.ready_reason("object").as_deref(), Some("Contended"));
        assert_eq!(writes(world, "A_KEY"), 4);
    });
}

/// Also where the object says above all that another entry waits.
/// Cases: R-07
#[rstest]
#[case::alone(&[("A_KEY", "a")], "Synced")]
#[case::beside_what_waits(&[("A_KEY", "a"), ("B_KEY", "missing")], "KeyNotFound")]
fn a_set_that_stays_pending_for_5_minutes_is_said_once(
    #[case] entries: &[(&str, &str)],
    #[case] ends: &str,
) {
    play(MINUTE * 20, async |world| {
        world.entries(entries);
        sleep(MINUTE * 4).await;
        let said = |world: &World| world.notes("Progressing").len();
        assert_eq!((said(world), writes(world, "A_KEY")), (0, 1));
        assert!(
            !world.message().contains("5 minutes"),
            "{}",
            world.message()
        );
        sleep(MINUTE * 2).await;
        assert_eq!(said(world), 1, "{:?}", world.notes("Progressing"));
        assert!(world.message().contains("5 minutes"), "{}", world.message());
        // Nor is it said again by the next process.
        world.down().await;
        world.up();
        sleep(MINUTE * 8).await;
        assert_eq!((said(world), writes(world, "A_KEY")), (1, 1));
        sleep(MINUTE * 8).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some(ends));
        assert!(
            !world.message().contains("5 minutes"),
            "{}",
            world.message()
        );
    });
}

/// The vendor shows no keys of a set in a region of the user's own, and not whether it is ready.
#[test]
fn a_set_that_is_not_shown_is_said_and_its_keys_stay() {
    play(Duration::from_secs(2), async |world| {
        world.spec(&json!({"data": data(&[("A_KEY", "a")]), "deletionPolicy": "Delete"}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        shown(world, &json!({"region": "pce-1", "status": "unknown"}));
        // Keys that are not shown are not missing.
        sleep(MINUTE * 25).await;
        assert_eq!(writes(world, "A_KEY"), 1);
        assert!(world.notes("DriftDetected").is_empty());
        world.rotate("a2");
        sleep(MINUTE * 7).await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
        assert!(world.message().contains("5 minutes"), "{}", world.message());
        assert_eq!(world.notes("Progressing").len(), 1);
        world.delete();
        world.quiet().await;
        assert!(world.object().is_none(), "nothing is in its way");
        assert_eq!(deletes(world), 0);
        let left = world.notes("DeletionSkipped");
        assert!(left.len() == 1 && left[0].contains("A_KEY"), "{left:?}");
    });
}

/// docs/vendors.md#pc-14
#[rstest]
#[case::the_list_tells_it(json!({"source": "referenced", "status": "unknown"}))]
#[case::the_list_does_not_tell_it(json!({"type": "secret", "status": "ready"}))]
fn a_referenced_set_is_neither_written_nor_deleted(#[case] listed: Value) {
    for policy in ["Retain", "Delete"] {
        for conflict in ["Overwrite", "Fail"] {
            play(Duration::from_secs(2), async |world| {
                let reference = json!({"source": "referenced", "status": "unknown"});
                shown_as(world, &listed, &reference);
                let policies = json!({"deletionPolicy": policy, "conflictPolicy": conflict});
                world.spec(&policies);
                world.entries(&[("A_KEY", "a")]);
                sleep(MINUTE).await;
                let reason = world.ready_reason("object");
                assert_eq!(reason.as_deref(), Some("Unsupported"), "{policies}");
                assert!(
                    world.message().contains("referenced"),
                    "{}",
                    world.message()
                );
                world.rotate("a2");
                sleep(MINUTE * 60 * 8).await;
                world.delete();
                world.quiet().await;
                assert!(world.object().is_none(), "{policies}");
                assert_eq!(world.account.writes().len(), 0, "{policies}");
            });
        }
    }
}

/// docs/vendors.md#pc-14
#[test]
fn a_set_that_becomes_a_reference_is_left_alone_from_then_on() {
    play(Duration::from_secs(2), async |world| {
        world.spec(&json!({"data": data(&[("A_KEY", "a")]), "deletionPolicy": "Delete"}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        shown(world, &json!({"source": "referenced", "status": "unknown"}));
        sleep(MINUTE * 12).await;
        let reason = world.ready_reason("object");
        assert_eq!(
            reason.as_deref(),
            Some("Unsupported"),
            "{}",
            world.message()
        );
        let before = world.account.writes().len();
        world.rotate("a2");
        sleep(MINUTE * 60 * 8).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Unsupported"));
        assert_eq!(world.account.writes().len(), before);
        // When the vendor shows a set of its own again, it is written.
        world.account.clear_faults();
        world.request_sync("now");
        sleep(MINUTE).await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
        shown(world, &json!({"source": "referenced", "status": "unknown"}));
        let before = world.account.writes().len();
        world.delete();
        world.quiet().await;
        assert!(world.object().is_none());
        assert_eq!(world.account.writes().len(), before);
        assert_eq!(world.notes("DeletionSkipped").len(), 1);
    });
}

/// Another client has put it in the place of the set that the object made; it has no keys that are shown either.
/// docs/vendors.md#pc-5
#[test]
fn an_image_pull_secret_in_the_place_of_the_set_is_not_deleted() {
    play(Duration::from_secs(2), async |world| {
        world.spec(&json!({"data": data(&[("A_KEY", "a")]), "deletionPolicy": "Delete"}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        let listed = json!({"type": "imagePullSecret", "status": "ready"});
        shown_as(world, &listed, &json!({"secrets": [], "status": "ready"}));
        world.delete();
        world.quiet().await;
        assert!(world.object().is_none());
        assert_eq!(deletes(world), 0);
    });
}

/// The vendor answers a write of a reference as one of a set that is busy.
/// docs/vendors.md#pc-14
#[test]
fn a_rotation_of_a_set_that_has_become_a_reference_is_sent_once_and_told() {
    play(Duration::from_secs(2), async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        let reference = json!({"source": "referenced", "secrets": []});
        shown_as(world, &json!({"type": "secret"}), &reference);
        let taken = Fault::status(409).method("PUT");
        world.account.add_fault(taken.forever());
        let before = world.account.writes().len();
        world.rotate("a2");
        let is_told =
            |world: &World| world.ready_reason("object").as_deref() == Some("Unsupported");
        let most = Duration::from_secs(5);
        world.wait("the refusal", most, is_told).await;
        let said = world.message();
        assert!(said.contains("source: referenced"), "{said}");
        sleep(MINUTE * 60 * 8).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Unsupported"));
        assert_eq!(world.account.writes().len(), before + 1);
        // When the vendor shows a set of its own again, it is written.
        world.account.clear_faults();
        world.request_sync("now");
        let is_written = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", MINUTE, is_written).await;
    });
}

/// The types of its conditions.
fn conditions(world: &World) -> Vec<String> {
    let object = world.object().expect("the object");
    let conditions = object["status"]["conditions"].as_array().expect("a list");
    let types = conditions
        .iter()
        .map(|one| one["type"].as_str().unwrap_or_default().to_owned());
    let mut types: Vec<String> = types.collect();
    types.sort();
    types
}

/// Nobody asks the vendor whether it has finished while the object is suspended, so nobody says so.
/// Cases: R-07
#[rstest]
fn a_set_that_is_pending_when_the_object_is_suspended_is_not_said_to_be_synced(
    #[values(false, true)] restarts: bool,
) {
    play(MINUTE * 20, async |world| {
        world.entries(&[("A_KEY", "a")]);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(writes(world, "A_KEY"), 1);
        world.spec(&json!({"suspend": true}));
        world.quiet().await;
        if restarts {
            world.down().await;
            world.up();
            world.quiet().await;
        }
        assert_eq!(conditions(world), ["Suspended"]);
        sleep(MINUTE * 21).await;
        world.spec(&json!({"suspend": false}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        // What was synced stays so.
        world.spec(&json!({"suspend": true}));
        world.quiet().await;
        assert_eq!(conditions(world), ["Ready", "Suspended"]);
        world.spec(&json!({"suspend": false}));
        world.quiet().await;
    });
}
