//! Options of entries and of `spec.dataFrom`: bounds, and which provider they belong to.

use serde_json::{Value, json};

use super::{assert_refused, case, entry, message, offer, with_data, with_source};
use crate::harness::run;

/// Offers an entry with these options of a provider in an object for `member`.
async fn offered(member: &str, options: &str, cases: Vec<(Value, Option<&str>)>) {
    let case = case().await;
    for (fields, refusal) in cases {
        let mut entry = entry("A_KEY");
        entry[options] = fields.clone();
        let offered = offer(&case, "object", &with_data(member, &json!([entry]))).await;
        match refusal {
            None => assert_eq!(offered, Ok(()), "{member} {fields}"),
            Some(words) => assert_refused(&format!("{member} {fields}"), offered, &[words]),
        }
    }
    case.finish().await;
}

#[test]
fn options_belong_to_their_provider() {
    run(async {
        for options in ["braintrust", "primeIntellect"] {
            for member in ["baseten", "primeIntellect", "pipecat", "braintrust"] {
                let fields = json!({});
                if member == options {
                    offered(member, options, vec![(fields, None)]).await;
                } else {
                    let words = format!("data[].{options} is for the ");
                    offered(member, options, vec![(fields, Some(&words))]).await;
                }
            }
        }
    });
}

#[test]
fn options_of_braintrust_have_bounds() {
    let metadata = |count: usize| {
        let fields = (0..count).map(|number| (number.to_string(), Value::from(number)));
        json!({"metadata": fields.collect::<serde_json::Map<_, _>>()})
    };
    let kind = |length: usize| json!({"type": "a".repeat(length)});
    let path = Some("spec.data[0].braintrust.type");
    let cases = vec![
        (
            json!({"type": "openai", "metadata": {"a": {"b": [1, "2", null]}}}),
            None,
        ),
        (metadata(64), None),
        (metadata(65), Some("spec.data[0].braintrust.metadata")),
        (json!({"metadata": "text"}), Some("metadata")),
        (json!({"metadata": ["list"]}), Some("metadata")),
        (kind(255), None),
        (kind(256), path),
        (kind(0), path),
        (json!({"type": "a\n"}), path),
    ];
    run(offered("braintrust", "braintrust", cases));
}

#[test]
fn options_of_prime_intellect_have_bounds() {
    let description = |length: usize| json!({"description": "ä".repeat(length)});
    let cases = vec![
        (json!({"description": "", "isFile": true}), None),
        (description(500), None),
        (description(501), Some("primeIntellect.description")),
        (json!({"isFile": "yes"}), Some("isFile")),
    ];
    run(offered("primeIntellect", "primeIntellect", cases));
}

#[test]
fn whether_an_entry_is_a_file_cannot_change() {
    run(async {
        let case = case().await;
        let file = |is_file: Value| {
            let mut entry = entry("A_KEY");
            entry["primeIntellect"] = json!({"isFile": is_file});
            with_data("primeIntellect", &json!([entry]))
        };
        let (yes, no) = (file(true.into()), file(false.into()));
        let absent = with_data("primeIntellect", &json!([entry("A_KEY")]));
        let words = "isFile cannot change";
        for (name, first, others, same) in [
            ("file", &yes, [&no, &absent], &yes),
            ("text", &no, [&yes, &yes], &absent),
            ("unsaid", &absent, [&yes, &yes], &no),
        ] {
            case.apply(name, first.clone())
                .await
                .expect("an object is applied");
            for other in others {
                let result = message(case.apply(name, other.clone()).await);
                assert_refused(name, result, &[words]);
            }
            case.apply(name, same.clone())
                .await
                .expect("the same is no change");
        }
        // Another entry may be what it likes, and so may the options beside it.
        let mut more = yes.clone();
        more["data"][0]["primeIntellect"]["description"] = "a file".into();
        more["data"]
            .as_array_mut()
            .expect("entries")
            .insert(0, entry("ANOTHER"));
        case.apply("file", more).await.expect("an entry is added");
        case.finish().await;
    });
}

#[test]
fn bulk_sources_have_bounds() {
    run(async {
        let case = case().await;
        let text = |length: usize| "a".repeat(length);
        let many = |count: usize, length: usize| vec![text(length); count];
        let cases = [
            (
                json!({"nameTransform": "UpperSnake", "prefix": "APP_", "include": ["*_KEY"]}),
                None,
            ),
            (
                json!({"nameTransform": "upperSnake"}),
                Some("nameTransform"),
            ),
            (json!({"nameTransform": ""}), Some("nameTransform")),
            (json!({"prefix": text(128)}), None),
            (
                json!({"prefix": text(129)}),
                Some("spec.dataFrom[0].prefix"),
            ),
            (json!({"prefix": ""}), Some("spec.dataFrom[0].prefix")),
            (json!({"prefix": "a/"}), Some("spec.dataFrom[0].prefix")),
            (json!({"prefix": ".."}), Some("spec.dataFrom[0].prefix")),
            (
                json!({"include": many(64, 253), "exclude": many(64, 253)}),
                None,
            ),
            (
                json!({"include": many(65, 1)}),
                Some("spec.dataFrom[0].include"),
            ),
            (
                json!({"exclude": many(65, 1)}),
                Some("spec.dataFrom[0].exclude"),
            ),
            (
                json!({"include": many(1, 254)}),
                Some("spec.dataFrom[0].include[0]"),
            ),
            (
                json!({"exclude": many(1, 254)}),
                Some("spec.dataFrom[0].exclude[0]"),
            ),
            (
                json!({"include": [""]}),
                Some("spec.dataFrom[0].include[0]"),
            ),
        ];
        for (fields, refusal) in cases {
            let offered = offer(&case, "object", &with_source(&fields)).await;
            match refusal {
                None => assert_eq!(offered, Ok(()), "{fields}"),
                Some(path) => assert_refused(&fields.to_string(), offered, &[path]),
            }
        }
        case.finish().await;
    });
}
