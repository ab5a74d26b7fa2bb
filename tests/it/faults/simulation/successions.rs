//! Who has what an object wrote that goes or gives a name up: an object that is known to write there takes it over, and
//! an event says so. One that names the same place and no more takes nothing over unsaid.

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    races::at_each,
    store::{Id, Part, Resource},
    world::{World, data, simulate, value},
};
use crate::harness::{CANARY, Target};

/// The namespace of another tenant.
const OTHER: &str = "other-tenant";
/// Longer than a deletion takes.
const SOON: Duration = Duration::from_secs(5);
/// Longer than it takes until an object is ready.
const SETTLED: Duration = Duration::from_secs(20);

/// What the other tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rival {
    /// The same API key.
    SameKey,
    /// Another key of the same team, user or organization.
    FurtherKey,
    /// A key that no provider knows.
    UnknownKey,
    /// No key, and a status that says that the name was written.
    ForgedStatus,
}

fn rival_id() -> Id {
    (
        Resource::ProviderSecrets,
        OTHER.to_owned(),
        "rival".to_owned(),
    )
}

/// Makes an object of the other tenant that asks for the same name, of the same team where the spec names one.
fn claim(world: &World, rival: Rival) {
    world.store.create_namespace(OTHER);
    let source = BTreeMap::from([("b", value("b1"))]);
    world.store.apply_secret(OTHER, "source", &source);
    let key = match rival {
        Rival::SameKey => Some(world.data("credential")["api-key"].clone()),
        Rival::FurtherKey => {
            let key = format!("{CANARY}-further-key");
            world.account.add_key(&*key).expect("a further key");
            Some(key)
        }
        Rival::UnknownKey => Some(format!("{CANARY}-unknown-key")),
        Rival::ForgedStatus => None,
    };
    if let Some(key) = key {
        let credential = BTreeMap::from([("api-key", key)]);
        world.store.apply_secret(OTHER, "credential", &credential);
    }
    let object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {},
        "spec": {
            "provider": world.target.provider_spec("account"),
            "data": data(&[("A_KEY", "b")]),
        },
    });
    let made = world.store.create(&rival_id(), object);
    made.expect("an object is made");
}

/// Says in the status of the rival that it wrote the name in the scope of the first object.
fn forge(world: &World) {
    let status = world.object().expect("the object")["status"].clone();
    let forged = world.store.update(&rival_id(), Part::Status, |object| {
        for field in ["scope", "keyFingerprint"] {
            object["status"][field] = status[field].clone();
        }
        object["status"]["entries"] = json!([
            {"name": "A_KEY", "state": "Synced", "lastWriteTime": "2026-01-01T00:00:00Z"},
        ]);
        Ok(())
    });
    forged.expect("status is written");
}

/// Types and notes of the events that tell what stays.
fn told(world: &World) -> Vec<(String, String)> {
    let mut events = world.store.list(Resource::Events, None);
    events.retain(|event| event["reason"] == "DeletionSkipped");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = events.iter();
    told.map(|event| (text(&event["type"]), text(&event["note"])))
        .collect()
}

fn deletions(world: &World) -> usize {
    let writes = world.account.writes().into_iter();
    writes
        .filter(|write| write.line().starts_with("DELETE "))
        .count()
}

/// A world with an object under Delete that has written A_KEY.
async fn owning(target: Target) -> World {
    let mut world = World::new(target);
    world.source(&[("a", "a1")]);
    world.spec(&json!({"deletionPolicy": "Delete"}));
    world.entries(&[("A_KEY", "a")]);
    world.up();
    sleep(SETTLED).await;
    world
}

/// Cases: A-19, D-15, M-02
#[rstest]
fn what_another_namespace_claims_stays_and_is_told(
    #[values(Rival::SameKey, Rival::UnknownKey, Rival::ForgedStatus)] rival: Rival,
) {
    for target in Target::ALL {
        simulate(async {
            let mut world = owning(target).await;
            claim(&world, rival);
            sleep(SETTLED).await;
            // Only the spec of Baseten names the scope of an object whose key has opened none.
            let is_shared = rival != Rival::UnknownKey || target == Target::BasetenTeam;
            let reason = match rival {
                Rival::ForgedStatus => "CredentialNotFound",
                _ if is_shared => "Conflict",
                _ => "AuthenticationFailed",
            };
            let said = world.ready_reason("rival");
            assert_eq!(said.as_deref(), Some(reason), "{target:?}");
            if rival == Rival::ForgedStatus {
                forge(&world);
                sleep(SOON).await;
            }
            world.delete();
            let is_gone = |world: &World| world.object().is_none();
            world.wait("the object goes", SOON, is_gone).await;

            assert_eq!(deletions(&world) == 0, is_shared, "{target:?}");
            let told = told(&world);
            let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
            let expected: &[&str] = match rival {
                Rival::SameKey => &["Normal"],
                _ if is_shared => &["Warning"],
                _ => &[],
            };
            assert_eq!(kinds, expected, "{target:?}");
            for (_, note) in &told {
                assert!(note.contains("A_KEY") && !note.contains(OTHER), "{note}");
            }
            let left = match rival {
                Rival::SameKey => Some(value("b1")),
                _ => is_shared.then(|| value("a1")),
            };
            let is_left = |world: &World| world.held().get("A_KEY") == left.as_ref();
            world.wait("what stays", SETTLED, is_left).await;
            world.down().await;
        });
    }
}

/// Without a team Baseten does not say whose names they are, and Pipecat never does.
/// Cases: D-15, M-02, M-09
#[rstest]
fn an_object_with_another_key_of_the_team_takes_a_name_over(#[values(false, true)] restarts: bool) {
    for target in [
        Target::BasetenTeam,
        Target::PrimeIntellect,
        Target::Braintrust,
    ] {
        simulate(async {
            let mut world = owning(target).await;
            claim(&world, Rival::FurtherKey);
            sleep(SETTLED).await;
            if restarts {
                world.down().await;
                world.up();
                sleep(SETTLED).await;
            }
            let said = world.ready_reason("rival");
            assert_eq!(said.as_deref(), Some("Conflict"), "{target:?}");
            world.delete();
            let is_gone = |world: &World| world.object().is_none();
            world.wait("the object goes", SOON, is_gone).await;
            let is_left = |world: &World| world.held().get("A_KEY") == Some(&value("b1"));
            world.wait("the next value", SETTLED, is_left).await;
            let told = told(&world);
            let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, ["Normal"], "{target:?}");
            assert_eq!(deletions(&world), 0, "{target:?}");
            world.down().await;
        });
    }
}

/// Cases: D-15, M-03
#[rstest]
fn the_object_that_takes_a_name_over_is_named(#[values(false, true)] is_whole_object: bool) {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete"}));
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        world.apply("next", &json!({"data": data(&[("A_KEY", "b")])}));
        world.quiet().await;
        assert_eq!(world.ready_reason("next").as_deref(), Some("Conflict"));
        if is_whole_object {
            world.delete();
        } else {
            world.entries(&[("B_KEY", "b")]);
        }
        // The rest of a set stays the owner's, and no other object has a part of it.
        let goes_over = is_whole_object || world.target != Target::Pipecat;
        let next = goes_over.then(|| value("b1"));
        let is_next = |world: &World| world.held().get("A_KEY") == next.as_ref();
        world.wait("the next value", SETTLED, is_next).await;
        world.quiet().await;
        let told = told(world);
        if !goes_over {
            assert_eq!(told, []);
            return;
        }
        assert_eq!(told.len(), 1, "{:?} {told:?}", world.target);
        let (kind, note) = &told[0];
        assert_eq!(kind, "Normal");
        assert!(note.contains("A_KEY to ProviderSecret next"), "{note}");
        // The next object does not ask for the other one.
        let has_other = world.held().contains_key("B_KEY");
        assert_eq!(has_other, !is_whole_object, "{:?}", world.target);
        assert!(!note.contains("B_KEY"), "{note}");
    });
}

/// Under `conflictPolicy: Fail` the next object takes nothing that is there.
/// Cases: M-03, M-06
#[rstest]
fn what_the_next_object_leaves_alone_is_deleted_and_created(
    #[values(false, true)] is_whole_object: bool,
) {
    at_each(async |world| {
        // The rest of a set stays the owner's.
        if world.target == Target::Pipecat && !is_whole_object {
            return;
        }
        world.without_foreign_set();
        world.spec(&json!({"deletionPolicy": "Delete"}));
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        let next = json!({"conflictPolicy": "Fail", "data": data(&[("A_KEY", "b")])});
        world.apply("next", &next);
        world.quiet().await;
        assert_eq!(world.ready_reason("next").as_deref(), Some("Conflict"));
        if is_whole_object {
            world.delete();
        } else {
            world.entries(&[("B_KEY", "b")]);
        }
        let is_next = |world: &World| world.held().get("A_KEY") == Some(&value("b1"));
        world.wait("the next value", SETTLED, is_next).await;
        world.quiet().await;
        let said = world.ready_reason("next");
        assert_eq!(said.as_deref(), Some("Synced"), "{:?}", world.target);
        assert_ne!(deletions(world), 0, "{:?}", world.target);
        assert_eq!(told(world), [], "{:?}", world.target);
        world.with_foreign_secret();
    });
}
