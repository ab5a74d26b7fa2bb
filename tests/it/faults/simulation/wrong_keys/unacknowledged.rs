//! A first write that nobody acknowledged, and then the key of another account: what was found, or may have come in, in the
//! first one gives no right in the other.

use rstest::rstest;
use simulator::Fault;

use super::*;
use crate::{faults::simulation::world::simulate, harness::Target};

/// Cases: C-22, D-05
#[rstest]
fn a_first_write_without_an_answer_gives_no_right_in_another_account(
    #[values("Retain", "Delete")] deletion: &str,
    #[values(403, 500)] status: u16,
    #[values(false, true)] restarts: bool,
) {
    let targets = Target::ALL.into_iter();
    for target in targets.filter(|target| *target != Target::BasetenTeam) {
        simulate(async {
            let mut world = World::new(target);
            world.rotate("a1");
            world.without_foreign_set();
            for method in ["POST", "PUT", "PATCH"] {
                let fault = Fault::status(status).method(method).forever();
                world.account.add_fault(fault);
            }
            world.spec(&json!({"deletionPolicy": deletion, "conflictPolicy": "Fail"}));
            world.entries(&[("A_KEY", "a")]);
            world.up();
            sleep(WRONG).await;
            assert!(!is_synced(&world), "{target:?}");
            let key = format!("{CANARY}-key-of-other");
            let other = target.account(world.remote.simulator(), "other", &key);
            let scope = target.scope("account");
            let scope = scope.filter(|_| target == Target::Pipecat);
            let written = other.foreign_write(scope.as_deref(), "A_KEY", "foreign");
            written.expect("a foreign write");
            let there = other.values(scope.as_deref());
            if restarts {
                world.down().await;
            }
            exchange(&world, &key);
            world.up();
            sleep(LONG).await;
            let said = world.ready_reason("object");
            assert_eq!(said.as_deref(), Some("Conflict"), "{target:?}");
            // A write that was refused with 403 did not come in.
            let is_told = world.notes("DeletionSkipped").join(" ").contains("A_KEY");
            assert_eq!(is_told, deletion == "Delete" && status == 500, "{target:?}");
            world.delete();
            sleep(WRONG).await;
            assert_eq!(other.values(scope.as_deref()), there, "{target:?}");
            assert_eq!(world.object(), None, "{target:?}");
            world.down().await;
        });
    }
}
