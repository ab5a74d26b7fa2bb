//! Providers that show something else than what was written: names in another form, times that
//! move by themselves, the state of some seconds ago.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Action, Fault, prime_intellect};
use tokio::time::sleep;

use super::{
    provider::Quirk,
    races::{at_each, writes},
    store::Resource,
    world::{World, data, simulate, value},
};
use crate::harness::Target;

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);
/// How long a listing shows what was there before a write.
const LAG: Duration = Duration::from_secs(10);
/// As long as the lag, and a bit.
const SHOWN: Duration = Duration::from_secs(12);

/// Runs for some hours against a provider with a quirk. Returns the number of accepted writes, and the condition that
/// is True at the end.
async fn run_with_quirk(quirk: Quirk, name: &str, target: Target) -> (usize, Value) {
    let mut world = World::new(target);
    world.remote.set_quirk(quirk);
    world.source(&[("a", "a1"), ("b", "b1")]);
    world.up();
    world.entries(&[(name, "a")]);
    let count = |is_done: bool| {
        let mut writes = world.account.writes();
        writes.retain(|write| write.status().is_some_and(|status| status < 300) == is_done);
        writes.len()
    };
    // Time for the repairs that there may be in a day, and then for as many again.
    sleep(Duration::from_mins(75)).await;
    let (writes, refused) = (count(true), count(false));
    sleep(Duration::from_mins(75)).await;
    assert_eq!(count(true), writes, "{quirk:?} {target:?}: a write loop");
    // What is refused is tried about once an hour.
    assert!(count(false) <= refused + 3, "{quirk:?} {target:?}");
    let object = world.object().expect("the object");
    let conditions = object["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.unwrap_or_default().into_iter();
    let condition = conditions.find(|condition| condition["status"] == "True");
    world.down().await;
    (writes, condition.expect("one of them is True"))
}

/// Cases: P-33
#[test]
fn a_provider_that_changes_names_is_no_reason_to_write_for_ever() {
    for target in Target::ALL {
        simulate(async {
            let (writes, condition) =
                run_with_quirk(Quirk::CollapsesUnderscores, "A__KEY", target).await;
            assert!((1..=4).contains(&writes), "{target:?}: {writes} writes");
            assert_eq!(condition["type"], "Stalled", "{target:?} {condition}");
        });
    }
}

/// Cases: P-33
#[test]
fn times_that_move_by_themselves_are_no_reason_to_write_for_ever() {
    for target in Target::ALL {
        simulate(async {
            let (writes, condition) =
                run_with_quirk(Quirk::TouchesTimestamps, "A_KEY", target).await;
            // Pipecat shows no times.
            let expected = match target {
                Target::Pipecat => (1, "Ready", "Synced"),
                _ => (4, "Stalled", "Contended"),
            };
            let reason = condition["reason"].as_str().expect("a reason");
            let kind = condition["type"].as_str().expect("a type");
            assert_eq!((writes, kind, reason), expected, "{target:?} {condition}");
        });
    }
}

/// Plays at each API whose listings lag, where an object is synced and has just been written.
fn at_each_that_lags(play: impl AsyncFn(&mut World) + Copy) {
    at_each(async |world| {
        // What is read for the first time lags too.
        world.entries(&[("B_KEY", "b")]);
        world.quiet().await;
        world.request_sync("first");
        world.quiet().await;
        world.remote.set_quirk(Quirk::Lags(LAG));
        world.request_sync("second");
        world.quiet().await;
        play(world).await;
    });
}

/// Reads of the provider since the call log had so many lines.
fn reads(world: &World, known: usize) -> usize {
    let lines = world.call_log.lines().split_off(known);
    let provider = format!("GET {} ", world.account.provider());
    lines
        .iter()
        .filter(|line| line.starts_with(&provider))
        .count()
}

#[test]
fn a_rewrite_interval_writes_again_what_shows_no_drift() {
    at_each(async |world| {
        world.spec(&json!({"rewriteInterval": "1h", "data": data(&[("A_KEY", "a")])}));
        world.quiet().await;
        let (before, written) = (writes(world, "A_KEY"), world.provider_writes());
        world.foreign_write("A_KEY", "theirs");
        sleep(Duration::from_mins(50)).await;
        // Where the provider shows the change, it is drift and repaired before.
        let is_shown = matches!(world.target, Target::PrimeIntellect | Target::Braintrust);
        let repaired = if is_shown {
            value("a1")
        } else {
            "theirs".to_owned()
        };
        assert_eq!(world.held()["A_KEY"], repaired, "{:?}", world.target);
        let is_written = |world: &World| writes(world, "A_KEY") > before + usize::from(is_shown);
        world
            .wait("the rewrite", Duration::from_hours(1), is_written)
            .await;
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        assert_eq!(
            world.provider_writes(),
            written + 1 + usize::from(is_shown),
            "{:?}",
            world.target
        );
        world.spec(&json!({"rewriteInterval": null}));
        world.quiet().await;
    });
}

/// Cases: P-34
#[test]
fn what_a_listing_does_not_show_yet_is_not_created_again() {
    at_each_that_lags(async |world| {
        let (known, before) = (world.call_log.lines().len(), writes(world, "B_KEY"));
        world.entries(&[("B_KEY", "b"), ("A_KEY", "a")]);
        for token in ["a", "b", "c", "d"] {
            sleep(Duration::from_secs(2)).await;
            // Asked to, the operator looks at once, and sees neither.
            world.request_sync(token);
        }
        sleep(SHOWN).await;
        let is_set = world.target == Target::Pipecat;
        assert_eq!(writes(world, "A_KEY"), if is_set { before + 1 } else { 1 });
        let object = world.object().expect("the object");
        let entries = object["status"]["entries"].as_array().expect("entries");
        assert!(
            entries
                .iter()
                .all(|entry| entry["record"]["drift"].is_null()),
            "{entries:?}"
        );
        // Nor is it asked again and again.
        let reads = reads(world, known);
        assert!(reads <= 20, "{:?}: {reads}", world.target);
    });
}

/// Cases: P-34
#[test]
fn a_rotation_of_what_a_listing_does_not_show_yet_is_a_change_of_it() {
    at_each_that_lags(async |world| {
        let before = writes(world, "A_KEY");
        world.entries(&[("B_KEY", "b"), ("A_KEY", "a")]);
        sleep(Duration::from_secs(3)).await;
        world.source(&[("a", "a2"), ("b", "b1")]);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
        world.quiet().await;
        assert_eq!(writes(world, "A_KEY"), before + 2, "{:?}", world.target);
    });
}

/// Cases: P-34
#[test]
fn the_version_before_a_write_is_not_foreign() {
    at_each_that_lags(async |world| {
        let before = writes(world, "B_KEY");
        world.source(&[("a", "a1"), ("b", "b2")]);
        for token in ["a", "b", "c", "d"] {
            sleep(Duration::from_secs(2)).await;
            world.request_sync(token);
        }
        sleep(SHOWN).await;
        world.quiet().await;
        assert_eq!(writes(world, "B_KEY"), before + 1, "{:?}", world.target);
        let object = world.object().expect("the object");
        let drift = &object["status"]["entries"][0]["record"]["drift"];
        assert!(drift.is_null(), "{:?}: {drift}", world.target);
    });
}

/// Cases: P-34
#[test]
fn a_restarted_operator_that_sees_a_stale_listing_writes_nothing_again() {
    at_each_that_lags(async |world| {
        let before = writes(world, "A_KEY");
        world.entries(&[("B_KEY", "b"), ("A_KEY", "a")]);
        sleep(Duration::from_secs(3)).await;
        world.down().await;
        world.up();
        sleep(Duration::from_secs(1)).await;
        world.request_sync("successor");
        sleep(SHOWN).await;
        world.quiet().await;
        assert_eq!(writes(world, "A_KEY"), before + 1, "{:?}", world.target);
    });
}

/// Cases: P-34
#[test]
fn a_namesake_that_sees_a_stale_listing_makes_no_second_secret() {
    at_each_that_lags(async |world| {
        world.entries(&[("B_KEY", "b"), ("A_KEY", "a")]);
        sleep(Duration::from_secs(3)).await;
        world.delete();
        world.apply("other", &json!({"data": data(&[("A_KEY", "a")])}));
        sleep(SHOWN).await;
        world.entries(&[("B_KEY", "b")]);
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        let created = world.account.writes().into_iter().filter(|write| {
            let is_created = write.status().is_some_and(|status| status < 300);
            write.line() == "POST /api/v1/secrets/" && is_created
        });
        assert!(created.count() <= 2, "A_KEY and B_KEY");
        let other = world.store.list(Resource::ProviderSecrets, None);
        let is_other = |object: &&Value| object["metadata"]["name"] == "other";
        let other = other.iter().find(is_other).expect("it is there");
        let status = &other["status"];
        assert_eq!(status["summary"], "1/1", "{:?} {status}", world.target);
    });
}

/// Plays where the spec names no team, so that the provider is asked whose the names are.
fn at_each_that_asks_for_the_scope(play: impl AsyncFn(&mut World, &str) + Copy) {
    for (target, question) in [
        (Target::BasetenWorkspace, "/v1/teams"),
        (Target::PrimeIntellect, "/user/whoami"),
    ] {
        simulate(async {
            let mut world = World::new(target);
            world.source(&[("a", "a1"), ("b", "b1")]);
            world.up();
            play(&mut world, question).await;
            world.down().await;
        });
    }
}

/// Its health does not suffer, and nothing waits for the answer.
#[rstest]
#[case(Fault::status(401))]
#[case(Fault::status(403))]
#[case(Fault::status(429).header("retry-after", "600"))]
#[case(Fault::status(500))]
#[case(Fault::new(Action::Hang))]
fn an_account_that_does_not_say_whose_the_names_are_is_written_all_the_same(#[case] fault: Fault) {
    at_each_that_asks_for_the_scope(async |world, question| {
        let fault = fault.clone().path_contains(question).forever();
        world.account.add_fault(fault);
        world.entries(&[("A_KEY", "a")]);
        let is_synced = |world: &World| world.ready_reason("object").as_deref() == Some("Synced");
        // A call that hangs is given up after half a minute.
        world
            .wait("the first write", Duration::from_secs(35), is_synced)
            .await;
        // It is not asked at each first write.
        let asked = |world: &World| {
            let requests = world.account.requests();
            let asked = requests.iter().filter(|one| one.path.contains(question));
            asked.count()
        };
        let before = asked(world);
        assert_eq!(before, 1, "{:?}", world.target);
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        let is_written = |world: &World| world.held().contains_key("B_KEY");
        world.wait("another first write", SOON, is_written).await;
        assert_eq!(asked(world), before, "{:?}", world.target);
        world.account.clear_faults();
        sleep(Duration::from_hours(1)).await;
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b"), ("C_KEY", "b")]);
        let is_written = |world: &World| world.held().contains_key("C_KEY");
        world.wait("a third first write", SOON, is_written).await;
        // The answer to a write at PrimeIntellect tells it as well.
        let is_known = world.target == Target::PrimeIntellect;
        let expected = before + usize::from(!is_known);
        assert_eq!(asked(world), expected, "{:?}", world.target);
    });
}

/// Cases: R-02
#[test]
fn a_set_that_may_not_be_read_holds_up_no_other() {
    simulate(async {
        let mut world = World::new(Target::Pipecat);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.up();
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let fault = Fault::status(403).method("GET");
        world
            .account
            .add_fault(fault.path_contains("/secrets/other").forever());
        // It asks for the keys of its set before it writes any.
        world.apply(
            "other",
            &json!({
                "conflictPolicy": "Fail",
                "provider": {"pipecat": {"setName": "other"}},
                "data": data(&[("B_KEY", "b")]),
            }),
        );
        let is_refused =
            |world: &World| world.ready_reason("other").as_deref() == Some("PermissionDenied");
        world.wait("a refused read", SOON, is_refused).await;
        world.rotate("a2");
        let is_written = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", SOON, is_written).await;
        world.down().await;
    });
}

/// PrimeIntellect may answer a write with no data (docs/vendors.md#pi-9).
pub(super) fn answered_with_nothing() -> World {
    let mut world = World::new(Target::PrimeIntellect);
    let simulator = world.remote.simulator().prime_intellect();
    simulator.set_variants(&world.account, |variants| {
        variants.write_answer = prime_intellect::WriteAnswer::Null;
    });
    world.source(&[("a", "a1"), ("b", "b1")]);
    world.up();
    world
}

/// What our write left is looked up soon after it.
/// Cases: M-06, R-10
#[test]
fn what_another_writer_wrote_is_not_deleted_where_writes_are_answered_with_nothing() {
    simulate(async {
        let mut world = answered_with_nothing();
        let entries = data(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.spec(&json!({"deletionPolicy": "Delete", "data": entries}));
        // Less than the interval of verification.
        sleep(Duration::from_mins(3)).await;
        world.foreign_write("A_KEY", "theirs");
        world.delete();
        sleep(SOON).await;
        let held = world.held();
        assert_eq!(held.get("A_KEY").map(String::as_str), Some("theirs"));
        assert!(!held.contains_key("B_KEY"), "{held:?}");
        let notes = world.notes("DeletionSkipped");
        assert!(notes.iter().all(|note| note.contains("another writer")));
        assert_eq!(notes.len(), 1, "{notes:?}");
        world.down().await;
    });
}
