//! What is taken away under Delete while the key is wrong: it is deleted, or the user is told its name.

use rstest::rstest;

use super::*;

/// When an entry is taken from the spec.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Before the operator may start anew.
    WhileWrong,
    /// With the last key.
    AfterTypos,
    /// In the same moment as the first wrong key.
    WithFirstTypo,
}

/// Cases: C-21, D-05
#[rstest]
fn an_entry_removed_while_the_key_is_wrong_is_deleted_or_named(
    #[values(Typos::One, Typos::Two, Typos::OneAndRestart, Typos::TwoAndRestart)] typos: Typos,
    #[values(When::WhileWrong, When::AfterTypos, When::WithFirstTypo)] when: When,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values(false, true)] is_first_key: bool,
) {
    at_each(async |world| {
        synced(world, "Delete", conflict).await;
        let last = last_key(world, is_first_key);
        let remove = |world: &World| world.entries(&[("A_KEY", "a")]);
        if matches!(when, When::WithFirstTypo) {
            remove(world);
        }
        mistype_each(world, typos, |world| {
            if matches!(when, When::WhileWrong) {
                remove(world);
            }
        })
        .await;
        remove(world);
        exchange(world, &last);
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert!(is_gone_or_named(world, "B_KEY"), "{:?}", world.target);
        // The first key shows what the record says, and a process that has used it can tell.
        if is_first_key || !typos.is_forgotten() {
            assert!(!world.held().contains_key("B_KEY"), "{:?}", world.target);
        }
        rotate(world, "a2").await;
    });
}

/// Cases: C-21, D-05
#[rstest]
fn an_object_deleted_while_the_key_is_wrong_takes_or_names_what_it_wrote(
    #[values(Typos::One, Typos::Two, Typos::OneAndRestart, Typos::TwoAndRestart)] typos: Typos,
    #[values(false, true)] is_first_key: bool,
    #[values(false, true)] is_entry_removed: bool,
) {
    at_each(async |world| {
        synced(world, "Delete", "Overwrite").await;
        let last = last_key(world, is_first_key);
        mistype_each(world, typos, |world| {
            if is_entry_removed {
                world.entries(&[("A_KEY", "a")]);
            }
        })
        .await;
        world.delete();
        sleep(WRONG).await;
        assert!(world.object().is_some(), "{:?}", world.target);
        exchange(world, &last);
        world.quiet().await;
        assert_eq!(world.object(), None, "{:?}", world.target);
        for name in ["A_KEY", "B_KEY"] {
            assert!(is_gone_or_named(world, name), "{:?} {name}", world.target);
            if is_first_key || !typos.is_forgotten() {
                assert!(!world.held().contains_key(name), "{:?}", world.target);
            }
        }
    });
}
