//! An entry that another object wrote over, and whose rewrite the provider refuses: it is tried as seldom as any other
//! entry that is refused.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::at_each,
    world::{World, data, value},
};
use crate::harness::Target;

/// How many hours the provider refuses.
const HOURS: usize = 8;

/// How often the backoff allows that an entry is written in the hours after it was refused. At most two requests each: a
/// secret may be looked for under another id.
fn most(target: Target, status: u16, hours: usize) -> usize {
    let tries = match (status, target) {
        // 1 min doubling to 1 h, each with jitter.
        (401 | 403, _) => 10 + 2 * hours,
        // 1 s doubling to 5 min for an hour, then once an hour.
        (500, _) | (409, Target::Braintrust) => 120 + 2 * hours,
        // 1 min doubling to 6 h at most.
        _ => 8,
    };
    2 * tries
}

/// Cases: M-01, P-43
#[rstest]
fn an_overwritten_entry_that_is_refused_is_written_as_the_backoff_allows(
    #[values(400, 401, 403, 404, 409, 422, 500)] status: u16,
    // Others of the owner are synced and are rotated all the time.
    #[values(false, true)] is_busy: bool,
) {
    at_each(async |world| {
        // A set has one owner from the beginning, so none of its keys is another object's.
        if world.target == Target::Pipecat {
            return;
        }
        world.source(&[("a", "a1"), ("b", "b1"), ("c", "c1")]);
        world.entries(&[("C_KEY", "c")]);
        sleep(Duration::from_secs(2)).await;
        world.apply("younger", &json!({"data": data(&[("A_KEY", "b")])}));
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("b1"));
        // The older object asks for the name too, and its write is refused.
        for method in ["POST", "PUT", "PATCH"] {
            let fault = Fault::status(status).method(method);
            world.account.add_fault(fault.forever());
        }
        let writes = |world: &World, name: &str| {
            let counts = world.remote.counts();
            let counted = [name.to_owned(), format!("{name}, refused")];
            let counts = counted.iter().filter_map(|name| counts.get(name));
            counts.sum::<usize>()
        };
        let before = writes(world, "A_KEY");
        world.entries(&[("A_KEY", "a"), ("C_KEY", "c")]);
        let mut changes = 1;
        for hour in 1..=HOURS {
            if is_busy {
                world.source(&[("a", "a1"), ("b", "b1"), ("c", &format!("c{hour}"))]);
                changes += 1;
            }
            sleep(Duration::from_hours(1)).await;
            let tries = writes(world, "A_KEY") - before;
            let most = most(world.target, status, hour) + 2 * changes;
            assert!(
                (1..=most).contains(&tries),
                "{:?} {status}: {tries} writes in {hour} h and not {most}",
                world.target
            );
        }
        assert_eq!(world.held()["A_KEY"], value("b1"));
        // News overrides the backoff, and the provider takes it.
        world.account.clear_faults();
        sleep(Duration::from_hours(2)).await;
        world.source(&[("a", "a2"), ("b", "b1"), ("c", "c2")]);
        let is_right = |world: &World| world.held()["A_KEY"] == value("a2");
        world
            .wait("the rotation", Duration::from_secs(5), is_right)
            .await;
    });
}
