//! Edits of the spec, and requests for a sync, beside what sources take away.

use rstest::rstest;
use serde_json::json;
use simulator::{Action, Fault};
use tokio::time::sleep;

use super::{GRACE, SOON, at_each, bulk, end, held, set_keys, synced, value};
use crate::faults::simulation::world::{SOURCE, World};

/// What a user does while the operator is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Sync,
    Edit,
}

/// The request is there, or the spec is edited, before status says that something is held: it is no answer to that.
/// Cases: D-13, R-09
#[rstest]
fn what_a_user_does_before_it_was_said_confirms_nothing(
    #[values(Meanwhile::Sync, Meanwhile::Edit)] meanwhile: Meanwhile,
) {
    at_each(async |world| {
        synced(world, 50).await;
        world.secret("other", &[("a", value("a1"))].into());
        let other = json!({"name": "A_KEY", "secretKeyRef": {"name": "other", "key": "a"}});
        world.spec(&bulk(&json!({"data": [other]})));
        world.quiet().await;
        // The reconcile that finds the keys gone also writes a value, which takes its time.
        let slow = Fault::new(Action::Handle).delay(4 * SOON / 5);
        world.account.add_fault(slow);
        set_keys(world, 24);
        world.secret("other", &[("a", value("a2"))].into());
        sleep(SOON / 2).await;
        match meanwhile {
            Meanwhile::Sync => world.request_sync("meanwhile"),
            Meanwhile::Edit => world.spec(&json!({"rewriteInterval": "1000h"})),
        }
        world.quiet().await;
        sleep(2 * GRACE).await;
        assert_eq!(held(world), 50, "{:?}", world.target);
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        world.request_sync("yes");
        world.quiet().await;
        assert_eq!(held(world), 24, "{:?}", world.target);
        end(world).await;
    });
}

/// Cases: D-13, R-09
#[rstest]
fn an_edit_of_something_else_does_not_end_the_grace(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        synced(world, 10).await;
        set_keys(world, 8);
        sleep(GRACE / 4).await;
        if restarts {
            world.down().await;
            world.up();
        }
        world.spec(&json!({"rewriteInterval": "1000h"}));
        sleep(GRACE / 2).await;
        assert_eq!(held(world), 10, "{:?}", world.target);
        let is_gone = |world: &World| held(world) == 8;
        world.wait("the deletion", 2 * GRACE, is_gone).await;
        end(world).await;
    });
}

/// It is the spec that takes away what only a source gave that it names no more.
/// Cases: D-13, R-09
#[rstest]
fn what_goes_with_a_source_of_the_spec_goes_at_once(
    #[values(3, 40)] gone: usize,
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        set_keys(world, 4);
        let more = (0..gone).map(|number| (format!("m{number}"), value("more")));
        let more: Vec<(String, String)> = more.collect();
        let more = more
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()));
        world.secret("more", &more.collect());
        let source =
            |name: &str| json!({"secretRef": {"name": name}, "nameTransform": "UpperSnake"});
        world.spec(&bulk(
            &json!({"dataFrom": [source(SOURCE), source("more")]}),
        ));
        world.quiet().await;
        let left = |world: &World| {
            let names = world.held().into_keys();
            names.filter(|name| name.starts_with('M')).count()
        };
        assert_eq!(left(world), gone, "{:?}", world.target);
        if restarts {
            world.down().await;
            world.up();
        }
        world.spec(&json!({"dataFrom": [source(SOURCE)]}));
        let is_gone = |world: &World| left(world) == 0;
        world.wait("the deletion", SOON, is_gone).await;
        assert_eq!(held(world), 4, "{:?}", world.target);
        end(world).await;
    });
}

/// As an empty loop of a Helm chart leaves it. The schema refuses it; an object may be older than the rule.
/// Cases: R-08
#[rstest]
fn a_spec_without_an_entry_is_never_ready_and_deletes_nothing(
    #[values("Retain", "Delete")] policy: &str,
) {
    at_each(async |world| {
        synced(world, 7).await;
        world.spec(&json!({"deletionPolicy": policy, "data": [], "dataFrom": []}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("InvalidSpec"));
        assert_eq!(held(world), 7, "{:?}", world.target);
        end(world).await;
    });
}
