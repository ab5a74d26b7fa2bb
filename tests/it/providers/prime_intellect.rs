//! PrimeIntellect: teams in three places, answers without data, files, and what a refusal quotes.

mod names;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use simulator::{
    Fault, Provider,
    prime_intellect::{ErrorShape, NewAccount, WriteAnswer},
};

use super::{assert_stalled, bodies, by_hand, entry, requests, scene, spec};
use crate::harness::{Scene, Target, run};

fn vendor(scene: &Scene<'_>) -> simulator::prime_intellect::PrimeIntellect {
    scene.stage.simulator().prime_intellect()
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
        let mut scene = scene(Target::PrimeIntellect).await;
        scene.key = format!("{}-team", scene.key);
        let account = NewAccount::new(format!("{}-team", scene.namespace), scene.key.as_str());
        let account = vendor(&scene).add_account(account.team("team9").team("team8"));
        scene.account = account.expect("an account is added");
        scene.secret("credential", &[("api-key", &scene.key)]).await;
        for other in [None, Some("team8")] {
            scene
                .account
                .foreign_write(other, "TOKEN", "foreign")
                .expect("written");
        }
        let (value, rotated) = (scene.value("one"), scene.value("two"));
        scene.secret("source", &[("a", &value)]).await;
        let mut spec = spec(&scene, &json!([entry("TOKEN")]));
        spec["provider"]["primeIntellect"]["teamId"] = "team9".into();
        scene
            .apply("team", spec)
            .await
            .expect("an object is applied");
        let status = scene.wait_ready("team").await.status.expect("a status");
        assert_eq!(status.scope.as_deref(), Some("team9"));
        scene.secret("source", &[("a", &rotated)]).await;
        scene
            .wait("team", "rotated", |_| {
                scene.account.values(Some("team9"))["TOKEN"] == rotated
            })
            .await;
        let sent = json!({"name": "TOKEN", "value": value, "isFile": false, "teamId": "team9"});
        assert_eq!(bodies(&scene, "POST"), [sent]);
        assert_eq!(bodies(&scene, "PATCH"), [json!({"value": rotated})]);
        for request in scene.account.requests() {
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
            assert_eq!(scene.account.values(other)["TOKEN"], "foreign");
        }
        scene.finish().await;
    });
}

#[test]
fn answers_without_data_lead_to_no_duplicate() {
    run(async {
        let scene = scene(Target::PrimeIntellect).await;
        vendor(&scene).set_variants(&scene.account, |variants| {
            variants.write_answer = WriteAnswer::Null;
            variants.duplicate = simulator::prime_intellect::Duplicate::Silent;
        });
        scene.secret("source", &[("a", &scene.value("0"))]).await;
        scene.object("null", &[("TOKEN", "source", "a")]).await;
        scene.wait_ready("null").await;
        for rotation in ["1", "2", "3"] {
            let value = scene.value(rotation);
            scene.secret("source", &[("a", &value)]).await;
            scene.wait_held(&[("TOKEN", &value)]).await;
            scene.wait_ready("null").await;
        }
        assert_eq!(vendor(&scene).secrets(&scene.account, None).len(), 1);
        assert_eq!(bodies(&scene, "POST").len(), 1);
        assert_eq!(bodies(&scene, "PATCH").len(), 3);
        scene.finish().await;
    });
}

#[test]
fn a_file_of_any_bytes_arrives_in_base64() {
    run(async {
        let scene = scene(Target::PrimeIntellect).await;
        let bytes = |mark: u8| {
            [
                scene.value("file").as_bytes(),
                &[0, 0xff, 0xfe, b'\n', mark],
            ]
            .concat()
        };
        let source = async |mark: u8| {
            let bytes = bytes(mark);
            scene
                .binary_secret("source", &BTreeMap::from([("a", bytes.as_slice())]))
                .await;
            STANDARD.encode(bytes)
        };
        let first = source(1).await;
        scene
            .apply("file", spec(&scene, &json!([file("FILE")])))
            .await
            .expect("applied");
        scene.wait_ready("file").await;
        assert_eq!(
            bodies(&scene, "POST"),
            [json!({"name": "FILE", "value": first, "isFile": true})]
        );
        assert!(vendor(&scene).secrets(&scene.account, None)[0].is_file);
        let second = source(2).await;
        scene.wait_held(&[("FILE", &second)]).await;
        assert_eq!(bodies(&scene, "PATCH"), [json!({"value": second})]);
        // The largest file is 64 KB in base64.
        let largest = vec![0; 48 * 1024];
        scene
            .binary_secret("source", &BTreeMap::from([("a", largest.as_slice())]))
            .await;
        scene
            .wait_held(&[("FILE", &STANDARD.encode(&largest))])
            .await;
        scene.wait_ready("file").await;
        let before = scene.writes();
        let larger = vec![0; 48 * 1024 + 1];
        scene
            .binary_secret("source", &BTreeMap::from([("a", larger.as_slice())]))
            .await;
        let object = scene.wait_reason("file", "ValueTooLarge").await;
        assert_stalled(&object, "ValueTooLarge", "64 KB");
        assert_eq!(scene.writes(), before);
        scene.finish().await;
    });
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_are_no_file() {
    run(async {
        let scene = scene(Target::PrimeIntellect).await;
        let bytes = [scene.value("binary").as_bytes(), &[0xff]].concat();
        scene
            .binary_secret("source", &BTreeMap::from([("a", bytes.as_slice())]))
            .await;
        scene.object("binary", &[("TOKEN", "source", "a")]).await;
        let object = scene.wait_reason("binary", "InvalidEncoding").await;
        assert_stalled(&object, "InvalidEncoding", "TOKEN");
        assert_eq!(scene.writes(), Vec::<String>::new());
        scene.finish().await;
    });
}

#[test]
fn text_does_not_become_a_file_nor_a_file_text() {
    run(async {
        let scene = scene(Target::PrimeIntellect).await;
        scene
            .account
            .foreign_write(None, "TEXT", "foreign")
            .expect("written");
        let body = json!({"name": "FILE", "value": STANDARD.encode("foreign"), "isFile": true});
        by_hand(
            &scene,
            Provider::PrimeIntellect,
            "POST",
            "/api/v1/secrets/",
            &body,
        )
        .await;
        scene.secret("source", &[("a", &scene.value("one"))]).await;
        let before = scene.writes();
        for (name, entry, words) in [
            ("to-file", file("TEXT"), "not a file"),
            ("to-text", entry("FILE"), "a file"),
        ] {
            scene
                .apply(name, spec(&scene, &json!([entry])))
                .await
                .expect("applied");
            let object = scene.wait_reason(name, "Unsupported").await;
            assert_stalled(&object, "Unsupported", words);
        }
        assert_eq!(scene.writes(), before);
        assert_eq!(scene.held()["TEXT"], "foreign");
        scene.finish().await;
    });
}

#[test]
fn a_refusal_in_either_shape_is_not_quoted() {
    run(async {
        for shape in [ErrorShape::Errors, ErrorShape::Detail] {
            let scene = scene(Target::PrimeIntellect).await;
            let value = scene.value("one");
            let quoted = format!("{value} {}", scene.key);
            let body = match shape {
                ErrorShape::Errors => json!({"errors": [{"param": "value", "details": quoted}]}),
                ErrorShape::Detail => json!({"detail": [{"loc": ["body", quoted], "msg": quoted}]}),
            };
            let fault = Fault::status(422)
                .method("POST")
                .forever()
                .body(&body.to_string());
            scene.account.add_fault(fault);
            scene.secret("source", &[("a", &value)]).await;
            scene.object("refused", &[("TOKEN", "source", "a")]).await;
            let object = scene.wait_reason("refused", "Rejected").await;
            assert_stalled(&object, "Rejected", "answered 422 for entry TOKEN");
            scene.finish().await;
        }
    });
}

#[test]
fn a_description_is_sent_where_it_is_managed_and_left_alone_where_it_is_not() {
    run(async {
        let scene = scene(Target::PrimeIntellect).await;
        let value = scene.value("one");
        scene.secret("source", &[("a", &value)]).await;
        let body = json!({"name": "KEPT", "value": "foreign", "description": "by hand"});
        by_hand(
            &scene,
            Provider::PrimeIntellect,
            "POST",
            "/api/v1/secrets/",
            &body,
        )
        .await;
        let mut managed = entry("MANAGED");
        managed["primeIntellect"] = json!({"description": "first"});
        let data = json!([entry("KEPT"), managed]);
        scene
            .apply("described", spec(&scene, &data))
            .await
            .expect("applied");
        scene.wait_ready("described").await;
        let described = |name: &str| {
            let secrets = vendor(&scene).secrets(&scene.account, None);
            let mut secrets = secrets.into_iter();
            secrets
                .find(|secret| secret.name == name)
                .and_then(|secret| secret.description)
        };
        assert_eq!(described("KEPT").as_deref(), Some("by hand"));
        assert_eq!(described("MANAGED").as_deref(), Some("first"));
        // A change of the description alone is a change, of that entry.
        let before = scene.writes().len();
        managed["primeIntellect"]["description"] = "second".into();
        let data = json!([entry("KEPT"), managed]);
        scene
            .apply("described", spec(&scene, &data))
            .await
            .expect("applied");
        scene.wait_ready("described").await;
        assert_eq!(described("MANAGED").as_deref(), Some("second"));
        assert_eq!(scene.writes().len(), before + 1);
        scene
            .wait_held(&[("KEPT", &value), ("MANAGED", &value)])
            .await;
        assert!(requests(&scene, "DELETE").is_empty());
        scene.finish().await;
    });
}
