//! A value that was rotated while nothing could be written, and then another key of the account: the value is written, and
//! not taken for what the provider holds.

use rstest::rstest;
use simulator::Fault;

use super::*;

/// Why nothing can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    KeyRevoked,
    ProviderDown,
    ProviderRefuses,
    Suspended,
}

impl Cause {
    fn begin(self, world: &World) {
        match self {
            Self::KeyRevoked => {
                let key = world.data("credential")["api-key"].clone();
                world.account.revoke_key(&key).expect("it is revoked");
            }
            Self::ProviderDown => world.account.add_fault(Fault::status(503).forever()),
            Self::ProviderRefuses => world.account.add_fault(Fault::status(403).forever()),
            Self::Suspended => world.spec(&json!({"suspend": true})),
        }
    }

    fn end(self, world: &World) {
        world.account.clear_faults();
        if self == Self::Suspended {
            world.spec(&json!({"suspend": false}));
        }
    }
}

/// Cases: C-21, L-18
#[rstest]
fn a_rotation_that_was_not_written_is_written_under_the_next_key(
    #[values(
        Cause::KeyRevoked,
        Cause::ProviderDown,
        Cause::ProviderRefuses,
        Cause::Suspended
    )]
    cause: Cause,
    // How often the value changes: what is tried for the first time is recorded, and the next finds an open circuit.
    #[values(1, 2)] rotations: usize,
    #[values(false, true)] restarts: bool,
    #[values(false, true)] ends_first: bool,
) {
    at_each(async |world| {
        synced(world, MILD).await;
        let last = last_key(world, false);
        cause.begin(world);
        sleep(WRONG).await;
        let text = format!("a{}", rotations + 1);
        for rotation in 1..=rotations {
            world.rotate(&format!("a{}", rotation + 1));
            sleep(WRONG).await;
        }
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        if restarts {
            world.down().await;
        }
        if ends_first {
            cause.end(world);
        }
        exchange(world, &last);
        world.up();
        sleep(WRONG).await;
        cause.end(world);
        let is_rotated = |world: &World| world.held()["A_KEY"] == value(&text) && is_synced(world);
        world.wait("the rotation", LONG, is_rotated).await;
    });
}
