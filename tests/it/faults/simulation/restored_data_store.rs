//! A data store that is put back from a snapshot under a running operator, and watches that fall silent: both are noticed
//! within a minute, and everything is looked at anew. What the old state does not know is not deleted.

use std::time::Duration;

use provider_secrets::controller::{SecretAccess, Settings};
use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::at_each,
    request::Asked,
    server::faults::Does,
    store::{Resource, Store},
    world::{SOURCE, World, data, value},
};

/// Within which it is noticed.
const NOTICED: Duration = Duration::from_mins(1);

/// An operator that compares its watches with their collections as often as the real one.
async fn attentive(world: &mut World) {
    world.down().await;
    world.choices.watch_check = Settings::WATCH_CHECK;
    world.up();
}

/// What happened between the snapshot and its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// The value was rotated.
    Rotation,
    /// The Secret got a second key, which became an entry.
    Growth,
    /// The spec got another entry.
    Entry,
    /// The object came to be.
    Creation,
    /// Other things changed, and nothing that the operator reads.
    Others,
}

/// Whether versions go on from where they were, as `etcdutl snapshot restore --bump-revision` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    GoBack,
    GoOn,
}

/// How often a Secret is asked for where none is watched.
const OFTEN: Duration = Duration::from_secs(1);
/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(10);

/// The resource version of something.
fn version(world: &World, resource: Resource, name: &str) -> u64 {
    let found = world
        .store
        .get(&(resource, "team".to_owned(), name.to_owned()));
    let found = found.expect("it is there");
    let version = found["metadata"]["resourceVersion"]
        .as_str()
        .map(str::parse);
    version.expect("a version").expect("a number")
}

/// Gives the spec the same entries one by one, which is what the oracle reads.
fn spell_out(world: &World, keys: &[&str]) {
    let names: Vec<String> = keys
        .iter()
        .map(|key| format!("X_{}", key.to_uppercase()))
        .collect();
    let entries: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(keys.iter().copied())
        .collect();
    world.spec(&json!({"dataFrom": null, "data": data(&entries)}));
}

/// Cases: L-17, R-05
#[rstest]
fn a_restored_data_store_is_noticed_within_a_minute(
    #[values(
        Meanwhile::Rotation,
        Meanwhile::Growth,
        Meanwhile::Entry,
        Meanwhile::Creation,
        Meanwhile::Others
    )]
    meanwhile: Meanwhile,
    #[values(Versions::GoBack, Versions::GoOn)] versions: Versions,
    #[values("Retain", "Delete")] deletion: &str,
) {
    at_each(async |world| {
        attentive(world).await;
        let bulk = json!({"dataFrom": [{"secretRef": {"name": "source"}, "nameTransform": "UpperSnake", "prefix": "X_"}], "deletionPolicy": deletion});
        world.source(&[("a", "a1"), ("b", "b1")]);
        if meanwhile != Meanwhile::Creation {
            world.spec(&bulk);
        }
        world.quiet().await;
        let snapshot = world.store.snapshot();
        match meanwhile {
            Meanwhile::Rotation => world.source(&[("a", "a2"), ("b", "b1")]),
            Meanwhile::Growth => world.source(&[("a", "a1"), ("b", "b1"), ("c", "c1")]),
            Meanwhile::Entry => world.entries(&[("A_KEY", "a")]),
            Meanwhile::Creation => world.spec(&bulk),
            Meanwhile::Others => {}
        }
        for count in 0..5 {
            world.secret("other", &[("k", count.to_string())].into());
        }
        world.quiet().await;
        let held = world.held();
        world.store.restore(&snapshot, versions == Versions::GoOn);
        if meanwhile == Meanwhile::Creation {
            // The object is gone; what it wrote stays.
            world.quiet().await;
            assert_eq!(world.held(), held, "{:?}", world.target);
            spell_out(world, &["a", "b"]);
            world.quiet().await;
            return;
        }
        if meanwhile == Meanwhile::Rotation {
            let is_back = |world: &World| world.held()["X_A"] == value("a1");
            world.wait("the restored value", NOTICED, is_back).await;
        }
        sleep(NOTICED).await;
        // Only what the Secret holds again is other than it was.
        let names = |held: &std::collections::BTreeMap<String, String>| {
            held.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&world.held()), names(&held), "{:?}", world.target);
        // A rotation after that is seen.
        world.source(&[("a", "a3"), ("b", "b1"), ("c", "c1")]);
        let is_rotated = |world: &World| world.held()["X_A"] == value("a3");
        world.wait("the next rotation", NOTICED, is_rotated).await;
        world.quiet().await;
        spell_out(world, &["a", "b", "c"]);
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// The number of a version is given again after a restore, to another state: what was seen under it before is no answer.
///
/// Cases: R-05
#[rstest]
fn a_version_that_comes_again_after_a_restore_is_another(
    #[values(Resource::Secrets, Resource::ProviderSecrets)] changed: Resource,
    #[values(SecretAccess::Watch, SecretAccess::GetOnly(OFTEN))] access: SecretAccess,
) {
    at_each(async |world| {
        world.choices.secret_access = access;
        attentive(world).await;
        world.entries(&[("A_KEY", "a")]);
        world.secret("other", &[("k", "before".to_owned())].into());
        world.quiet().await;
        let snapshot = world.store.snapshot();
        let name = if changed == Resource::Secrets {
            SOURCE
        } else {
            "object"
        };
        world.secret("other", &[("k", "lost".to_owned())].into());
        if changed == Resource::Secrets {
            world.rotate("a2");
        } else {
            world.spec(&json!({"verifyInterval": "11m"}));
        }
        sleep(SOON).await;
        for count in 0..20 {
            world.secret("another", &[("k", count.to_string())].into());
        }
        // The collections are looked at.
        sleep(NOTICED).await;
        let seen = version(world, changed, name);
        world.store.restore(&snapshot, false);
        let mut others = 0;
        while version(world, Resource::Secrets, "other") + 1 < seen {
            others += 1;
            world.secret("other", &[("k", others.to_string())].into());
        }
        if changed == Resource::Secrets {
            world.rotate("a3");
        } else {
            world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        }
        assert_eq!(version(world, changed, name), seen);
        let is_done = |world: &World| {
            let held = world.held();
            held["A_KEY"] == value("a3") || held.contains_key("B_KEY")
        };
        world.wait("what there is now", 2 * NOTICED, is_done).await;
        world.quiet().await;
    });
}

/// The API server still has what was there before the restore, and begins a stream with it.
///
/// Cases: R-05
#[test]
fn a_process_that_starts_after_a_restore_sees_what_changed_within_minutes() {
    at_each(async |world| {
        attentive(world).await;
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let snapshot = world.store.snapshot();
        for count in 0..5 {
            world.secret("other", &[("k", count.to_string())].into());
        }
        world.quiet().await;
        world.down().await;
        world.store.restore(&snapshot, false);
        world.up();
        sleep(Duration::from_secs(1)).await;
        world.rotate("a2");
        let is_done = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", 3 * NOTICED, is_done).await;
        world.quiet().await;
    });
}

/// Cases
#[rstest]
fn a_watch_that_falls_silent_is_noticed_within_a_minute(
    #[values(Resource::Secrets, Resource::ProviderSecrets)] changed: Resource,
) {
    at_each(async |world| {
        attentive(world).await;
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        world.store.faults.silence();
        let is_done = |world: &World| match changed {
            Resource::Secrets => world.held()["A_KEY"] == value("a2"),
            _ => world.held().contains_key("B_KEY"),
        };
        if changed == Resource::Secrets {
            world.rotate("a2");
        } else {
            world.spec(&json!({"data": data(&[("A_KEY", "a"), ("B_KEY", "b")])}));
        }
        world.wait("the change", NOTICED, is_done).await;
        world.quiet().await;
    });
}

/// Cases: A-06
#[test]
fn a_watch_that_is_deaf_from_its_beginning_is_noticed() {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        attentive(world).await;
        // Everything is listed, and nothing was compared yet.
        sleep(Duration::from_secs(3)).await;
        world.store.faults.silence();
        world.rotate("a2");
        // A process that follows another one may wait for what that one sent.
        let is_done = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the change", 2 * NOTICED, is_done).await;
        world.quiet().await;
    });
}

/// What asks for the changes that a watch did not show.
fn comparisons(asked: &Asked) -> bool {
    asked.is_watch() && asked.number("timeoutSeconds") == Some(1)
}

/// Cases: A-06
#[rstest]
#[case(comparisons, Does::refuse(429))]
#[case(comparisons, Does::Hang)]
#[case(Asked::is_collection, Does::refuse(500))]
fn a_silent_watch_is_noticed_although_a_comparison_failed(
    #[case] of: fn(&Asked) -> bool,
    #[case] does: Does,
) {
    at_each(async |world| {
        attentive(world).await;
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        // So that watches have just begun.
        world.watches(Store::expire);
        sleep(SOON).await;
        world.store.faults.silence();
        // One for each kind of object.
        world.store.faults.add(of, does, 2);
        world.rotate("a2");
        let is_done = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the change", 2 * NOTICED, is_done).await;
        world.quiet().await;
    });
}

/// Cases: A-06
#[test]
fn a_change_that_no_watch_shows_is_noticed_within_a_minute() {
    at_each(async |world| {
        attentive(world).await;
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        world.store.hold(Resource::Secrets);
        world.rotate("a2");
        let is_done = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the change", NOTICED, is_done).await;
        world.store.release(Resource::Secrets);
        world.quiet().await;
    });
}
