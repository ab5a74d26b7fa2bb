//! `spec.data`: names and references that the API server refuses.

use serde_json::{Value, json};

use super::{assert_refused, case, entry, offer, spec, with_data, with_source};
use crate::harness::run;

#[test]
fn something_must_be_sent() {
    run(async {
        let case = case().await;
        let mut nothing = spec("baseten", &json!({}));
        nothing.as_object_mut().expect("a spec").remove("data");
        let words = "name what to send: give data, dataFrom or both";
        assert_refused("nothing", offer(&case, "object", &nothing).await, &[words]);
        // As an empty loop of a chart leaves them.
        let (none, empty) = (Value::Null, json!([]));
        for (data, data_from) in [
            (&empty, &none),
            (&none, &empty),
            (&empty, &empty),
            (&none, &none),
        ] {
            let mut nothing = nothing.clone();
            nothing["data"] = data.clone();
            nothing["dataFrom"] = data_from.clone();
            let refused = offer(&case, "object", &nothing).await;
            assert_refused(&nothing.to_string(), refused, &[words]);
        }
        nothing["dataFrom"] = json!([{"secretRef": {"name": "none"}}]);
        for data in [&none, &empty] {
            nothing["data"] = data.clone();
            assert_eq!(offer(&case, "object", &nothing).await, Ok(()), "{data}");
        }
        case.finish().await;
    });
}

/// Cases: B-02
#[test]
fn a_name_is_plain_and_bounded() {
    run(async {
        let case = case().await;
        let just = "A".repeat(255);
        for good in ["A", "a", "0", "_a", "A_b-9.c", "a..b", &just] {
            let spec = with_data("baseten", &json!([entry(good)]));
            assert_eq!(offer(&case, "object", &spec).await, Ok(()), "{good:?}");
        }
        let long = "A".repeat(256);
        let bad = [
            "",
            ".",
            "..",
            "-a",
            ".a",
            "a/b",
            "../a",
            "a b",
            " a",
            "a\n",
            "\na",
            "a\u{0}",
            "a\u{1b}[0m",
            "a\u{1}",
            "a%2fb",
            "a?b",
            "a#b",
            "a\\b",
            "\u{0391}",
            "a\u{200b}",
            "ａ",
            &long,
        ];
        for name in bad {
            let spec = with_data("baseten", &json!([entry(name)]));
            let offered = offer(&case, "object", &spec).await;
            assert_refused(&format!("{name:?}"), offered, &["spec.data[0].name"]);
        }
        let nameless = with_data(
            "baseten",
            &json!([{"secretKeyRef": {"name": "none", "key": "a"}}]),
        );
        assert_refused(
            "no name",
            offer(&case, "object", &nameless).await,
            &["name"],
        );
        case.finish().await;
    });
}

/// Cases: C-14
#[test]
fn each_provider_has_rules_of_its_own_for_names() {
    run(async {
        let case = case().await;
        let prime = "PrimeIntellect names start with an upper-case letter";
        let pipecat = "Pipecat key names hold letters, digits, - and _ only";
        let (just, over) = ("A".repeat(64), "A".repeat(65));
        let cases: [(&str, &str, Option<&str>); 19] = [
            ("primeIntellect", "API_KEY_2", None),
            ("primeIntellect", &over, None),
            ("primeIntellect", "api_key", Some(prime)),
            ("primeIntellect", "API-KEY", Some(prime)),
            ("primeIntellect", "API.KEY", Some(prime)),
            ("primeIntellect", "_API", Some(prime)),
            ("primeIntellect", "2API", Some(prime)),
            ("primeIntellect", "APIx", Some(prime)),
            ("pipecat", "api-key_2", None),
            ("pipecat", "2", None),
            ("pipecat", &just, None),
            ("pipecat", &over, Some(pipecat)),
            ("pipecat", "api.key", Some(pipecat)),
            ("baseten", "api.key-2", None),
            ("baseten", "2", None),
            ("baseten", &over, None),
            ("braintrust", "api.key-2", None),
            ("braintrust", "2", None),
            ("braintrust", &over, None),
        ];
        for (member, name, refusal) in cases {
            let spec = with_data(member, &json!([entry("GOOD"), entry(name)]));
            let offered = offer(&case, "object", &spec).await;
            match refusal {
                None => assert_eq!(offered, Ok(()), "{member} {name}"),
                Some(words) => assert_refused(&format!("{member} {name}"), offered, &[words]),
            }
        }
        case.finish().await;
    });
}

/// Cases: B-06
#[test]
fn a_name_is_given_once() {
    run(async {
        let case = case().await;
        let data = json!([entry("TWICE"), entry("ONCE"), entry("TWICE")]);
        let twice = with_data("baseten", &data);
        let offered = offer(&case, "object", &twice).await;
        assert_refused("server-side apply", offered, &["spec.data", "TWICE"]);
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "twice"},
            "spec": twice,
        });
        let created = case
            .kubectl_refused(&["create", "-f", "-"], Some(&object.to_string()))
            .await;
        assert!(
            created.contains("Duplicate value") && created.contains("spec.data[2]"),
            "{created}"
        );
        case.finish().await;
    });
}

/// Cases: H-01
#[test]
fn references_are_names_of_this_namespace() {
    run(async {
        let case = case().await;
        let (just, over) = ("a".repeat(253), "a".repeat(254));
        let names = [
            "", "..", "UPPER", "a/b", "a_b", "-a", "a-", "a..b", "a\n", &over,
        ];
        let keys = ["", "a/b", "a b", "a\n", "ä", &over];
        let refer = |name: &str, key: &str| json!({"name": name, "key": key});
        let entries = |reference: &Value| {
            with_data(
                "baseten",
                &json!([{"name": "A", "secretKeyRef": reference}]),
            )
        };
        let credentials = |reference: &Value| {
            let mut spec = spec("baseten", &json!({}));
            spec["provider"]["baseten"]["apiKeySecretRef"] = reference.clone();
            spec
        };
        let good = refer(&just, &just);
        assert_eq!(offer(&case, "object", &entries(&good)).await, Ok(()));
        assert_eq!(offer(&case, "object", &credentials(&good)).await, Ok(()));
        for name in names {
            let reference = refer(name, "a");
            let offered = offer(&case, "object", &entries(&reference)).await;
            assert_refused(name, offered, &["spec.data[0].secretKeyRef.name"]);
            let offered = offer(&case, "object", &credentials(&reference)).await;
            assert_refused(
                name,
                offered,
                &["spec.provider.baseten.apiKeySecretRef.name"],
            );
            let source = with_source(&json!({"secretRef": {"name": name}}));
            let offered = offer(&case, "object", &source).await;
            assert_refused(name, offered, &["spec.dataFrom[0].secretRef.name"]);
        }
        for key in keys {
            let reference = refer("a", key);
            let offered = offer(&case, "object", &entries(&reference)).await;
            assert_refused(key, offered, &["spec.data[0].secretKeyRef.key"]);
            let offered = offer(&case, "object", &credentials(&reference)).await;
            assert_refused(key, offered, &["spec.provider.baseten.apiKeySecretRef.key"]);
        }
        for missing in [json!({}), json!({"name": "a"}), json!({"key": "a"})] {
            let offered = offer(&case, "object", &entries(&missing)).await;
            assert_refused(
                "half a reference",
                offered,
                &["secretKeyRef", "Required value"],
            );
            let offered = offer(&case, "object", &credentials(&missing)).await;
            assert_refused(
                "half a reference",
                offered,
                &["apiKeySecretRef", "Required value"],
            );
        }
        case.finish().await;
    });
}
