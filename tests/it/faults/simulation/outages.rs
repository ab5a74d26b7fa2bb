//! An API server that is unreachable, silent or overloaded.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    provider::Slow,
    races::{at_each, synced},
    request::Asked,
    server::faults::{Does, Drops, anything, later_pages, patches},
    store::Store,
    world::{World, value},
};
use crate::harness::Target;

/// More objects than a page of a list holds.
const MANY: usize = 550;

/// Waits until the provider holds a text under A_KEY, and how long that took.
async fn wait_held(world: &World, text: &str) -> Duration {
    let began = Instant::now();
    while world.held().get("A_KEY") != Some(&value(text)) {
        assert!(began.elapsed() < Duration::from_mins(20), "{text}");
        sleep(Duration::from_millis(100)).await;
    }
    began.elapsed()
}

/// Writes of all names at the provider.
fn all_writes(world: &World) -> usize {
    world.remote.counts().values().sum()
}

/// Cases: A-04
#[test]
fn a_list_that_begins_anew_in_its_middle_makes_nothing_seem_gone() {
    at_each(async |world| {
        world.store.faults.list_in_pages();
        world.spec(&json!({"deletionPolicy": "Delete"}));
        world.entries(&[("A_KEY", "a")]);
        // The oldest object owns the set that all of them name at Pipecat.
        sleep(Duration::from_secs(2)).await;
        for number in 0..MANY {
            // In the order of names before and after those of the test.
            let name = format!("{}-{number:03}", ["a", "z"][number % 2]);
            world.secret(&name, &[("a", value("a"))].into());
            world.apply(&name, &json!({"suspend": true}));
        }
        world.quiet().await;
        let (lines, before) = (world.call_log.lines().len(), all_writes(world));
        let faults = &world.store.faults;
        let lists = faults.asked("LIST").len();
        // Twice each, in every list that is begun.
        faults.add(later_pages, Does::refuse(410), 4);
        // Neither watch has seen the newest.
        world.watches(Store::hold);
        world.annotate();
        world.secret("z-last", &[("a", value("a"))].into());
        world.watches(Store::expire);
        world.quiet().await;
        // Four lists that end at their second page, and two whole ones: of two pages of objects, of six of Secrets.
        assert_eq!(world.store.faults.asked("LIST").len(), lists + 16);
        let mut moved = world.call_log.lines().split_off(lines);
        moved.retain(|line| !line.starts_with("GET "));
        assert!(moved.is_empty(), "{moved:#?}");
        // Nor where nothing is known yet.
        world.down().await;
        world.store.faults.add(later_pages, Does::refuse(410), 4);
        world.up();
        world.quiet().await;
        assert_eq!(all_writes(world), before);
        world.rotate("a2");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
    });
}

/// Cases: A-05
#[rstest]
#[case(Drops::Ended)]
#[case(Drops::Cut)]
fn watches_that_end_every_second_show_everything_and_cost_no_lists(#[case] drops: Drops) {
    at_each(async |world| {
        synced(world).await;
        let faults = &world.store.faults;
        faults.drop_watches(Duration::from_secs(1), drops);
        // Those that are open end too.
        world.watches(Store::expire);
        sleep(Duration::from_secs(30)).await;
        let lists = |world: &World| {
            let faults = &world.store.faults;
            faults.asked("LIST").len() + faults.asked("STREAM").len()
        };
        let (before, watches) = (lists(world), faults.asked("WATCH").len());
        for round in 0..30 {
            let text = format!("r{round}");
            world.rotate(&text);
            let took = wait_held(world, &text).await;
            assert!(took <= Duration::from_secs(16), "{took:?}");
            sleep(Duration::from_secs(10).saturating_sub(took)).await;
        }
        assert_eq!(lists(world), before);
        let watches = faults.asked("WATCH").len() - watches;
        // Two kinds of objects, and once a second.
        assert!((60..=700).contains(&watches), "{watches}");
        faults.clear();
        world.rotate("last");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("last"));
    });
}

/// Cases: A-05
#[rstest]
#[case(Drops::Ended)]
#[case(Drops::Cut)]
#[case(Drops::Expired)]
fn watches_that_end_at_once_are_opened_seldom_and_show_everything(#[case] drops: Drops) {
    at_each(async |world| {
        synced(world).await;
        let faults = &world.store.faults;
        faults.drop_watches(Duration::ZERO, drops);
        // Those that are open end too.
        world.watches(Store::expire);
        // The waits have become as long as they may.
        sleep(Duration::from_mins(2)).await;
        let asked = |what| world.store.faults.asked(what).len();
        let (lists, watches) = (asked("LIST"), asked("WATCH"));
        sleep(Duration::from_mins(5)).await;
        let (lists, watches) = (asked("LIST") - lists, asked("WATCH") - watches);
        // Two kinds of objects, each every 9 to 20 s.
        assert!((25..=70).contains(&watches), "{watches}");
        // A list before each watch, at most.
        let most = if drops == Drops::Expired {
            watches + 2
        } else {
            0
        };
        assert!(lists <= most, "{lists}");
        world.rotate("a2");
        let took = wait_held(world, "a2").await;
        assert!(took <= Duration::from_secs(30), "{took:?}");
        faults.clear();
        world.rotate("last");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("last"));
    });
}

/// Cases: A-06
#[test]
fn a_watch_that_is_open_and_silent_is_found_out() {
    at_each(async |world| {
        synced(world).await;
        // So that watches have just begun.
        world.watches(Store::expire);
        sleep(Duration::from_secs(10)).await;
        world.store.faults.silence();
        world.rotate("a2");
        let took = wait_held(world, "a2").await;
        assert!(took >= Duration::from_mins(3), "it is silent: {took:?}");
        assert!(took <= Duration::from_secs(295), "{took:?}");
        // What is opened in its place may be silent from the beginning, or a list.
        world.store.faults.add(Asked::is_collection, Does::Hang, 2);
        world.watches(Store::expire);
        world.rotate("a3");
        let took = wait_held(world, "a3").await;
        assert!(took >= Duration::from_mins(1), "{took:?}");
        assert!(took <= Duration::from_secs(310), "{took:?}");
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        assert_eq!(world.held()["B_KEY"], value("b1"));
    });
}

/// Cases: A-08
#[test]
fn parted_for_minutes_during_a_rotation_it_writes_nothing_and_heals() {
    at_each(async |world| {
        synced(world).await;
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        let write = Slow {
            is_write: true,
            there: Duration::from_secs(2),
            back: Duration::ZERO,
        };
        world.remote.slow_down(write);
        world.rotate("a2");
        sleep(Duration::from_secs(1)).await;
        // The write is on its way, and its outcome cannot be recorded any more.
        world.store.faults.always(anything, Does::Hang);
        world.store.faults.silence();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
        let before = all_writes(world);
        // The source changes, and another client writes at the provider.
        world.source(&[("a", "a3"), ("b", "b2")]);
        world.foreign_write("B_KEY", "foreign");
        sleep(Duration::from_mins(10)).await;
        assert_eq!(all_writes(world), before);
        world.store.faults.clear();
        wait_held(world, "a3").await;
        world.quiet().await;
        assert_eq!(world.held()["B_KEY"], value("b2"));
    });
}

/// What is done in the test of writes whose answer is wrong: a rotation, an entry more, an entry
/// less, and the end.
async fn lifecycle(world: &mut World) {
    world.spec(&json!({"deletionPolicy": "Delete"}));
    world.entries(&[("A_KEY", "a")]);
    world.quiet().await;
    world.rotate("a2");
    world.quiet().await;
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
    world.quiet().await;
    world.entries(&[("B_KEY", "b")]);
    world.quiet().await;
    world.delete();
    world.quiet().await;
    assert_eq!(world.object(), None);
    assert!(!world.held().contains_key("B_KEY"));
}

/// Cases: A-09
#[test]
fn a_write_that_is_carried_out_and_answered_with_500_is_not_done_twice() {
    // The calls of a lifecycle without faults, by target.
    let undisturbed = std::cell::RefCell::new(Vec::new());
    at_each(async |world| {
        lifecycle(world).await;
        let patches = world.store.faults.asked("PATCH").len();
        undisturbed
            .borrow_mut()
            .push((world.target, patches, all_writes(world)));
    });
    let undisturbed = undisturbed.into_inner();
    let most = undisturbed.iter().map(|(_, patches, _)| *patches).max();
    for failed_patch in 0..most.expect("an API") {
        at_each(async |world| {
            let of = |(target, ..): &&(Target, usize, usize)| *target == world.target;
            let (_, patches, writes) = undisturbed.iter().find(of).expect("it undisturbed");
            if failed_patch >= *patches {
                return;
            }
            let faults = &world.store.faults;
            // Those before it are as they should be.
            faults.add(self::patches, Does::Work, failed_patch);
            let done = Does::Answer {
                code: 500,
                is_done: true,
            };
            faults.add(self::patches, done, 1);
            lifecycle(world).await;
            assert_eq!(
                all_writes(world),
                *writes,
                "{:?} {failed_patch}",
                world.target
            );
        });
    }
}

/// Cases: A-10
#[test]
fn an_api_server_that_asks_for_patience_gets_it() {
    at_each(async |world| {
        synced(world).await;
        let faults = &world.store.faults;
        faults.always(anything, Does::Busy(5));
        // The watch has shown the rotation and has to start anew.
        world.rotate("a2");
        sleep(Duration::from_secs(1)).await;
        world.watches(Store::expire);
        sleep(Duration::from_secs(10)).await;
        let known = faults.asked("").len();
        sleep(Duration::from_mins(5)).await;
        let asked = faults.asked("").len() - known;
        assert!((10..=120).contains(&asked), "{asked}");
        assert_eq!(world.held()["A_KEY"], value("a1"));
        faults.clear();
        wait_held(world, "a2").await;
    });
}

/// Cases: A-10
#[test]
fn a_watch_asks_no_sooner_than_the_api_server_wants_it_to() {
    at_each(async |world| {
        synced(world).await;
        let faults = &world.store.faults;
        let asked_to_wait = Duration::from_secs(20);
        // Neither watch has seen the newest.
        world.watches(Store::hold);
        world.annotate();
        world.secret("other", &[("a", value("a"))].into());
        faults.always(Asked::is_collection, Does::Busy(asked_to_wait.as_secs()));
        faults.forget();
        world.watches(Store::expire);
        sleep(Duration::from_mins(5)).await;
        for listed in ["ProviderSecrets", "Secrets"] {
            let of = |verb: &str| faults.asked(&format!("{verb} {listed} "));
            let mut asked = [of("LIST"), of("STREAM")].concat();
            asked.sort();
            assert!(asked.len() >= 10, "{listed}: {}", asked.len());
            let mut pairs = asked.windows(2);
            let keeps = pairs.all(|pair| pair[1] - pair[0] >= asked_to_wait);
            assert!(keeps, "{listed}: {asked:?}");
        }
        faults.clear();
        world.rotate("a2");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
    });
}
