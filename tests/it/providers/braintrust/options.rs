//! Braintrust: the type and the metadata of a secret, managed and not.

use serde_json::{Value, json};

use super::{case_with, held, make_by_hand};
use crate::{
    harness::run,
    providers::{entry, requests, spec},
};

/// The entry `TOKEN` with these options.
fn managed(options: Value) -> Value {
    let mut entry = entry("TOKEN");
    entry["braintrust"] = options;
    entry
}

#[test]
fn managed_options_replace_what_is_there_and_the_others_stay() {
    let (kind, metadata) = (
        json!("anthropic"),
        json!({"api_base": "https://other.example.com"}),
    );
    let cases = [
        (json!({"type": kind}), "anthropic", None),
        (
            json!({"metadata": metadata}),
            "openai",
            Some(metadata.clone()),
        ),
        (
            json!({"type": kind, "metadata": metadata}),
            "anthropic",
            Some(metadata.clone()),
        ),
        (json!({"metadata": {}}), "openai", Some(json!({}))),
        (json!({}), "openai", None),
    ];
    run(async {
        for (options, kind, metadata) in cases {
            let (case, value) = case_with(|_| {}).await;
            let before = make_by_hand(&case).await;
            let data = json!([managed(options.clone())]);
            case.apply("managed", spec(&case, &data))
                .await
                .expect("applied");
            case.wait_ready("managed").await;
            let after = held(&case, "TOKEN");
            assert_eq!(after.secret.as_ref(), Some(&value), "{options}");
            assert_eq!(after.kind.as_deref(), Some(kind), "{options}");
            assert_eq!(after.metadata, metadata.or(before.metadata), "{options}");
            assert_eq!(after.id, before.id, "{options}");
            assert!(requests(&case, "POST").is_empty());
            case.finish().await;
        }
    });
}

#[test]
fn a_change_of_options_alone_is_one_write_and_removed_metadata_is_gone() {
    run(async {
        let (case, value) = case_with(|_| {}).await;
        let steps = [
            json!({"type": "openai", "metadata": {"a": "1", "b": {"c": "2"}}}),
            json!({"type": "openai", "metadata": {"a": "1"}}),
            json!({"type": "azure", "metadata": {"a": "1"}}),
            json!({"type": "azure", "metadata": {}}),
        ];
        for (number, options) in steps.iter().enumerate() {
            let data = json!([managed(options.clone()), entry("OTHER")]);
            case.apply("options", spec(&case, &data))
                .await
                .expect("applied");
            case.wait_ready("options").await;
            let held = held(&case, "TOKEN");
            assert_eq!(held.kind.as_deref(), options["type"].as_str());
            assert_eq!(
                held.metadata.as_ref(),
                Some(&options["metadata"]),
                "{}",
                case.kubectl(&[
                    "get",
                    "psec",
                    "options",
                    "-o",
                    "yaml",
                    "--show-managed-fields"
                ])
                .await
            );
            assert_eq!(held.secret.as_ref(), Some(&value));
            // Two at first, one for each change.
            assert_eq!(case.writes().len(), 2 + number);
        }
        // What is no longer managed stays as it is.
        let data = json!([entry("TOKEN"), entry("OTHER")]);
        case.apply("options", spec(&case, &data))
            .await
            .expect("applied");
        case.wait_ready("options").await;
        assert_eq!(held(&case, "TOKEN").kind.as_deref(), Some("azure"));
        assert!(requests(&case, "POST").is_empty());
        case.finish().await;
    });
}
