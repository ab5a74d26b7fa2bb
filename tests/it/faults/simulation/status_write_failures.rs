//! An API server that answers reads and takes no writes: etcd is full, or a webhook refuses them.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::at_each,
    server::faults::{self, Does},
    world::value,
};
use crate::harness::Target;

/// What the user changes while status cannot be written.
#[derive(Clone, Copy, Debug)]
enum Change {
    Creation,
    Rotation,
    DeleteRequest,
    Deletion,
}

/// Cases
#[rstest]
fn while_status_cannot_be_written_the_provider_is_written_to_at_most_once(
    #[values(
        Change::Creation,
        Change::Rotation,
        Change::DeleteRequest,
        Change::Deletion
    )]
    change: Change,
    #[values("Retain", "Delete")] policy: &str,
    // Full, and refused by a webhook.
    #[values(500, 403)] code: u16,
) {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": policy}));
        if !matches!(change, Change::Creation) {
            world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
            world.quiet().await;
        }
        let (before, kept) = (world.remote.counts(), world.held());
        world
            .store
            .faults
            .always(faults::writes, Does::refuse(code));
        match change {
            Change::Creation => world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]),
            Change::Rotation => world.source(&[("a", "a2"), ("b", "b2")]),
            Change::DeleteRequest => world.entries(&[("B_KEY", "b")]),
            Change::Deletion => world.delete(),
        }
        let faults = &world.store.faults;
        let (calls, tries) = (world.account.requests().len(), faults.asked("PATCH").len());
        sleep(Duration::from_hours(1)).await;
        for (name, count) in world.remote.counts() {
            let known = before.get(&name).copied().unwrap_or_default();
            let more = match (world.target, change) {
                // What is gone is asked for again with every try, as its end cannot be recorded.
                _ if name.ends_with("refused") => 60,
                // Each key of the set, and the set.
                (Target::Pipecat, Change::Deletion) => 3,
                (_, Change::Deletion) => 1,
                // It is recorded with its outcome only: once.
                (_, Change::Creation) if policy == "Retain" => 1,
                // What cannot be recorded before is not sent: the finalizer, or that an entry is written or leaves.
                (_, Change::Creation | Change::Rotation | Change::DeleteRequest) => 0,
            };
            assert!(count <= known + more, "{name} {count} {:?}", world.target);
        }
        if matches!(change, Change::Rotation) {
            assert_eq!(world.held(), kept);
        }
        let calls = world.account.requests().len() - calls;
        assert!(calls <= 120, "{calls} calls in an hour");
        let tries = faults.asked("PATCH").len() - tries;
        assert!(tries <= 120, "{tries} tries in an hour");
        world.store.faults.clear();
        world.quiet().await;
        let (a, b) = match change {
            Change::Creation => (Some("a1"), Some("b1")),
            Change::Rotation => (Some("a2"), Some("b2")),
            Change::DeleteRequest => (None, Some("b1")),
            Change::Deletion => (None, None),
        };
        let held = world.held();
        for (name, text) in [("A_KEY", a), ("B_KEY", b)] {
            if text.is_some() || policy == "Delete" {
                assert_eq!(
                    held.get(name),
                    text.map(value).as_ref(),
                    "{:?}",
                    world.target
                );
            }
        }
    });
}
