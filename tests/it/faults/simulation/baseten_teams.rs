//! Objects at Baseten that name no team: only the team that a secret belongs to may lose it, and that several teams
//! have the name is no reason to refuse a write.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::synced,
    world::{World, data, simulate, value},
};
use crate::harness::Target;

const TEAMS: &str = "/v1/teams";
/// Longer than any wait of the operator before it tries again.
const LONG: Duration = Duration::from_hours(7);

/// Plays where two of three entries have just been removed, and the question for the teams has ended so since before
/// the first write.
fn after_a_removal(shows_team: bool, fault: &Fault, play: impl AsyncFn(&mut World) + Copy) {
    simulate(async {
        let mut world = World::new(Target::BasetenWorkspace);
        let baseten = world.remote.simulator().baseten();
        baseten.set_variants(&world.account, |variants| variants.team_name = shows_team);
        world
            .account
            .add_fault(fault.clone().path_contains(TEAMS).forever());
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.spec(&json!({"deletionPolicy": "Delete"}));
        world.up();
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b"), ("C_KEY", "b")]);
        sleep(LONG).await;
        assert_eq!(world.held()["B_KEY"], value("b1"));
        world.entries(&[("A_KEY", "a")]);
        play(&mut world).await;
        world.down().await;
    });
}

fn is_deleted(world: &World) -> bool {
    let held = world.held();
    ["B_KEY", "C_KEY"]
        .iter()
        .all(|name| !held.contains_key(*name))
}

/// How often the teams were asked for.
fn asked(world: &World) -> usize {
    let requests = world.account.requests();
    requests
        .iter()
        .filter(|one| one.path.contains(TEAMS))
        .count()
}

/// Cases: R-18
#[rstest]
#[case::the_key_is_refused(401)]
#[case::it_asks_to_slow_down(429)]
#[case::it_fails(500)]
fn what_cannot_be_deleted_yet_is_deleted_later(
    #[case] status: u16,
    #[values(false, true)] shows_team: bool,
) {
    after_a_removal(shows_team, &Fault::status(status), async |world| {
        sleep(LONG).await;
        assert!(!is_deleted(world));
        assert!(world.notes("DeletionSkipped").is_empty());
        assert_ne!(world.ready_reason("object").as_deref(), Some("Synced"));
        world.account.clear_faults();
        sleep(LONG).await;
        // One of several teams has it, and which is not shown: that is known now.
        assert_eq!(is_deleted(world), shows_team);
        assert_eq!(world.notes("DeletionSkipped").is_empty(), shows_team);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// An upsert by name needs no id, so nothing is looked for when it is refused.
/// Cases: P-01
#[test]
fn a_refused_rotation_is_told_as_it_is_where_two_teams_have_the_name() {
    simulate(async {
        let mut world = World::new(Target::BasetenWorkspace);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.up();
        synced(&mut world).await;
        let object = world.object().expect("the object");
        assert!(object["status"]["entries"][0]["remoteId"].is_string());
        let other = Target::team(world.account.name());
        let written = world.account.foreign_write(Some(&other), "A_KEY", "theirs");
        written.expect("another team has the name");
        let refusal = Fault::status(400).method("POST");
        world.account.add_fault(refusal.forever());
        let listed = world.calls("GET baseten");
        world.rotate("a2");
        let is_told = |world: &World| world.ready_reason("object").as_deref() == Some("Rejected");
        let most = Duration::from_secs(5);
        world.wait("the refusal", most, is_told).await;
        let said = world.message();
        assert!(said.contains("answered 400 for entry A_KEY"), "{said}");
        assert_eq!(world.calls("GET baseten"), listed);
        world.account.clear_faults();
        world.rotate("a3");
        let is_written = |world: &World| world.held()["A_KEY"] == value("a3");
        world.wait("the rotation", most, is_written).await;
        world.down().await;
    });
}

/// Cases: R-18
#[rstest]
fn a_key_that_may_not_see_the_teams_writes_all_the_same(#[values(401, 403)] status: u16) {
    after_a_removal(true, &Fault::status(status), async |world| {
        let before = asked(world);
        world
            .wait("the refusal", Duration::from_secs(5), |world| {
                world.ready_reason("object").as_deref() == Some("Rejected")
            })
            .await;
        assert_eq!(asked(world), before + 1, "once for both");
        // And so do other objects of the account.
        world.apply("other", &json!({"data": data(&[("D_KEY", "a")])}));
        world.rotate("a2");
        let is_written = |world: &World| {
            let held = world.held();
            let is_new = |name: &str| held.get(name) == Some(&value("a2"));
            is_new("A_KEY") && is_new("D_KEY")
        };
        world
            .wait("the rotation", Duration::from_secs(5), is_written)
            .await;
        assert!(!is_deleted(world));
    });
}

/// Cases: R-18
#[test]
fn what_cannot_be_told_from_other_teams_stays_and_is_named() {
    after_a_removal(false, &Fault::status(403), async |world| {
        sleep(LONG).await;
        assert!(!is_deleted(world));
        let notes = world.notes("DeletionSkipped").join(" ");
        assert!(
            notes.contains("B_KEY") && notes.contains("C_KEY"),
            "{notes}"
        );
    });
}
