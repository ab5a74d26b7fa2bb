//! A stale cache: for minutes after its start the operator sees the state of some former time.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    store::Resource,
    workload::Policy,
    world::{REST, World, simulate, value},
};
use crate::harness::Target;

/// A history in which what is there now was deleted before: as an entry, and with its object.
async fn history(target: Target) -> World {
    let mut world = World::new(target);
    world.source(&[("a", "a1"), ("b", "b1")]);
    world.up();
    world.spec(&json!({"deletionPolicy": "Delete"}));
    let (a, b) = (("A_KEY", "a"), ("B_KEY", "b"));
    for entries in [&[a, b][..], &[b], &[a, b]] {
        world.entries(entries);
        world.quiet().await;
    }
    world.source(&[("a", "a2"), ("b", "b2")]);
    world.quiet().await;
    world.delete();
    world.quiet().await;
    assert_eq!(world.object(), None);
    world.spec(&json!({"deletionPolicy": "Delete"}));
    world.entries(&[a, b]);
    world.quiet().await;
    assert_eq!(world.held()["A_KEY"], value("a2"));
    world.down().await;
    world
}

/// Cases: A-15
#[rstest]
fn a_stale_cache_deletes_nothing(
    #[values(
        &[Resource::ProviderSecrets, Resource::Secrets],
        &[Resource::Secrets]
    )]
    stale: &[Resource],
) {
    // Two that have ids, and one that has none.
    for target in [
        Target::BasetenWorkspace,
        Target::PrimeIntellect,
        Target::Pipecat,
    ] {
        let versions = |world: World| {
            let versions = stale.iter().flat_map(|of| world.store.versions(*of));
            versions.collect::<Vec<_>>()
        };
        let versions = versions(simulate(history(target)));
        assert!(!versions.is_empty());
        for version in versions {
            simulate(async {
                let mut world = history(target).await;
                let (held, requests) = (world.held(), world.account.requests().len());
                for resource in stale {
                    world.store.serve_stale(*resource, version);
                }
                world.up();
                sleep(Duration::from_mins(12)).await;
                let lines = world.call_log.lines();
                let requests = world.account.requests().split_off(requests);
                let deletions = requests
                    .iter()
                    .filter(|request| request.line().starts_with("DELETE"));
                assert_eq!(deletions.count(), 0, "{target:?} {version} {lines:#?}");
                assert_eq!(world.held(), held, "{target:?} {version} {lines:#?}");
                world.store.serve_current();
                let faults = world.rest(Policy::Delete, REST).await;
                assert!(faults.is_empty(), "{target:?} {version} {faults:#?}");
                assert_eq!(world.held(), held, "{target:?} {version}");
                world.down().await;
            });
        }
    }
}
