//! PrimeIntellect: POST only creates, so a name must never be created twice.

use std::time::Duration;

use serde_json::json;
use simulator::{
    Action, Fault,
    prime_intellect::{CountField, Duplicate},
};

use crate::{
    harness::{Target, TestCase, TestEnv, condition, delete_policy, run, until},
    providers::{assert_stalled, bodies, case, entry, requests, spec},
};

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
/// How long a request is held up, for another client to write in between.
const MEANWHILE: Duration = Duration::from_millis(700);

/// A test case whose vendor answers a duplicate so.
async fn case_with(duplicate: Duplicate) -> TestCase<'static> {
    let case = case(Target::PrimeIntellect).await;
    let vendor = case.env.simulator().prime_intellect();
    vendor.set_variants(&case.account, |variants| variants.duplicate = duplicate);
    case
}

/// How many secrets of a name there are.
fn count(case: &TestCase<'_>, name: &str) -> usize {
    let vendor = case.env.simulator().prime_intellect();
    let secrets = vendor.secrets(&case.account, None);
    secrets.iter().filter(|secret| secret.name == name).count()
}

/// Cases: M-06
#[test]
fn what_is_there_is_changed_by_its_id_and_never_created_again() {
    run(async {
        for duplicate in DUPLICATES {
            let case = case_with(duplicate).await;
            case.account
                .foreign_write(None, "TOKEN", "foreign")
                .expect("written");
            let id = case.account.held(None)["TOKEN"].id.clone().expect("an id");
            let value = case.value("one");
            case.secret("source", &[("a", &value)]).await;
            case.object("taken", &[("TOKEN", "source", "a")]).await;
            case.wait_ready("taken").await;
            assert_eq!(case.writes(), [format!("PATCH /api/v1/secrets/{id}")]);
            case.wait_held(&[("TOKEN", &value)]).await;
            assert_eq!(count(&case, "TOKEN"), 1);
            case.finish().await;
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
            let case = case_with(Duplicate::Silent).await;
            let vendor = case.env.simulator().prime_intellect();
            vendor.set_variants(&case.account, |variants| variants.count_field = field);
            for number in 0..250 {
                let name = format!("OTHER_{number}");
                case.account
                    .foreign_write(None, &name, "foreign")
                    .expect("written");
            }
            case.account
                .foreign_write(None, "TOKEN", "foreign")
                .expect("written");
            let value = case.value("one");
            case.secret("source", &[("a", &value)]).await;
            case.object("far", &[("TOKEN", "source", "a"), ("NEW", "source", "a")])
                .await;
            case.wait_ready("far").await;
            assert_eq!(bodies(&case, "POST").len(), 1, "{field:?}");
            assert_eq!(bodies(&case, "PATCH").len(), 1, "{field:?}");
            assert_eq!((count(&case, "TOKEN"), count(&case, "NEW")), (1, 1));
            assert_eq!(case.held()["TOKEN"], value);
            let others = case.held();
            assert!(
                others
                    .iter()
                    .all(|(name, value)| !name.starts_with("OTHER") || value == "foreign")
            );
            case.finish().await;
        }
    });
}

/// Cases: P-05
#[test]
fn a_name_that_another_client_creates_meanwhile_is_changed() {
    run(async {
        for duplicate in REFUSED {
            let case = case_with(duplicate).await;
            case.account
                .add_fault(Fault::new(Action::Handle).method("POST").delay(MEANWHILE));
            let value = case.value("one");
            case.secret("source", &[("a", &value)]).await;
            case.object("late", &[("TOKEN", "source", "a")]).await;
            until("the creation is on its way", async || {
                let posts = requests(&case, "POST");
                if posts.is_empty() {
                    Err("no POST".to_owned())
                } else {
                    Ok(())
                }
            })
            .await;
            case.account
                .foreign_write(None, "TOKEN", "foreign")
                .expect("written");
            case.wait_held(&[("TOKEN", &value)]).await;
            case.wait_ready("late").await;
            assert_eq!(bodies(&case, "POST").len(), 1, "{duplicate:?}");
            assert_eq!(bodies(&case, "PATCH").len(), 1, "{duplicate:?}");
            case.finish().await;
        }
    });
}

/// The values of all secrets of a name, in order.
fn values(case: &TestCase<'_>, name: &str) -> Vec<String> {
    let vendor = case.env.simulator().prime_intellect();
    let secrets = vendor.secrets(&case.account, None).into_iter();
    let named = secrets.filter(|secret| secret.name == name);
    let mut values: Vec<String> = named.map(|secret| secret.held.value).collect();
    values.sort();
    values
}

/// Cases: P-37
#[test]
fn two_of_one_name_are_reported_and_neither_is_touched_until_one_is_deleted() {
    run(async {
        let case = TestCase::new(TestEnv::verifying().await, Target::PrimeIntellect).await;
        let vendor = case.env.simulator().prime_intellect();
        vendor.set_variants(&case.account, |variants| {
            variants.duplicate = Duplicate::Silent;
        });
        case.account
            .add_fault(Fault::new(Action::Handle).method("POST").delay(MEANWHILE));
        let value = case.value("one");
        case.secret("source", &[("a", &value)]).await;
        case.put("first", &[("TOKEN", "source", "a")], &delete_policy())
            .await;
        until("the creation is on its way", async || {
            let posts = requests(&case, "POST");
            if posts.is_empty() {
                Err("no POST".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
        case.account
            .foreign_write(None, "TOKEN", "foreign")
            .expect("written");
        let object = case.wait_reason("first", "Ambiguous").await;
        assert_stalled(&object, "Ambiguous", "Delete all but one");
        let before = case.writes();
        let mut both = ["foreign".to_owned(), value];
        both.sort();
        assert_eq!(values(&case, "TOKEN"), both);
        // Looked at again it is so still, and nothing is written or deleted.
        let listed = case.listings();
        until("it is looked at again", async || {
            let now = case.listings();
            (now > listed + 1)
                .then_some(())
                .ok_or_else(|| format!("{now}"))
        })
        .await;
        case.wait_reason("first", "Ambiguous").await;
        assert_eq!(case.writes(), before);
        // A new value goes to the one that the object wrote.
        let rotated = case.value("two");
        case.secret("source", &[("a", &rotated)]).await;
        let mut both = ["foreign".to_owned(), rotated.clone()];
        both.sort();
        until("the new value is there", async || {
            let values = values(&case, "TOKEN");
            (values == both)
                .then_some(())
                .ok_or_else(|| format!("{values:?}"))
        })
        .await;
        case.wait_reason("first", "Ambiguous").await;
        // The oldest of the name goes, which is the foreign one.
        case.account.foreign_delete(None, "TOKEN").expect("deleted");
        case.wait_ready("first").await;
        assert_eq!(values(&case, "TOKEN"), [rotated]);
        assert!(case.deletions().is_empty());
        assert!(case.events("DriftDetected").await.is_empty());
        case.finish().await;
    });
}

/// Six objects with one name; the odd ones use the key `odd`. One of them gets it, the others report the conflict.
async fn six_at_once(case: &TestCase<'_>, odd: &str) {
    case.account.set_latency(Duration::from_millis(50));
    let names = (0..6).map(|number| (number, format!("twin-{number}")));
    let names: Vec<(usize, String)> = names.collect();
    for (number, name) in &names {
        let mut spec = spec(case, &json!([entry("TOKEN")]));
        if number % 2 == 1 {
            spec["provider"]["primeIntellect"]["apiKeySecretRef"]["name"] = odd.into();
        }
        case.apply(name, spec).await.expect("applied");
    }
    let value = case.value("one");
    case.secret("source", &[("a", &value)]).await;
    until(
        "one of them has it, and the others report the conflict",
        async || {
            let mut reasons = Vec::new();
            for (_, name) in &names {
                let object = case.objects().get(name).await;
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
        },
    )
    .await;
    case.wait_held(&[("TOKEN", &value)]).await;
    assert_eq!(count(case, "TOKEN"), 1);
}

#[test]
fn objects_that_want_one_name_at_once_create_it_once() {
    run(async {
        for duplicate in DUPLICATES {
            let case = case_with(duplicate).await;
            six_at_once(&case, "credential").await;
            assert_eq!(bodies(&case, "POST").len(), 1, "{duplicate:?}");
            case.finish().await;
        }
    });
}

/// Cases: M-08
#[test]
fn two_keys_of_one_user_make_no_duplicate_of_what_the_vendor_refuses_to_double() {
    run(async {
        for duplicate in REFUSED {
            let case = case_with(duplicate).await;
            let other = format!("{}-other", case.key);
            case.account
                .add_key(other.as_str())
                .expect("a key is added");
            case.secret("other", &[("api-key", &other)]).await;
            six_at_once(&case, "other").await;
            case.finish().await;
        }
    });
}

/// Cases: P-04, P-36
#[test]
fn a_secret_deleted_by_hand_is_created_again_by_the_next_write() {
    run(async {
        for duplicate in DUPLICATES {
            let case = case_with(duplicate).await;
            let (value, rotated) = (case.value("one"), case.value("two"));
            case.secret("source", &[("a", &value)]).await;
            case.object("gone", &[("TOKEN", "source", "a")]).await;
            case.wait_ready("gone").await;
            case.account.foreign_delete(None, "TOKEN").expect("deleted");
            case.secret("source", &[("a", &rotated)]).await;
            case.wait_held(&[("TOKEN", &rotated)]).await;
            case.wait_ready("gone").await;
            assert_eq!(count(&case, "TOKEN"), 1);
            case.finish().await;
        }
    });
}
