//! The one source of an entry: a key, or a template with its Secret.

use serde_json::{Value, json};

use super::{assert_refused, case, entry, message, offer, template, with_data};
use crate::harness::run;

/// The entry with these fields added.
fn with(mut entry: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("fields") {
        entry[name] = value.clone();
    }
    entry
}

#[test]
fn an_entry_has_exactly_one_source() {
    run(async {
        let case = case().await;
        let one = "give each entry one source: secretKeyRef for a key as it is, or template with secretRef for a text made of keys";
        let both = "template and secretRef belong together: give both, or secretKeyRef alone";
        let reference = json!({"name": "none"});
        let nothing = json!({"name": "A"});
        let cases = [
            (entry("A"), vec![]),
            (template("A", "{{ a }}"), vec![]),
            (nothing.clone(), vec![one]),
            (
                with(
                    entry("A"),
                    &json!({"template": "x", "secretRef": reference}),
                ),
                vec![one],
            ),
            (with(entry("A"), &json!({"template": "x"})), vec![one, both]),
            (
                with(entry("A"), &json!({"secretRef": reference})),
                vec![both],
            ),
            (with(nothing.clone(), &json!({"template": "x"})), vec![both]),
            (
                with(nothing.clone(), &json!({"secretRef": reference})),
                vec![one, both],
            ),
            // A null is no source.
            (
                with(nothing.clone(), &json!({"secretKeyRef": null})),
                vec![one],
            ),
            (
                with(entry("A"), &json!({"template": null, "secretRef": null})),
                vec![],
            ),
        ];
        for (entry, refusals) in cases {
            let spec = with_data("baseten", &json!([super::entry("GOOD"), entry]));
            let offered = offer(&case, "object", &spec).await;
            if refusals.is_empty() {
                assert_eq!(offered, Ok(()), "{entry}");
            } else {
                assert_refused(&entry.to_string(), offered, &refusals);
            }
        }
        case.finish().await;
    });
}

#[test]
fn a_template_has_4_kibibytes_at_most() {
    run(async {
        let case = case().await;
        let offered = async |length: usize| {
            let entry = template("A", &"a".repeat(length));
            offer(&case, "object", &with_data("baseten", &json!([entry]))).await
        };
        assert_eq!(offered(4096).await, Ok(()));
        for length in [0, 4097] {
            let refused = offered(length).await;
            assert_refused("its length", refused, &["spec.data[0].template"]);
        }
        case.finish().await;
    });
}

#[test]
fn a_source_changes_from_one_kind_to_the_other() {
    run(async {
        let case = case().await;
        for entry in [entry("A"), template("A", "{{ a }}"), entry("A")] {
            let applied = case.apply("changes", with_data("baseten", &json!([entry])));
            applied.await.expect("the other source is applied");
        }
        case.finish().await;
    });
}

#[test]
fn five_hundred_templates_are_accepted_and_compared() {
    run(async {
        let case = case().await;
        for member in ["baseten", "primeIntellect", "pipecat", "braintrust"] {
            let name = format!("templates-{}", member.to_lowercase());
            let data = |text: &str| -> Value {
                let number = |number: usize| template(&format!("A{number}"), text);
                (0..500).map(number).collect::<Vec<Value>>().into()
            };
            for text in [&"{{ a }}".repeat(200), "{{ b }}"] {
                let applied = case.apply(&name, with_data(member, &data(text))).await;
                assert_eq!(message(applied), Ok(()), "{member}");
            }
        }
        case.finish().await;
    });
}
