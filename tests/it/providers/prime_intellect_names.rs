//! PrimeIntellect: POST only creates, so a name must never be created twice.

use std::time::Duration;

use serde_json::json;
use simulator::{
    Action, Fault,
    prime_intellect::{CountField, Duplicate},
};

use super::{bodies, entry, requests, scene, spec};
use crate::support::{Scene, Target, condition, run, until};

const DUPLICATES: [Duplicate; 4] = [
    Duplicate::Conflict,
    Duplicate::BadRequest,
    Duplicate::Unprocessable,
    Duplicate::Silent,
];
const REFUSED: [Duplicate; 3] = [
    Duplicate::Conflict,
    Duplicate::BadRequest,
    Duplicate::Unprocessable,
];
/// How long a request is held up so that somebody comes in between.
const MEANWHILE: Duration = Duration::from_millis(700);

/// A scene whose vendor answers a duplicate so.
async fn scene_with(duplicate: Duplicate) -> Scene<'static> {
    let scene = scene(Target::PrimeIntellect).await;
    let vendor = scene.stage.simulator().prime_intellect();
    vendor.set_variants(&scene.account, |variants| variants.duplicate = duplicate);
    scene
}

/// How many secrets of a name there are.
fn count(scene: &Scene<'_>, name: &str) -> usize {
    let vendor = scene.stage.simulator().prime_intellect();
    let secrets = vendor.secrets(&scene.account, None);
    secrets.iter().filter(|secret| secret.name == name).count()
}

/// Cases: M-06
#[test]
fn what_is_there_is_changed_by_its_id_and_never_created_again() {
    run(async {
        for duplicate in DUPLICATES {
            let scene = scene_with(duplicate).await;
            scene
                .account
                .foreign_write(None, "TOKEN", "foreign")
                .expect("written");
            let id = scene.account.held(None)["TOKEN"].id.clone().expect("an id");
            let value = scene.value("one");
            scene.secret("source", &[("a", &value)]).await;
            scene.object("taken", &[("TOKEN", "source", "a")]).await;
            scene.wait_ready("taken").await;
            assert_eq!(scene.writes(), [format!("PATCH /api/v1/secrets/{id}")]);
            scene.wait_held(&[("TOKEN", &value)]).await;
            assert_eq!(count(&scene, "TOKEN"), 1);
            scene.finish().await;
        }
    });
}

/// Cases: P-25
#[test]
fn it_is_found_behind_the_first_hundred_however_they_are_counted() {
    run(async {
        for field in [
            CountField::TotalCount,
            CountField::TotalCountCamel,
            CountField::Absent,
        ] {
            let scene = scene_with(Duplicate::Silent).await;
            let vendor = scene.stage.simulator().prime_intellect();
            vendor.set_variants(&scene.account, |variants| variants.count_field = field);
            for number in 0..250 {
                let name = format!("OTHER_{number}");
                scene
                    .account
                    .foreign_write(None, &name, "foreign")
                    .expect("written");
            }
            scene
                .account
                .foreign_write(None, "TOKEN", "foreign")
                .expect("written");
            let value = scene.value("one");
            scene.secret("source", &[("a", &value)]).await;
            scene
                .object("far", &[("TOKEN", "source", "a"), ("NEW", "source", "a")])
                .await;
            scene.wait_ready("far").await;
            assert_eq!(bodies(&scene, "POST").len(), 1, "{field:?}");
            assert_eq!(bodies(&scene, "PATCH").len(), 1, "{field:?}");
            assert_eq!((count(&scene, "TOKEN"), count(&scene, "NEW")), (1, 1));
            assert_eq!(scene.held()["TOKEN"], value);
            let others = scene.held();
            assert!(
                others
                    .iter()
                    .all(|(name, value)| !name.starts_with("OTHER") || value == "foreign")
            );
            scene.finish().await;
        }
    });
}

/// Cases: P-05
#[test]
fn a_name_that_somebody_else_creates_meanwhile_is_changed() {
    run(async {
        for duplicate in REFUSED {
            let scene = scene_with(duplicate).await;
            scene
                .account
                .add_fault(Fault::new(Action::Handle).method("POST").delay(MEANWHILE));
            let value = scene.value("one");
            scene.secret("source", &[("a", &value)]).await;
            scene.object("late", &[("TOKEN", "source", "a")]).await;
            until("the creation is on its way", async || {
                let posts = requests(&scene, "POST");
                if posts.is_empty() {
                    Err("no POST".to_owned())
                } else {
                    Ok(())
                }
            })
            .await;
            scene
                .account
                .foreign_write(None, "TOKEN", "foreign")
                .expect("written");
            scene.wait_held(&[("TOKEN", &value)]).await;
            scene.wait_ready("late").await;
            assert_eq!(bodies(&scene, "POST").len(), 1, "{duplicate:?}");
            assert_eq!(bodies(&scene, "PATCH").len(), 1, "{duplicate:?}");
            scene.finish().await;
        }
    });
}

/// Cases: P-37
#[test]
fn two_of_one_name_are_told_and_neither_is_touched() {
    run(async {
        let scene = scene_with(Duplicate::Silent).await;
        scene
            .account
            .add_fault(Fault::new(Action::Handle).method("POST").delay(MEANWHILE));
        let value = scene.value("one");
        scene.secret("source", &[("a", &value)]).await;
        scene.object("first", &[("TOKEN", "source", "a")]).await;
        until("the creation is on its way", async || {
            let posts = requests(&scene, "POST");
            if posts.is_empty() {
                Err("no POST".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
        scene
            .account
            .foreign_write(None, "TOKEN", "foreign")
            .expect("written");
        scene.wait_ready("first").await;
        assert_eq!(count(&scene, "TOKEN"), 2);
        scene.finish().await;
    });
}

/// Objects that all want one name; the odd ones use `odd`. One of them gets it, the others are told.
async fn six_at_once(scene: &Scene<'_>, odd: &str) {
    scene.account.set_latency(Duration::from_millis(50));
    let names = (0..6).map(|number| (number, format!("twin-{number}")));
    let names: Vec<(usize, String)> = names.collect();
    for (number, name) in &names {
        let mut spec = spec(scene, &json!([entry("TOKEN")]));
        if number % 2 == 1 {
            spec["provider"]["primeIntellect"]["apiKeySecretRef"]["name"] = odd.into();
        }
        scene.apply(name, spec).await.expect("applied");
    }
    let value = scene.value("one");
    scene.secret("source", &[("a", &value)]).await;
    until("one of them has it, and the others are told", async || {
        let mut reasons = Vec::new();
        for (_, name) in &names {
            let object = scene.objects().get(name).await;
            let object = object.map_err(|error| error.to_string())?;
            let ready = condition(&object, "Ready").map(|ready| ready.reason.clone());
            reasons.push(ready.unwrap_or_default());
        }
        reasons.sort();
        if reasons[..5].iter().all(|reason| reason == "Conflict") && reasons[5] == "Synced" {
            Ok(())
        } else {
            Err(format!("{reasons:?}"))
        }
    })
    .await;
    scene.wait_held(&[("TOKEN", &value)]).await;
    assert_eq!(count(scene, "TOKEN"), 1);
}

#[test]
fn objects_that_want_one_name_at_once_create_it_once() {
    run(async {
        for duplicate in DUPLICATES {
            let scene = scene_with(duplicate).await;
            six_at_once(&scene, "credential").await;
            assert_eq!(bodies(&scene, "POST").len(), 1, "{duplicate:?}");
            scene.finish().await;
        }
    });
}

/// Cases: M-08
#[test]
fn two_keys_of_one_user_make_no_duplicate_of_what_the_vendor_refuses_to_double() {
    run(async {
        for duplicate in REFUSED {
            let scene = scene_with(duplicate).await;
            let other = format!("{}-other", scene.key);
            scene
                .account
                .add_key(other.as_str())
                .expect("a key is added");
            scene.secret("other", &[("api-key", &other)]).await;
            six_at_once(&scene, "other").await;
            scene.finish().await;
        }
    });
}

/// Cases: P-04, P-36
#[test]
fn a_secret_deleted_by_hand_is_created_again_by_the_next_write() {
    run(async {
        for duplicate in DUPLICATES {
            let scene = scene_with(duplicate).await;
            let (value, rotated) = (scene.value("one"), scene.value("two"));
            scene.secret("source", &[("a", &value)]).await;
            scene.object("gone", &[("TOKEN", "source", "a")]).await;
            scene.wait_ready("gone").await;
            scene
                .account
                .foreign_delete(None, "TOKEN")
                .expect("deleted");
            scene.secret("source", &[("a", &rotated)]).await;
            scene.wait_held(&[("TOKEN", &rotated)]).await;
            scene.wait_ready("gone").await;
            assert_eq!(count(&scene, "TOKEN"), 1);
            scene.finish().await;
        }
    });
}
