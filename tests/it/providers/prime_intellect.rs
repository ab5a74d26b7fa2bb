//! PrimeIntellect: three ways to name a team, answers without data, files, and what a refusal quotes.

mod names;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use simulator::{
    Fault, Provider,
    prime_intellect::{ErrorShape, NewAccount, WriteAnswer},
};

use super::{assert_stalled, bodies, by_hand, case, entry, requests, spec};
use crate::harness::{Target, TestCase, run};

fn vendor(case: &TestCase<'_>) -> simulator::prime_intellect::PrimeIntellect {
    case.env.simulator().prime_intellect()
}

/// An entry that is a file.
fn file(name: &str) -> Value {
    let mut entry = entry(name);
    entry["primeIntellect"] = json!({"isFile": true});
    entry
}

#[test]
fn a_team_goes_into_the_body_of_a_creation_and_into_the_query_of_the_rest() {
    run(async {
        let mut case = case(Target::PrimeIntellect).await;
        case.key = format!("{}-team", case.key);
        let account = NewAccount::new(format!("{}-team", case.namespace), case.key.as_str());
        let account = vendor(&case).add_account(account.team("team9").team("team8"));
        case.account = account.expect("an account is added");
        case.secret("credential", &[("api-key", &case.key)]).await;
        for other in [None, Some("team8")] {
            case.account
                .foreign_write(other, "TOKEN", "foreign")
                .expect("written");
        }
        let (value, rotated) = (case.value("one"), case.value("two"));
        case.secret("source", &[("a", &value)]).await;
        let mut spec = spec(&case, &json!([entry("TOKEN")]));
        spec["provider"]["primeIntellect"]["teamId"] = "team9".into();
        case.apply("team", spec)
            .await
            .expect("an object is applied");
        let status = case.wait_ready("team").await.status.expect("a status");
        assert_eq!(status.scope.as_deref(), Some("team9"));
        case.secret("source", &[("a", &rotated)]).await;
        case.wait("team", "rotated", |_| {
            case.account.values(Some("team9"))["TOKEN"] == rotated
        })
        .await;
        let sent = json!({"name": "TOKEN", "value": value, "isFile": false, "teamId": "team9"});
        assert_eq!(bodies(&case, "POST"), [sent]);
        assert_eq!(bodies(&case, "PATCH"), [json!({"value": rotated})]);
        for request in case.account.requests() {
            let query = request.query.unwrap_or_default();
            let has_team = query.split('&').any(|pair| pair == "teamId=team9");
            assert_eq!(
                has_team,
                request.method != "POST",
                "{} {query}",
                request.method
            );
        }
        for other in [None, Some("team8")] {
            assert_eq!(case.account.values(other)["TOKEN"], "foreign");
        }
        case.finish().await;
    });
}

#[test]
fn answers_without_data_lead_to_no_duplicate() {
    run(async {
        let case = case(Target::PrimeIntellect).await;
        vendor(&case).set_variants(&case.account, |variants| {
            variants.write_answer = WriteAnswer::Null;
            variants.duplicate = simulator::prime_intellect::Duplicate::Silent;
        });
        case.source("0").await;
        case.object("null", &[("TOKEN", "source", "a")]).await;
        case.wait_ready("null").await;
        for rotation in ["1", "2", "3"] {
            let value = case.value(rotation);
            case.secret("source", &[("a", &value)]).await;
            case.wait_held(&[("TOKEN", &value)]).await;
            case.wait_ready("null").await;
        }
        assert_eq!(vendor(&case).secrets(&case.account, None).len(), 1);
        assert_eq!(bodies(&case, "POST").len(), 1);
        assert_eq!(bodies(&case, "PATCH").len(), 3);
        case.finish().await;
    });
}

#[test]
fn a_file_of_any_bytes_arrives_in_base64() {
    run(async {
        let case = case(Target::PrimeIntellect).await;
        let bytes =
            |mark: u8| [case.value("file").as_bytes(), &[0, 0xff, 0xfe, b'\n', mark]].concat();
        let source = async |mark: u8| {
            let bytes = bytes(mark);
            case.binary_secret("source", &BTreeMap::from([("a", bytes.as_slice())]))
                .await;
            STANDARD.encode(bytes)
        };
        let first = source(1).await;
        case.apply("file", spec(&case, &json!([file("FILE")])))
            .await
            .expect("applied");
        case.wait_ready("file").await;
        assert_eq!(
            bodies(&case, "POST"),
            [json!({"name": "FILE", "value": first, "isFile": true})]
        );
        assert!(vendor(&case).secrets(&case.account, None)[0].is_file);
        let second = source(2).await;
        case.wait_held(&[("FILE", &second)]).await;
        assert_eq!(bodies(&case, "PATCH"), [json!({"value": second})]);
        // The largest file is 64 KB in base64.
        let largest = vec![0; 48 * 1024];
        case.binary_secret("source", &BTreeMap::from([("a", largest.as_slice())]))
            .await;
        case.wait_held(&[("FILE", &STANDARD.encode(&largest))])
            .await;
        case.wait_ready("file").await;
        let before = case.writes();
        let larger = vec![0; 48 * 1024 + 1];
        case.binary_secret("source", &BTreeMap::from([("a", larger.as_slice())]))
            .await;
        let object = case.wait_reason("file", "ValueTooLarge").await;
        assert_stalled(&object, "ValueTooLarge", "64 KB");
        assert_eq!(case.writes(), before);
        case.finish().await;
    });
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_are_no_file() {
    run(async {
        let case = case(Target::PrimeIntellect).await;
        let bytes = [case.value("binary").as_bytes(), &[0xff]].concat();
        case.binary_secret("source", &BTreeMap::from([("a", bytes.as_slice())]))
            .await;
        case.object("binary", &[("TOKEN", "source", "a")]).await;
        let object = case.wait_reason("binary", "InvalidEncoding").await;
        assert_stalled(&object, "InvalidEncoding", "TOKEN");
        assert_eq!(case.writes(), Vec::<String>::new());
        case.finish().await;
    });
}

#[test]
fn text_does_not_become_a_file_nor_a_file_text() {
    run(async {
        let case = case(Target::PrimeIntellect).await;
        case.account
            .foreign_write(None, "TEXT", "foreign")
            .expect("written");
        let body = json!({"name": "FILE", "value": STANDARD.encode("foreign"), "isFile": true});
        by_hand(
            &case,
            Provider::PrimeIntellect,
            "POST",
            "/api/v1/secrets/",
            &body,
        )
        .await;
        case.source("one").await;
        let before = case.writes();
        for (name, entry, words) in [
            ("to-file", file("TEXT"), "not a file"),
            ("to-text", entry("FILE"), "a file"),
        ] {
            case.apply(name, spec(&case, &json!([entry])))
                .await
                .expect("applied");
            let object = case.wait_reason(name, "Unsupported").await;
            assert_stalled(&object, "Unsupported", words);
        }
        assert_eq!(case.writes(), before);
        assert_eq!(case.held()["TEXT"], "foreign");
        case.finish().await;
    });
}

#[test]
fn a_refusal_in_either_shape_is_not_quoted() {
    run(async {
        for shape in [ErrorShape::Errors, ErrorShape::Detail] {
            let case = case(Target::PrimeIntellect).await;
            let value = case.value("one");
            let quoted = format!("{value} {}", case.key);
            let body = match shape {
                ErrorShape::Errors => json!({"errors": [{"param": "value", "details": quoted}]}),
                ErrorShape::Detail => json!({"detail": [{"loc": ["body", quoted], "msg": quoted}]}),
            };
            let fault = Fault::status(422)
                .method("POST")
                .forever()
                .body(&body.to_string());
            case.account.add_fault(fault);
            case.secret("source", &[("a", &value)]).await;
            case.object("refused", &[("TOKEN", "source", "a")]).await;
            let object = case.wait_reason("refused", "Rejected").await;
            assert_stalled(&object, "Rejected", "answered 422 for entry TOKEN");
            case.finish().await;
        }
    });
}

#[test]
fn a_description_is_sent_where_it_is_managed_and_left_alone_where_it_is_not() {
    run(async {
        let case = case(Target::PrimeIntellect).await;
        let value = case.value("one");
        case.secret("source", &[("a", &value)]).await;
        let body = json!({"name": "KEPT", "value": "foreign", "description": "by hand"});
        by_hand(
            &case,
            Provider::PrimeIntellect,
            "POST",
            "/api/v1/secrets/",
            &body,
        )
        .await;
        let mut managed = entry("MANAGED");
        managed["primeIntellect"] = json!({"description": "first"});
        let data = json!([entry("KEPT"), managed]);
        case.apply("described", spec(&case, &data))
            .await
            .expect("applied");
        case.wait_ready("described").await;
        let described = |name: &str| {
            let secrets = vendor(&case).secrets(&case.account, None);
            let mut secrets = secrets.into_iter();
            secrets
                .find(|secret| secret.name == name)
                .and_then(|secret| secret.description)
        };
        assert_eq!(described("KEPT").as_deref(), Some("by hand"));
        assert_eq!(described("MANAGED").as_deref(), Some("first"));
        // A change of the description alone is a change, of that entry.
        let before = case.writes().len();
        managed["primeIntellect"]["description"] = "second".into();
        let data = json!([entry("KEPT"), managed]);
        case.apply("described", spec(&case, &data))
            .await
            .expect("applied");
        case.wait_ready("described").await;
        assert_eq!(described("MANAGED").as_deref(), Some("second"));
        assert_eq!(case.writes().len(), before + 1);
        case.wait_held(&[("KEPT", &value), ("MANAGED", &value)])
            .await;
        assert!(requests(&case, "DELETE").is_empty());
        case.finish().await;
    });
}
