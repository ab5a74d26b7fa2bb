//! Image pull secrets of Pipecat Cloud that are deleted and created anew because they refuse an update: the one that
//! works is deleted only for a credential that the provider has applied under the name of a trial.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use simulator::pipecat::{ImagePullUpdate, Variants};
use tokio::time::sleep;

use super::world::{World, simulate};
use crate::harness::Target;

const MINUTE: Duration = Duration::from_mins(1);
/// The simulator's name of the one value of an image pull secret.
const VALUE: &str = "secretValue";

/// Plays where the credential `one` is synced and the server refuses updates.
fn play(play: impl AsyncFn(&mut World) + Copy) {
    simulate(async {
        let mut world = World::new(Target::Pipecat);
        world.without_foreign_set();
        vary(&world, |variants| {
            variants.image_pull_update = ImagePullUpdate::Refused;
        });
        login(&world, "one");
        world.up();
        world.spec(&json!({"provider": {"pipecat": {
            "imagePullSecret": {
                "host": "ghcr.io",
                "secretKeyRef": {"name": "registry", "key": "auth"},
            },
            "replaceImagePullSecret": "Recreate",
        }}}));
        world.quiet().await;
        assert!(is_held(&world, "one"), "{:?}", world.held());
        play(&mut world).await;
        world.down().await;
    });
}

fn vary(world: &World, change: impl FnOnce(&mut Variants)) {
    let pipecat = world.remote.simulator().pipecat();
    pipecat.set_variants(&world.account, change);
}

/// Stores a credential for the registry.
fn login(world: &World, token: &str) {
    let credential = format!("user:{token}");
    world.secret("registry", &BTreeMap::from([("auth", credential)]));
}

fn is_held(world: &World, token: &str) -> bool {
    let credential = STANDARD.encode(format!("user:{token}"));
    world.held().get(VALUE) == Some(&credential)
}

/// How often the set of the object was deleted.
fn deletes(world: &World) -> usize {
    let requests = world.account.requests();
    let deletes = requests.iter().map(simulator::Exchange::line);
    deletes
        .filter(|line| line == "DELETE /v1/secrets/agents")
        .count()
}

/// How many sets there are beside that of the object.
fn trials(world: &World) -> usize {
    let sets = world.remote.simulator().pipecat().sets(&world.account);
    sets.keys().filter(|name| *name != "agents").count()
}

#[test]
fn a_credential_that_fails_after_it_was_accepted_never_costs_the_one_that_works() {
    play(async |world| {
        vary(world, |variants| variants.failing_puts = u32::MAX);
        login(world, "two");
        let is_told = |world: &World| world.ready_reason("object").as_deref() == Some("Rejected");
        world.wait("the failure", MINUTE, is_told).await;
        let said = world.message();
        assert!(said.contains("did not apply it for entry agents"), "{said}");
        assert!(is_held(world, "one"));
        assert_eq!((deletes(world), trials(world)), (0, 0));
        // It is tried again by itself.
        vary(world, |variants| variants.failing_puts = 0);
        let is_new = |world: &World| is_held(world, "two");
        world.wait("the credential", MINUTE * 10, is_new).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!((deletes(world), trials(world)), (1, 0));
    });
}

#[test]
fn a_credential_that_is_not_applied_in_time_never_costs_the_one_that_works() {
    play(async |world| {
        vary(world, |variants| variants.ready_after = MINUTE * 60);
        login(world, "two");
        let is_told =
            |world: &World| world.ready_reason("object").as_deref() == Some("ProviderUnavailable");
        let took = world.wait("the delay", MINUTE, is_told).await;
        assert!(took >= Duration::from_secs(10), "{took:?}");
        sleep(MINUTE * 5).await;
        assert!(is_held(world, "one"));
        assert_eq!(deletes(world), 0);
        vary(world, |variants| {
            variants.ready_after = Duration::from_secs(3);
        });
        let is_new = |world: &World| is_held(world, "two");
        world.wait("the credential", MINUTE * 10, is_new).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!((deletes(world), trials(world)), (1, 0));
    });
}

/// docs/vendors.md#pc-4
#[test]
fn a_set_that_is_made_anew_stays_in_its_region_whatever_the_default_is_by_then() {
    play(async |world| {
        let pipecat = world.remote.simulator().pipecat();
        pipecat.set_default_region(&world.account, "ap-south");
        login(world, "two");
        let is_new = |world: &World| is_held(world, "two");
        world.wait("the credential", MINUTE, is_new).await;
        let sets = pipecat.sets(&world.account);
        assert_eq!(sets["agents"].region, "us-west");
        // The first write, the refused update, the trial and the create.
        let requests = world.account.requests();
        let puts = requests.iter().filter(|one| one.method == "PUT");
        let bodies = puts.filter_map(|one| one.body.as_deref());
        let regions: Vec<Option<&str>> = bodies.map(|body| body["region"].as_str()).collect();
        assert_eq!(regions, [None, None, Some("us-west"), Some("us-west")]);
    });
}

#[test]
fn a_plan_says_that_an_update_may_be_a_deletion_and_a_first_write() {
    play(async |world| {
        world.spec(&json!({"approval": "Manual"}));
        world.quiet().await;
        login(world, "two");
        let waits = |world: &World| world.plan().is_some();
        world.wait("a plan", MINUTE, waits).await;
        let plan = world.plan().expect("a plan");
        let action = json!({"name": "agents", "action": "Update", "reason": "Recreate"});
        assert_eq!(plan["actions"], json!([action]));
        world.approve();
        world.quiet().await;
        assert!(is_held(world, "two"), "{:?}", world.held());
        assert_eq!((deletes(world), trials(world)), (1, 0));
    });
}
