//! A status that an older operator wrote, with the members of `record` beside the others and without a seal of its
//! sources: it is believed, and written in the present form.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::{
    races::at_each,
    world::{World, data, value},
};

/// As operators of the simulation have it, and the jitter.
const VERIFY_INTERVAL: Duration = Duration::from_mins(11);

/// Puts status into the form of an older operator.
fn make_old(world: &World) {
    world.change_status(|status| {
        let status = status.as_object_mut().expect("a status");
        status.remove("sourcesSeal").expect("a seal");
        for entry in status["entries"].as_array_mut().expect("entries") {
            let record = entry["record"].take();
            let entry = entry.as_object_mut().expect("an entry");
            entry.remove("record");
            entry.extend(record.as_object().expect("a record").clone());
        }
    });
}

fn is_new(world: &World) -> bool {
    let status = world.object().map(|mut object| object["status"].take());
    let status = status.unwrap_or_default();
    let entries: Vec<&Value> = status["entries"].as_array().into_iter().flatten().collect();
    let is_new = |entry: &&Value| entry["record"]["seal"].is_string() && entry["seal"].is_null();
    status["sourcesSeal"].is_string() && entries.len() == 2 && entries.iter().all(is_new)
}

/// Cases: L-13
#[rstest]
fn a_status_of_the_old_form_is_written_anew_without_a_provider_write(
    #[values("Retain", "Delete")] deletion: &str,
    #[values("Overwrite", "Fail")] conflict: &str,
) {
    at_each(async |world| {
        world.without_foreign_set();
        world.rotate("a1");
        let entries = data(&[("A_KEY", "a"), ("B_KEY", "b")]);
        let spec = json!({"deletionPolicy": deletion, "conflictPolicy": conflict, "data": entries});
        world.spec(&spec);
        world.quiet().await;
        world.with_foreign_secret();
        assert!(is_new(world), "{:#}", world.object().unwrap_or_default());
        world.down().await;
        let before = world.provider_writes();
        make_old(world);
        assert!(!is_new(world));
        world.up();
        world.wait("the new form", VERIFY_INTERVAL, is_new).await;
        world.quiet().await;
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        // What the record says is believed: what goes away is deleted where the policy says so.
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let is_there = world.held().contains_key("B_KEY");
        assert_eq!(is_there, deletion == "Retain", "{:?}", world.target);
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
    });
}
