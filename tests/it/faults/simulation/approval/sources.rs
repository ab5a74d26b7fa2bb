//! What an approval is for where whole Secrets are sent: each name with the key that gives it; and what stays approved
//! while a Secret is gone.

use std::time::Duration;

use serde_json::json;
use simulator::Fault;

use super::{approve, assert_synced, assert_waits, reason};
use crate::faults::simulation::{
    races::at_each,
    store::Resource,
    world::{SOURCE, World, data, value},
};

/// A second Secret that is sent as a whole.
const OTHER: &str = "other";

fn other(world: &World, data: &[(&str, &str)]) {
    let values = data.iter().map(|(key, text)| (*key, value(text)));
    world.secret(OTHER, &values.collect());
}

fn delete_other(world: &World) {
    let id = (Resource::Secrets, "team".to_owned(), OTHER.to_owned());
    world.store.delete(&id).expect("it is deleted");
}

/// An object that sends both Secrets, once a user has approved that.
async fn approved(world: &mut World) {
    let sources = [SOURCE, OTHER]
        .map(|name| json!({"secretRef": {"name": name}, "nameTransform": "UpperSnake"}));
    world.spec(&json!({"approval": "Manual", "dataFrom": sources, "data": null}));
    world.quiet().await;
    approve(world).await;
    assert_synced(world);
}

/// The object names its entries again, as each test ends.
async fn end(world: &mut World) {
    world.source(&[("a", "a1"), ("b", "b1")]);
    let entries = data(&[("A_KEY", "a")]);
    world.spec(&json!({"approval": "Automatic", "dataFrom": null, "data": entries}));
    world.quiet().await;
}

#[test]
fn a_name_that_another_key_gives_waits() {
    at_each(async |world| {
        world.source(&[("token", "t1"), ("y", "y1")]);
        other(world, &[("x", "x1")]);
        approved(world).await;

        other(world, &[("x", "x1"), ("token", "t2")]);
        world.quiet().await;
        assert_eq!(reason(world).as_deref(), Some("Conflict"));
        world.source(&[("y", "y1")]);
        world.quiet().await;
        assert_waits(world, &["Update TOKEN"]);
        assert_eq!(world.held()["TOKEN"], value("t1"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        assert_eq!(world.held()["TOKEN"], value("t2"), "{:?}", world.target);

        // Another key of the same Secret.
        world.source(&[("Y", "y2")]);
        world.quiet().await;
        assert_waits(world, &["Update Y"]);
        assert_eq!(world.held()["Y"], value("y1"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        end(world).await;
    });
}

#[test]
fn a_secret_that_is_gone_holds_up_no_rotation_of_another() {
    at_each(async |world| {
        world.source(&[("a-key", "a1")]);
        other(world, &[("c-key", "c1")]);
        approved(world).await;

        delete_other(world);
        world.quiet().await;
        world.source(&[("a-key", "a2")]);
        world.quiet().await;
        assert_eq!(reason(world).as_deref(), Some("SecretNotFound"));
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
        // It is back, with the key that was approved.
        other(world, &[("c-key", "c2")]);
        world.quiet().await;
        assert_synced(world);
        assert_eq!(world.held()["C_KEY"], value("c2"), "{:?}", world.target);

        delete_other(world);
        world.quiet().await;
        other(world, &[("c.key", "c3")]);
        world.quiet().await;
        assert_waits(world, &["Update C_KEY"]);
        assert_eq!(world.held()["C_KEY"], value("c2"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        end(world).await;
    });
}

/// The provider fails at the first write, and by the next one a Secret is gone.
#[test]
fn a_secret_that_goes_before_its_first_write_holds_up_no_other_entry() {
    at_each(async |world| {
        other(world, &[("c", "c1")]);
        let mut entries = data(&[("A_KEY", "a")]);
        entries.push(json!({"name": "C_KEY", "secretKeyRef": {"name": OTHER, "key": "c"}}));
        world.spec(&json!({"approval": "Manual", "data": entries}));
        world.quiet().await;
        assert_waits(world, &["Create A_KEY", "Create C_KEY"]);
        for method in ["POST", "PUT", "PATCH"] {
            let fault = Fault::status(503).method(method);
            world.account.add_fault(fault.forever());
        }
        approve(world).await;
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        delete_other(world);
        world.account.clear_faults();
        let is_written = |world: &World| world.held().contains_key("A_KEY");
        let long = Duration::from_hours(2);
        world.wait("the other entry", long, is_written).await;
        // What was approved is written when its Secret is back.
        other(world, &[("c", "c2")]);
        world.quiet().await;
        assert_synced(world);
        assert_eq!(world.held()["C_KEY"], value("c2"), "{:?}", world.target);
        end(world).await;
    });
}
