//! The key that comes in the end opens another account: nothing goes there until a user asks for it.

use rstest::rstest;
use simulator::{Account, Action, Fault};

use super::*;
use crate::{faults::simulation::world::simulate, harness::Target};

/// The scope of the other account that the spec means. A team belongs to one account of Baseten: the other has none of that
/// id.
fn scope(target: Target) -> Option<String> {
    target
        .scope("account")
        .filter(|_| target == Target::Pipecat)
}

fn held(other: &Account, target: Target) -> BTreeMap<String, String> {
    other.values(scope(target).as_deref())
}

/// Puts the key of another account there in the end. That account may hold a secret of the same name.
async fn exchange_account(world: &mut World, between: Between, is_name_taken: bool) -> Account {
    let (target, key) = (world.target, format!("{CANARY}-key-of-other"));
    let other = target.account(world.remote.simulator(), "other", &key);
    // The keys of a set have no mark but their names: one with the same key cannot be told from ours.
    let name = if target == Target::Pipecat {
        "C_KEY"
    } else {
        "A_KEY"
    };
    if is_name_taken {
        let written = other.foreign_write(scope(target).as_deref(), name, "foreign");
        written.expect("a foreign write");
    }
    between.pass(world, |_, _| ()).await;
    exchange(world, &key);
    other
}

/// Why an object whose key opens another account is stalled.
fn reason(target: Target) -> &'static str {
    if target == Target::BasetenTeam {
        "TargetNotFound"
    } else {
        "AccountChanged"
    }
}

/// Cases: C-22, C-28
#[rstest]
fn a_key_of_another_account_after_wrong_ones_moves_nothing_there(
    #[values(Wrong::Typo, Wrong::Typos, Wrong::Nothing)] wrong: Wrong,
    #[values(false, true)] restarts: bool,
    #[values(MILD, STRICT)] policies: Policies,
    #[values(false, true)] is_name_taken: bool,
) {
    let between = Between { wrong, restarts };
    at_each(async |world| {
        synced(world, policies).await;
        let (first, kept) = (world.data("credential")["api-key"].clone(), world.held());
        let other = exchange_account(world, between, is_name_taken).await;
        let there = held(&other, world.target);
        let stalled =
            |world: &World| world.ready_reason("object").as_deref() == Some(reason(world.target));
        world.wait("the other account", SOON, stalled).await;
        // Neither does a rotation, nor an entry less.
        world.source(&[("a", "a2"), ("b", "b2")]);
        world.quiet().await;
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        assert!(stalled(world), "{:?}", world.get("object"));
        assert_eq!(other.writes().len(), 0, "{:?}", world.target);
        assert_eq!(held(&other, world.target), there);
        assert_eq!(world.held(), kept);
        // The first key again: what was asked for meanwhile is done.
        exchange(world, &first);
        world
            .wait("the first account", SOON, |world| {
                world.held()["A_KEY"] == value("a2")
            })
            .await;
        world.quiet().await;
        assert!(is_synced(world), "{:?}", world.target);
        if policies == STRICT {
            assert!(is_gone_or_named(world, "B_KEY"), "{:?}", world.target);
        }
        assert_eq!(other.writes().len(), 0, "{:?}", world.target);
    });
}

/// Cases: C-22, C-28
#[rstest]
fn a_sync_request_after_wrong_keys_writes_to_the_new_account(
    #[values(Wrong::Typo, Wrong::Typos, Wrong::Nothing)] wrong: Wrong,
    #[values(false, true)] restarts: bool,
    #[values(MILD, STRICT)] policies: Policies,
) {
    let between = Between { wrong, restarts };
    at_each_other(policies, async |world| {
        let target = world.target;
        let kept = world.held();
        let other = exchange_account(world, between, false).await;
        world.quiet().await;
        assert_eq!(other.writes().len(), 0, "{target:?}");
        world.request_sync("please");
        world
            .wait("the new account", SOON, |_| {
                held(&other, target) == ours(&kept)
            })
            .await;
        world.quiet().await;
        assert!(is_synced(world), "{target:?}");
        // What is in the old one stays there.
        assert_eq!(world.held(), kept, "{target:?}");
    });
}

/// As of `rotated --wait`, which asks for a sync of what stays behind.
/// Cases: C-22
#[rstest]
fn a_request_of_before_it_was_said_moves_nothing(
    #[values(MILD, STRICT)] policies: Policies,
    #[values(false, true)] restarts: bool,
) {
    at_each_other(policies, async |world| {
        let target = world.target;
        let (kept, key) = (world.held(), format!("{CANARY}-key-of-other"));
        let other = target.account(world.remote.simulator(), "other", &key);
        world.request_sync("before");
        exchange(world, &key);
        world.quiet().await;
        if restarts {
            world.down().await;
            world.up();
            world.quiet().await;
        }
        assert_only_answered(world, &other, "before");
        world.request_sync("after");
        world.quiet().await;
        assert_eq!(held(&other, target), ours(&kept), "{target:?}");
        assert!(is_synced(world), "{target:?}");
    });
}

/// The request comes while the operator asks which account the new key opens.
/// Cases: C-22
#[rstest]
fn a_request_while_it_is_found_out_moves_nothing(#[values(MILD, STRICT)] policies: Policies) {
    at_each_other(policies, async |world| {
        let target = world.target;
        let key = format!("{CANARY}-key-of-other");
        let other = target.account(world.remote.simulator(), "other", &key);
        other.add_fault(Fault::new(Action::Handle).delay(SOON));
        exchange(world, &key);
        sleep(SOON / 2).await;
        world.request_sync("meanwhile");
        world.quiet().await;
        assert_only_answered(world, &other, "meanwhile");
    });
}

/// Plays where a key can open another account: it does not open the team of Baseten that a spec names.
fn at_each_other(policies: Policies, play: impl AsyncFn(&mut World) + Copy) {
    let targets = Target::ALL.into_iter();
    for target in targets.filter(|target| *target != Target::BasetenTeam) {
        simulate(async {
            let mut world = World::new(target);
            world.rotate("a1");
            world.up();
            synced(&mut world, policies).await;
            play(&mut world).await;
            world.down().await;
        });
    }
}

/// This request was answered with the other account, and nothing was written there.
fn assert_only_answered(world: &World, other: &Account, request: &str) {
    let (target, object) = (world.target, world.object().expect("the object"));
    assert_eq!(
        object["status"]["lastHandledSyncRequest"], request,
        "{target:?}"
    );
    let said = world.ready_reason("object");
    assert_eq!(said.as_deref(), Some(reason(target)), "{target:?}");
    assert_eq!(other.writes().len(), 0, "{target:?}");
}

/// What the operator wrote, without what is foreign.
fn ours(held: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut ours = held.clone();
    ours.retain(|_, value| value.starts_with(CANARY));
    ours
}
