//! Events that change nothing of what the operator reads: they cost no call, for the object and for those that share a
//! name, a Secret or an account with it.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    races::at_each,
    store::{Id, Part, Resource},
    world::{World, data},
};
use crate::harness::Target;

/// Longer than any reconcile takes.
const RECONCILE: Duration = Duration::from_secs(5);
/// Events of each kind.
const EVENTS: usize = 20;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Annotation,
    Label,
    ManagedFields,
    OwnerReferences,
    /// A status that says the same, as another client writes it back.
    SameStatus,
    /// A spec that is written back as it is.
    SameSpec,
    /// A Secret that no object reads.
    UnreadSecret,
}

fn objects() -> [Id; 3] {
    ["object", "rival", "bad"].map(|name| {
        (
            Resource::ProviderSecrets,
            "team".to_owned(),
            name.to_owned(),
        )
    })
}

/// Makes the event of an edit, for each object.
fn edit(world: &World, edit: Edit, number: usize) {
    let text = format!("{number}");
    let change = |part: Part, pointer: &'static str, value: Value| {
        for id in objects() {
            let changed = world.store.update(&id, part, |object| {
                json_patch::merge(object, &nested(pointer, value.clone()));
                Ok(())
            });
            changed.expect("the object is written");
        }
    };
    match edit {
        Edit::Annotation => change(Part::Main, "metadata/annotations/note", json!(text)),
        Edit::Label => change(Part::Main, "metadata/labels/note", json!(text)),
        Edit::ManagedFields => {
            let manager = json!([{"manager": "kubectl", "operation": "Update", "time": text}]);
            change(Part::Main, "metadata/managedFields", manager);
        }
        Edit::OwnerReferences => {
            let owner =
                json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": text, "uid": text}]);
            change(Part::Main, "metadata/ownerReferences", owner);
        }
        Edit::SameStatus | Edit::SameSpec => {
            let part = if matches!(edit, Edit::SameStatus) {
                Part::Status
            } else {
                Part::Main
            };
            // An API server tells of no write that changes nothing; a label does change.
            change(Part::Main, "metadata/labels/note", json!(text));
            change(part, "status/nothing", Value::Null);
        }
        Edit::UnreadSecret => world.secret("unread", &[("a", text)].into()),
    }
}

/// A merge patch of one field.
fn nested(path: &str, value: Value) -> Value {
    let parts = path.rsplit('/');
    parts.fold(value, |value, part| json!({part: value}))
}

/// Cases: A-27, C-16
#[rstest]
fn an_event_that_changes_nothing_costs_no_call(
    #[values(
        Edit::Annotation,
        Edit::Label,
        Edit::ManagedFields,
        Edit::OwnerReferences,
        Edit::SameStatus,
        Edit::SameSpec,
        Edit::UnreadSecret
    )]
    made: Edit,
    #[values("Retain", "Delete")] policy: &str,
) {
    at_each(async |world| {
        // One that is synced, one that wants its name, one that waits for a Secret.
        world.spec(&json!({"deletionPolicy": policy}));
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        sleep(Duration::from_secs(2)).await;
        world.apply("rival", &json!({"data": data(&[("A_KEY", "b")])}));
        let mut missing = data(&[("C_KEY", "a")]);
        missing[0]["secretKeyRef"]["name"] = "missing".into();
        let mut bad = json!({"data": missing});
        if world.target == Target::Pipecat {
            bad["provider"]["pipecat"]["setName"] = "bad".into();
        }
        world.apply("bad", &bad);
        world.quiet().await;
        for (name, reason) in [
            ("object", "Synced"),
            ("rival", "Conflict"),
            ("bad", "SecretNotFound"),
        ] {
            assert_eq!(
                world.ready_reason(name).as_deref(),
                Some(reason),
                "{:?}",
                world.target
            );
        }
        let calls = |world: &World| {
            let (lines, requests) = (world.call_log.lines(), world.account.requests());
            let lists = world.store.faults.asked("LIST").len();
            (lines, requests.len(), lists)
        };
        let before = calls(world);
        for number in 0..EVENTS {
            edit(world, made, number);
            sleep(RECONCILE).await;
        }
        assert_eq!(calls(world), before, "{:?} {made:?}", world.target);
    });
}
