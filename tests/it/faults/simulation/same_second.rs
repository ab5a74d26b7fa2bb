//! Two objects that want one name and were created in one second: namespace and name decide, whatever their uids are, so
//! that a rebuilt cluster has the same owners.

use std::{collections::BTreeMap, sync::Arc};

use rstest::rstest;
use serde_json::{Value, json};

use super::{
    store::{Id, Part, Resource, Store},
    world::{World, simulate, value},
};
use crate::harness::Target;

/// The owner, and the one that has to wait: by namespace, and within a namespace by name.
const PAIRS: [[(&str, &str); 2]; 3] = [
    [("team", "a"), ("team", "b")],
    [("team", "z"), ("web", "a")],
    [("app", "z"), ("team", "a")],
];

fn id((namespace, name): (&str, &str)) -> Id {
    (
        Resource::ProviderSecrets,
        namespace.to_owned(),
        name.to_owned(),
    )
}

/// The Secrets of both namespaces, with one API key, and a value for each object.
fn furnish(world: &World, key: &str) {
    for namespace in ["app", "team", "web"] {
        let id = (Resource::Namespaces, String::new(), namespace.to_owned());
        if world.store.get(&id).is_err() {
            world.store.create_namespace(namespace);
        }
        let credential = BTreeMap::from([("api-key", key.to_owned())]);
        world
            .store
            .apply_secret(namespace, "credential", &credential);
        let values = ["owner", "other"].map(|key| (key, value(key)));
        let values = BTreeMap::from(values);
        world.store.apply_secret(namespace, "source", &values);
    }
}

/// Makes both objects in one second, the owner first or last: the one made first has the smaller uid.
fn create(world: &World, pair: [(&str, &str); 2], is_owner_first: bool, policy: &str) {
    let mut objects = pair.into_iter().zip(["owner", "other"]).collect::<Vec<_>>();
    if !is_owner_first {
        objects.reverse();
    }
    for (name, key) in objects {
        let entry = json!({"name": "A_KEY", "secretKeyRef": {"name": "source", "key": key}});
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {},
            "spec": {
                "provider": world.target.provider_spec("account"),
                "deletionPolicy": policy,
                "data": [entry],
            },
        });
        world.store.create(&id(name), object).expect("an object");
    }
    let created = pair.map(|name| metadata(world, name)["creationTimestamp"].clone());
    assert_eq!(created[0], created[1]);
    let uids = pair.map(|name| metadata(world, name)["uid"].to_string());
    assert_eq!(uids[0] < uids[1], is_owner_first);
}

fn metadata(world: &World, name: (&str, &str)) -> Value {
    world.store.get(&id(name)).expect("an object")["metadata"].clone()
}

/// The reasons of their condition Ready.
fn reasons(world: &World, pair: [(&str, &str); 2]) -> [String; 2] {
    pair.map(|name| {
        let object = world.store.get(&id(name)).expect("an object");
        let conditions = object["status"]["conditions"].as_array().cloned();
        let mut conditions = conditions.unwrap_or_default().into_iter();
        let ready = conditions.find(|one| one["type"] == "Ready");
        ready.map_or_else(String::new, |ready| {
            ready["reason"].as_str().unwrap_or_default().to_owned()
        })
    })
}

/// Writes of the value of the one that has to wait.
fn writes_of_other(world: &World) -> usize {
    let writes = world.account.writes().into_iter();
    let bodies = writes.filter_map(|write| write.body.as_deref().map(Value::to_string));
    bodies.filter(|body| body.contains(&value("other"))).count()
}

/// `most` is how often the value of the one that has to wait may have been written until now.
fn assert_owned(world: &World, pair: [(&str, &str); 2], step: &str, most: usize) {
    assert_eq!(
        reasons(world, pair),
        ["Synced", "Conflict"],
        "{:?} {pair:?} {step}",
        world.target
    );
    assert_eq!(
        world.held().get("A_KEY"),
        Some(&value("owner")),
        "{:?} {step}",
        world.target
    );
    let writes = writes_of_other(world);
    assert!(writes <= most, "{:?} {step}: {writes}", world.target);
}

/// Cases: M-01, M-02, R-20
#[rstest]
fn of_two_objects_of_one_second_the_same_owns_the_name_whatever_the_uids(
    #[values(0, 1, 2)] pair: usize,
    #[values(false, true)] is_owner_first: bool,
    #[values("Retain", "Delete")] policy: &str,
) {
    let pair = PAIRS[pair];
    // That two Secrets hold one key is known when both have been read.
    let unknowing = usize::from(pair[0].0 != pair[1].0);
    for target in Target::ALL {
        simulate(async {
            let mut world = World::new(target);
            let key = world.data("credential")["api-key"].clone();
            furnish(&world, &key);
            create(&world, pair, is_owner_first, policy);
            world.up();
            world.quiet().await;
            assert_owned(&world, pair, "at first", unknowing);
            let known = writes_of_other(&world);
            world.down().await;
            world.up();
            world.quiet().await;
            assert_owned(&world, pair, "after a restart", known);
            // A cluster that is rebuilt from files, the other object first.
            world.down().await;
            let backup = pair.map(|name| world.store.get(&id(name)).expect("an object"));
            for is_restored in [false, true] {
                let known = writes_of_other(&world);
                world.store = Arc::new(Store::new());
                furnish(&world, &key);
                create(&world, pair, !is_owner_first, policy);
                if is_restored {
                    restore_status(&world, pair, &backup);
                }
                world.up();
                world.quiet().await;
                assert_owned(&world, pair, "in a rebuilt cluster", known + unknowing);
                world.down().await;
            }
        });
    }
}

/// Puts back the status too, as some backups do.
fn restore_status(world: &World, pair: [(&str, &str); 2], backup: &[Value; 2]) {
    for (name, backup) in pair.into_iter().zip(backup) {
        let restored = world.store.update(&id(name), Part::Status, |object| {
            object["status"] = backup["status"].clone();
            Ok(())
        });
        restored.expect("the status is restored");
    }
}
