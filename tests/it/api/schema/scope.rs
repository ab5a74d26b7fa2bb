//! Whose secrets they are cannot change; which key opens them can.

use serde_json::{Value, json};

use super::{assert_refused, case, message, offer, spec};
use crate::harness::run;

/// Every scope field with two good values.
const FIELDS: [(&str, &str, [&str; 2]); 9] = [
    ("baseten", "teamId", ["one", "two"]),
    ("baseten", "endpoint", ["one", "two"]),
    ("primeIntellect", "teamId", ["one", "two"]),
    ("primeIntellect", "endpoint", ["one", "two"]),
    ("pipecat", "setName", ["one", "two"]),
    ("pipecat", "region", ["us-west", "us-east"]),
    ("pipecat", "endpoint", ["one", "two"]),
    ("braintrust", "orgName", ["One Inc.", "Two Inc."]),
    ("braintrust", "endpoint", ["default", "eu"]),
];

/// Cases: B-04
#[test]
fn a_scope_field_cannot_be_set_changed_or_taken_away() {
    run(async {
        let case = case().await;
        for (member, field, [one, two]) in FIELDS {
            let with = |value: &str| spec(member, &json!({field: value}));
            let without = spec(member, &json!({}));
            let name = |state: &str| format!("{member}-{field}-{state}").to_lowercase();
            let (given, absent) = (name("given"), name("absent"));
            case.apply(&given, with(one))
                .await
                .expect("an object is applied");
            case.apply(&absent, without.clone())
                .await
                .expect("an object is applied");
            let cases: [(&str, &str, Value); 3] = [
                ("changed", &given, with(two)),
                ("taken away", &given, without.clone()),
                ("set", &absent, with(one)),
            ];
            for (what, name, next) in cases {
                let what = format!("{member}.{field} {what}");
                let result = message(case.apply(name, next).await);
                assert_refused(&what, result, &[field, "cannot change", "create a new"]);
            }
            let nulled = json!({"spec": {"provider": {member: {field: null}}}});
            let result = message(case.patch(&given, nulled).await);
            assert_refused(
                &format!("{member}.{field} nulled"),
                result,
                &["cannot change"],
            );
            case.apply(&given, with(one))
                .await
                .expect("the same again is no change");
            case.apply(&absent, without)
                .await
                .expect("the same again is no change");
        }
        case.finish().await;
    });
}

#[test]
fn the_reference_to_the_api_key_can_change() {
    run(async {
        let case = case().await;
        for member in ["baseten", "primeIntellect", "pipecat", "braintrust"] {
            let name = format!("mutable-{}", member.to_lowercase());
            let mut spec = spec(member, &json!({}));
            case.apply(&name, spec.clone())
                .await
                .expect("an object is applied");
            spec["provider"][member]["apiKeySecretRef"] = json!({"name": "other", "key": "other"});
            case.apply(&name, spec)
                .await
                .expect("the reference changes");
        }
        case.finish().await;
    });
}

/// Cases: B-02, H-07, H-11
#[test]
fn scope_fields_have_bounds_and_no_way_out_of_a_path() {
    run(async {
        let case = case().await;
        let long = |length: usize| "a".repeat(length);
        let cases: [(&str, &str, Vec<String>, Vec<String>); 5] = [
            (
                "baseten",
                "teamId",
                vec![long(1), long(128), "A_b-9".into()],
                vec![long(129)],
            ),
            (
                "primeIntellect",
                "teamId",
                vec![long(1), long(128)],
                vec![long(129)],
            ),
            (
                "pipecat",
                "setName",
                vec![long(3), long(63), "a.b-c".into()],
                vec![
                    long(2),
                    long(64),
                    "UPPER".into(),
                    "under_score".into(),
                    "-abc".into(),
                    "abc-".into(),
                    "a..b".into(),
                ],
            ),
            (
                "pipecat",
                "region",
                vec!["us-west".into(), long(63)],
                vec![long(64), "US".into()],
            ),
            (
                "baseten",
                "endpoint",
                vec!["eu".into(), long(63)],
                vec![long(64), "https://example.com".into(), "EU".into()],
            ),
        ];
        for (member, field, good, bad) in cases {
            for value in good {
                let offered = offer(&case, "object", &spec(member, &json!({field: value}))).await;
                assert_eq!(offered, Ok(()), "{member}.{field} {value:?}");
            }
            let always = ["", ".", "..", "a/b", "a\n", "a\u{0}", "a b", "a%2fb", "ä"];
            for value in always.map(str::to_owned).into_iter().chain(bad) {
                let offered = offer(&case, "object", &spec(member, &json!({field: value}))).await;
                let path = format!("spec.provider.{member}.{field}");
                assert_refused(&format!("{path} {value:?}"), offered, &[&path]);
            }
        }
        // An organization has a name for people.
        let (just, over) = (long(255), long(256));
        for value in ["", "a\n", "a\u{1}", &over] {
            let spec = spec("braintrust", &json!({"orgName": value}));
            let offered = offer(&case, "object", &spec);
            let path = "spec.provider.braintrust.orgName";
            assert_refused(&format!("{path} {value:?}"), offered.await, &[path]);
        }
        for value in ["Ünïcode & Söhne", &just] {
            let spec = spec("braintrust", &json!({"orgName": value}));
            assert_eq!(offer(&case, "object", &spec).await, Ok(()), "{value:?}");
        }
        case.finish().await;
    });
}

#[test]
fn an_object_whose_name_is_no_set_name_must_give_one() {
    run(async {
        let case = case().await;
        let plain = spec("pipecat", &json!({}));
        let named = spec("pipecat", &json!({"setName": "agents"}));
        for (name, is_set_name) in [
            ("ab".to_owned(), false),
            ("abc".to_owned(), true),
            ("a.b-c".to_owned(), true),
            ("a".repeat(63), true),
            ("a".repeat(64), false),
            ("a".repeat(253), false),
        ] {
            assert_eq!(offer(&case, &name, &named).await, Ok(()), "{name}");
            let offered = offer(&case, &name, &plain).await;
            if is_set_name {
                assert_eq!(offered, Ok(()), "{name}");
            } else {
                let parts = ["is not a Pipecat set name", "spec.provider.pipecat.setName"];
                assert_refused(&name, offered, &parts);
            }
            // Other providers do not care.
            assert_eq!(
                offer(&case, &name, &spec("baseten", &json!({}))).await,
                Ok(())
            );
        }
        case.finish().await;
    });
}
