//! `dataFrom`: every key of a Secret.

use futures::future::join_all;
use serde_json::{Value, json};
use simulator::Fault;

use super::{assert_waits, entry, summary};
use crate::harness::{Bystander, Target, TestCase, TestEnv, at_each_api, condition, run};

async fn apply(case: &TestCase<'_>, data_from: Value, data: Value) {
    let spec = json!({"provider": case.provider(), "dataFrom": data_from, "data": data});
    case.apply("bulk", spec)
        .await
        .expect("an object is applied");
}

#[test]
fn keys_are_chosen_named_and_overridden_as_the_spec_says() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let keys = [
                "dbPassword",
                "api-key",
                "tls.crt",
                "v2Token",
                "internalKey",
                "OTHER",
                "skip",
            ];
            let values = keys.map(|key| case.value(key));
            let pairs: Vec<(&str, &str)> = keys
                .into_iter()
                .zip(values.iter().map(String::as_str))
                .collect();
            case.secret("bulk", &pairs).await;
            let own = case.value("own");
            case.secret("own", &[("a", &own)]).await;
            let source = json!({
                "secretRef": {"name": "bulk"},
                "include": ["*[pP]assword", "api-*", "tls.*", "v?Token", "internal*", "OTHER"],
                "exclude": ["internal*"],
                "nameTransform": "UpperSnake",
                "prefix": "APP_",
            });
            let data = json!([{"name": "APP_OTHER", "secretKeyRef": {"name": "own", "key": "a"}}]);
            apply(&case, json!([source]), data).await;
            let object = case.wait_ready("bulk").await;
            assert_eq!(summary(&object), Some("5/5"));
            let expected = [
                ("APP_API_KEY", &*values[1]),
                ("APP_DB_PASSWORD", &values[0]),
                ("APP_OTHER", &own),
                ("APP_TLS_CRT", &values[2]),
                ("APP_V2_TOKEN", &values[3]),
            ];
            case.wait_held(&expected).await;
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: C-13, C-14
#[test]
fn what_cannot_be_decided_is_refused_before_any_write() {
    let from = |name: &str| json!({"secretRef": {"name": name}});
    let cases = [
        ("Conflict", json!([from("one"), from("two")])),
        (
            "InvalidSpec",
            json!([{"secretRef": {"name": "one"}, "include": ["[A"]}]),
        ),
        (
            "InvalidSpec",
            json!([{"secretRef": {"name": "one"}, "exclude": ["{A"]}]),
        ),
        ("TooManyEntries", json!([from("many")])),
    ];
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let value = case.value("a");
            case.secret("one", &[("SAME", &value), ("ONE", &value)])
                .await;
            case.secret("two", &[("SAME", &value)]).await;
            let names: Vec<String> = (0..501).map(|index| format!("K{index}")).collect();
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "v")).collect();
            case.secret("many", &many).await;
            for (reason, data_from) in &cases {
                apply(&case, data_from.clone(), json!([])).await;
                let object = case.wait_reason("bulk", reason).await;
                assert!(
                    condition(&object, "Stalled").is_some(),
                    "{target:?} {reason}"
                );
            }
            case
        }))
        .await;
        bystander.rotate().await;
        for case in test_cases {
            assert_eq!(case.writes(), Vec::<String>::new(), "{:?}", case.target);
            let value = case.value("a");
            apply(&case, json!([from("two")]), json!([])).await;
            case.wait_ready("bulk").await;
            case.wait_held(&[("SAME", &value)]).await;
            case.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: C-14
#[test]
fn a_key_that_is_no_name_at_the_provider_stalls_alone_until_it_is_mapped() {
    run(at_each_api(async |case| {
        let (one, two) = (case.value("one"), case.value("two"));
        case.secret("bulk", &[("tls.crt", &one), ("GOOD", &two)])
            .await;
        let mut from = json!({"secretRef": {"name": "bulk"}});
        apply(&case, json!([from]), json!([])).await;
        if matches!(case.target, Target::PrimeIntellect | Target::Pipecat) {
            let object = case.wait_reason("bulk", "InvalidKeyName").await;
            assert!(condition(&object, "Stalled").is_some());
            assert_eq!(entry(&object, "tls.crt").1, Some("InvalidKeyName"));
            assert_eq!(summary(&object), Some("1/2"));
            case.wait_held(&[("GOOD", &two)]).await;
        } else {
            case.wait_ready("bulk").await;
            case.wait_held(&[("GOOD", &two), ("tls.crt", &one)]).await;
        }
        from["nameTransform"] = "UpperSnake".into();
        apply(&case, json!([from]), json!([])).await;
        let object = case.wait_ready("bulk").await;
        assert_eq!(summary(&object), Some("2/2"));
        assert_eq!(case.held().get("TLS_CRT"), Some(&one));
        case.finish_leaving(&["tls.crt"]).await;
    }));
}

/// Cases: C-14
#[test]
fn names_that_baseten_takes_for_one_are_refused_before_any_write() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::BasetenTeam).await;
        let value = case.value("a");
        case.secret("bulk", &[("hf-token", &value), ("hf_token", &value)])
            .await;
        apply(&case, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
        let object = case.wait_reason("bulk", "Conflict").await;
        assert!(condition(&object, "Stalled").is_some());
        assert_eq!(case.writes(), Vec::<String>::new());
        case.finish().await;
    });
}

/// Cases: C-04, C-05
#[test]
fn keys_come_and_go_and_nothing_is_deleted() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let (one, two) = (case.value("one"), case.value("two"));
            apply(&case, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
            assert_waits(&case.wait_reason("bulk", "SecretNotFound").await);
            assert_eq!(case.account.requests().len(), 0, "{target:?}");
            case.secret("bulk", &[("ONE", &one)]).await;
            case.wait_ready("bulk").await;
            let first = case.writes().len();
            case.secret("bulk", &[("ONE", &one), ("TWO", &two)]).await;
            case.wait_held(&[("ONE", &one), ("TWO", &two)]).await;
            case.wait("bulk", "2/2", |object| summary(object) == Some("2/2"))
                .await;
            assert_eq!(
                case.writes().len(),
                first + 1,
                "{target:?} {:?}",
                case.writes()
            );
            // A key that goes leaves status and stays at the provider.
            case.secret("bulk", &[("TWO", &two)]).await;
            let object = case
                .wait("bulk", "1/1", |object| summary(object) == Some("1/1"))
                .await;
            entry(&object, "TWO");
            case.secret("bulk", &[]).await;
            assert_waits(&case.wait_reason("bulk", "KeyNotFound").await);
            case.delete_secret("bulk").await;
            assert_waits(&case.wait_reason("bulk", "SecretNotFound").await);
            case.wait_held(&[("ONE", &one), ("TWO", &two)]).await;
            assert_eq!(
                case.writes().len(),
                first + 1,
                "{target:?} {:?}",
                case.writes()
            );
            case.finish_leaving(&["ONE", "TWO"]).await;
        }))
        .await;
    });
}

/// Cases: C-13
#[test]
fn five_hundred_entries_are_written() {
    run(async {
        let env = TestEnv::shared().await;
        for target in [Target::Pipecat, Target::PrimeIntellect] {
            let case = TestCase::new(env, target).await;
            let names: Vec<String> = (0..500).map(|index| format!("K{index:03}")).collect();
            let value = case.value("a");
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
            case.secret("bulk", &many).await;
            apply(&case, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
            let object = case.wait_ready("bulk").await;
            assert_eq!(summary(&object), Some("500/500"));
            case.wait_held(&many).await;
            case.finish().await;
        }
    });
}

/// Status has the former names beside the new ones until they are gone.
/// Cases: C-13
#[test]
fn all_names_of_a_large_object_may_change_at_once_under_delete() {
    run(async {
        let env = TestEnv::shared().await;
        for target in [Target::Pipecat, Target::PrimeIntellect] {
            let case = TestCase::new(env, target).await;
            let names: Vec<String> = (0..300).map(|index| format!("K{index:03}")).collect();
            let value = case.value("a");
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
            case.secret("bulk", &many).await;
            let mut spec = json!({
                "provider": case.provider(),
                "deletionPolicy": "Delete",
                "dataFrom": [{"secretRef": {"name": "bulk"}}],
            });
            case.apply("bulk", spec.clone())
                .await
                .expect("it is applied");
            case.wait_ready("bulk").await;
            case.wait_held(&many).await;
            spec["dataFrom"][0]["prefix"] = "APP_".into();
            case.apply("bulk", spec).await.expect("it is applied");
            let names = names.iter().map(|name| format!("APP_{name}"));
            let names: Vec<String> = names.collect();
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
            case.wait_held(&many).await;
            let object = case.wait_ready("bulk").await;
            assert_eq!(summary(&object), Some("300/300"));
            case.finish().await;
        }
    });
}

/// What was written before the provider asked for patience is not written again.
/// Cases: C-13
#[test]
fn many_entries_go_on_after_a_pause_where_it_had_ended_them() {
    run(async {
        let env = TestEnv::shared().await;
        // Pipecat writes all entries in one request.
        let each = Target::ALL
            .into_iter()
            .filter(|target| *target != Target::Pipecat);
        join_all(each.map(async |target| {
            let case = TestCase::new(env, target).await;
            let pause = Fault::status(429).header("retry-after", "1");
            let pause = pause.method(target.create_method()).skip(10);
            case.account.add_fault(pause);
            let names: Vec<String> = (0..20).map(|index| format!("K{index:02}")).collect();
            let value = case.value("a");
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
            case.secret("bulk", &many).await;
            apply(&case, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
            case.wait_held(&many).await;
            let object = case.wait_ready("bulk").await;
            assert_eq!(summary(&object), Some("20/20"));
            let writes = case.writes();
            assert_eq!(writes.len(), 21, "{target:?} {writes:?}");
            case.finish().await;
        }))
        .await;
    });
}
