//! The same at the API server.

use std::time::Duration;

use rstest::rstest;
use tokio::time::sleep;

use super::{FAILING_FOR, changed, cost};
use crate::{
    faults::simulation::{
        request::Asked,
        server::faults::Does,
        store::Resource,
        world::{simulate, value},
    },
    harness::Target,
};

/// Longer than the longest wait for the API server.
const AFTER: Duration = Duration::from_mins(30);
/// More than so many calls are no waits that double to five minutes, to the API server and to the provider: 192 tries of
/// an average run, and the watches, which are opened each five minutes or each ten seconds.
const MOST: (usize, u64) = (4_000, 1_000);

type Of = fn(&Asked) -> bool;

/// The kinds of requests of an operator.
const KINDS: [(&str, Of); 9] = [
    ("objects", |asked| {
        asked.is_collection() && asked.resource == Resource::ProviderSecrets
    }),
    ("Secrets", |asked| {
        asked.is_collection() && asked.resource == Resource::Secrets
    }),
    ("namespaces", |asked| {
        asked.is_collection() && asked.resource == Resource::Namespaces
    }),
    ("an object", |asked| {
        is_one(asked, "GET", Resource::ProviderSecrets)
    }),
    ("a Secret", |asked| is_one(asked, "GET", Resource::Secrets)),
    ("a namespace", |asked| {
        is_one(asked, "GET", Resource::Namespaces)
    }),
    ("a status", |asked| {
        is_one(asked, "PATCH", Resource::ProviderSecrets) && asked.is_status
    }),
    ("metadata", |asked| {
        is_one(asked, "PATCH", Resource::ProviderSecrets) && !asked.is_status
    }),
    ("events", |asked| asked.resource == Resource::Events),
];

fn is_one(asked: &Asked, method: &str, resource: Resource) -> bool {
    asked.name.is_some() && asked.method == method && asked.resource == resource
}

/// Cases, H-14
#[rstest]
fn what_fails_alone_at_the_api_server_is_tried_ever_more_seldom(
    #[values(
        Does::refuse(401),
        Does::refuse(403),
        Does::refuse(404),
        Does::refuse(409),
        Does::refuse(410),
        Does::refuse(422),
        Does::refuse(500),
        Does::Answer { code: 500, is_done: true },
        Does::Busy(1),
        Does::Stray(404),
        Does::Stray(502),
        Does::Hang
    )]
    does: Does,
) {
    let mut dear = Vec::new();
    for target in [Target::BasetenTeam, Target::Pipecat] {
        for (kind, of) in KINDS {
            let (asked, cost) = simulate(async {
                let mut world = changed(target, None).await;
                let faults = &world.store.faults;
                faults.always(of, does);
                let asked = faults.asked("").len();
                let cost = cost(&world, FAILING_FOR).await;
                let asked = faults.asked("").len() - asked;
                faults.clear();
                sleep(AFTER).await;
                let held = world.held();
                let said = || format!("{target:?}: {does:?} to {kind}: {:?}", world.message());
                assert_eq!(held["A_KEY"], value("a2"), "{}", said());
                assert_eq!(held["D_KEY"], value("b1"), "{}", said());
                assert!(!held.contains_key("C_KEY"), "{}", said());
                let reason = world.ready_reason("object");
                assert_eq!(reason.as_deref(), Some("Synced"), "{}", said());
                world.down().await;
                (asked, cost)
            });
            if asked > MOST.0 || cost.0 > MOST.1 {
                dear.push(format!("{target:?} {kind}: {asked}, {cost:?}"));
            }
        }
    }
    assert!(
        dear.is_empty(),
        "{does:?}, calls to both, writes of status: {dear:#?}"
    );
}
