//! What a person reads: every field is described in sentences, and kubectl shows them.

use serde_json::{Map, Value};

use crate::harness::{Target, TestCase, TestEnv, run, until};

/// Calls `visit` for every field of a schema, with its path.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    let fields = schema["properties"].as_object();
    for (name, field) in fields.into_iter().flat_map(Map::iter) {
        let path = format!("{path}.{name}");
        visit(&path, field);
        walk(field, &path, visit);
        walk(&field["items"], &format!("{path}[]"), visit);
        walk(
            &field["additionalProperties"],
            &format!("{path}{{}}"),
            visit,
        );
    }
}

/// The schema of the one version.
fn schema() -> Value {
    let definition = serde_json::to_value(provider_secrets::api::definition()).expect("JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn every_field_is_described_in_sentences() {
    let schema = schema();
    let mut wrong = Vec::new();
    let mut check = |path: &str, field: &Value| {
        let text = field["description"].as_str().unwrap_or_default();
        let is_sentence =
            text.ends_with('.') && text.starts_with(|first: char| first.is_uppercase());
        if !is_sentence || text.len() < 15 || text.contains('\n') && !text.contains("\n\n") {
            wrong.push(format!("{path}: {text:?}"));
        }
    };
    check("", &schema);
    walk(&schema, "", &mut check);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_list_item_of_spec_has_a_default() {
    let mut defaults = Vec::new();
    walk(&schema(), "", &mut |path, field| {
        if path.starts_with(".spec") && !field["default"].is_null() {
            defaults.push(path.to_owned());
        }
    });
    assert_eq!(defaults, Vec::<String>::new());
}

#[test]
fn every_choice_says_what_each_value_does_and_which_one_is_the_default() {
    let (mut choices, mut wrong) = (0, Vec::new());
    walk(&schema(), "", &mut |path, field| {
        let Some(values) = field["enum"].as_array() else {
            return;
        };
        choices += 1;
        let text = field["description"].as_str().unwrap_or_default();
        let words: Vec<&str> = text
            .split(|letter: char| !letter.is_alphanumeric())
            .collect();
        let values = values.iter().filter_map(Value::as_str);
        let is_chosen = path.starts_with(".spec").then_some("default");
        for word in values.chain(is_chosen) {
            if !words.contains(&word) {
                wrong.push(format!("{path} does not say {word}: {text:?}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(choices >= 7, "{choices}");
}

#[test]
fn every_text_and_list_has_a_bound() {
    let mut unbounded = Vec::new();
    walk(&schema(), "", &mut |path, field| {
        let is_bounded = match field["type"].as_str() {
            Some("string") => {
                let has = |name: &str| !field[name].is_null();
                has("maxLength") || has("enum") || has("format")
            }
            Some("array") => !field["maxItems"].is_null(),
            _ => true,
        };
        if !is_bounded {
            unbounded.push(path.to_owned());
        }
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn kubectl_explain_reads_well() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::BasetenTeam).await;
        let cases = [
            (
                "psec",
                "keeps keys of Kubernetes Secrets in the secret store",
            ),
            ("psec.spec", "What a ProviderSecret asks for"),
            ("psec.spec.provider", "Exactly one member is set."),
            ("psec.spec.provider.baseten", "the workspace API"),
            ("psec.spec.provider.primeIntellect", "personal secrets"),
            ("psec.spec.provider.pipecat", "secret set"),
            ("psec.spec.provider.braintrust", "organization"),
            (
                "psec.spec.provider.pipecat.apiKeySecretRef",
                "private API key",
            ),
            (
                "psec.spec.provider.pipecat.imagePullSecret",
                "kubernetes.io/dockerconfigjson",
            ),
            (
                "psec.spec.provider.pipecat.replaceImagePullSecret",
                "a moment without a credential",
            ),
            ("psec.spec.data", "The name at the provider"),
            ("psec.spec.data.template", "write no password into it"),
            ("psec.spec.data.primeIntellect.isFile", "It cannot change."),
            ("psec.spec.dataFrom.nameTransform", "UpperSnake"),
            ("psec.spec.suspend", "nothing is written"),
            ("psec.status", "never a value"),
            ("psec.status.observedGeneration", "-1 before the first time"),
        ];
        for (path, words) in cases {
            // The API server publishes a new definition's documentation a moment after it serves it.
            let cluster = &case.env.cluster;
            let text = until(&format!("{path} is explained"), async || {
                let output = cluster.kubectl_output(&["explain", path], None).await;
                let output = output.map_err(|error| error.to_string())?;
                if output.success {
                    Ok(output.stdout)
                } else {
                    Err(output.stderr)
                }
            })
            .await;
            let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                unwrapped.contains(words),
                "{path}: {words:?} is not in {text}"
            );
            assert!(!text.contains("<no description>"), "{path}: {text}");
            assert!(!text.contains("Auto-generated"), "{path}: {text}");
        }
        let all = case.kubectl(&["explain", "psec.spec", "--recursive"]).await;
        for field in [
            "apiKeySecretRef",
            "setName",
            "orgName",
            "template",
            "dataFrom",
            "isFile",
            "suspend",
        ] {
            assert!(all.contains(field), "{field} is not in {all}");
        }
        case.finish().await;
    });
}
