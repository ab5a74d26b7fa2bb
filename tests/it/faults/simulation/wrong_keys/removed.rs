//! What is taken away under Delete while there is no right key: it is deleted, or an event names it.

use rstest::rstest;

use super::*;

/// Cases: C-28, D-05
#[rstest]
fn an_entry_removed_without_a_right_key_is_deleted_or_named(
    #[values(Wrong::Typo, Wrong::Typos, Wrong::Nothing)] wrong: Wrong,
    #[values(false, true)] restarts: bool,
    #[values(
        Moment::JustBefore,
        Moment::AtFirst,
        Moment::Meanwhile,
        Moment::InTheEnd
    )]
    moment: Moment,
    #[values(false, true)] is_first_key: bool,
) {
    let between = Between { wrong, restarts };
    at_each(async |world| {
        synced(world, STRICT).await;
        let last = last_key(world, is_first_key);
        let remove = |world: &World, now: Moment| {
            if moment == now {
                world.entries(&[("A_KEY", "a")]);
            }
        };
        between.pass(world, remove).await;
        exchange(world, &last);
        world.quiet().await;
        assert!(is_synced(world), "{:?}", world.target);
        assert!(is_gone_or_named(world, "B_KEY"), "{:?}", world.target);
        // A process that has used the first key, or uses it again, knows what was written under it.
        if is_first_key || !between.is_forgotten() {
            assert!(!world.held().contains_key("B_KEY"), "{:?}", world.target);
        }
        rotate(world, "a2").await;
    });
}

/// Cases: C-28, D-05
#[rstest]
fn an_object_deleted_without_a_right_key_takes_or_names_what_it_wrote(
    #[values(Wrong::Typo, Wrong::Typos, Wrong::Nothing)] wrong: Wrong,
    #[values(false, true)] restarts: bool,
    #[values(false, true)] is_first_key: bool,
    #[values(false, true)] is_entry_removed: bool,
) {
    let between = Between { wrong, restarts };
    at_each(async |world| {
        synced(world, STRICT).await;
        let last = last_key(world, is_first_key);
        between
            .pass(world, |world, now| {
                if is_entry_removed && now == Moment::Meanwhile {
                    world.entries(&[("A_KEY", "a")]);
                }
            })
            .await;
        world.delete();
        sleep(WRONG).await;
        // The process remembers the key of a Secret that is gone.
        let is_remembered = wrong == Wrong::Nothing && !restarts;
        assert_eq!(
            world.object().is_some(),
            !is_remembered,
            "{:?}",
            world.target
        );
        exchange(world, &last);
        world.quiet().await;
        assert_eq!(world.object(), None, "{:?}", world.target);
        for name in ["A_KEY", "B_KEY"] {
            let lines = world.call_log.lines();
            assert!(
                is_gone_or_named(world, name),
                "{:?} {name} {lines:#?}",
                world.target
            );
            if is_first_key || !between.is_forgotten() {
                assert!(!world.held().contains_key(name), "{:?}", world.target);
            }
        }
    });
}
