use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, json};

use super::*;

/// A valid object with this spec, as far as `changes` do not say otherwise.
fn object(changes: &Value) -> Value {
    let mut spec = json!({
        "provider": {"baseten": {"apiKeySecretRef": {"name": "api", "key": "key"}}},
        "data": [{"name": "HF_TOKEN", "secretKeyRef": {"name": "huggingface", "key": "token"}}],
    });
    for (field, value) in changes.as_object().unwrap() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
        "metadata": {"name": "object"}, "spec": spec,
    })
}

/// Path and message of each problem.
fn problems(object: &Value) -> Vec<String> {
    let problems = Validator::new().unwrap().problems(object);
    problems
        .into_iter()
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .collect()
}

/// Collects the keywords of a schema, and of its rules.
fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
    let mut note = |fields: &Map<String, Value>| found.extend(fields.keys().cloned());
    note(schema.as_object().unwrap());
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        note(rule.as_object().unwrap());
    }
    let fields = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(Map::values);
    for inner in fields.chain(schema.get("items")) {
        keywords(inner, found);
    }
}

/// A keyword that is not listed here would be in the definition and not be checked.
#[test]
fn every_keyword_of_the_spec_is_known() {
    let definition = serde_json::to_value(api::definition()).unwrap();
    let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = BTreeSet::new();
    keywords(&root["properties"]["spec"], &mut found);
    found.extend(root.as_object().unwrap().keys().cloned());
    let known = [
        "description",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "message",
        "minLength",
        "nullable",
        "pattern",
        "properties",
        "required",
        "rule",
        "title",
        "type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    let unknown: Vec<&String> = found
        .iter()
        .filter(|word| !known.contains(&word.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_rule_for_changes_is_left_out() {
    assert_eq!(problems(&object(&json!({}))), Vec::<String>::new());
    let rules = serde_json::to_string(&api::definition()).unwrap();
    assert!(rules.contains("oldSelf"));
}

#[rstest]
#[case::version(json!({"apiVersion": "providersecrets.dev/v1"}), "apiVersion: must be providersecrets.dev/v1alpha1")]
#[case::kind(json!({"kind": "ProviderSecrets"}), "kind: must be ProviderSecret")]
#[case::metadata(json!({"metadata": null}), "metadata.name: is required")]
#[case::name(json!({"metadata": {"name": 7}}), "metadata.name: must be a text: put it in quotes")]
#[case::finalizer(json!({"metadata": {"name": "a", "finalizers": ["a.b/c", "d", "a b"]}}), "metadata.finalizers[2]: must be NAME or PREFIX/NAME: a NAME has at most 63 letters, digits, -, _ and ., and begins and ends with a letter or digit")]
#[case::similar(json!({"specs": {}}), "specs: unknown field, did you mean spec?")]
#[case::unlike(json!({"data": {}}), "data: unknown field")]
#[case::none(json!({"spec": null}), "spec: is required")]
#[case::list(json!({"spec": []}), "spec: must be an object with fields")]
fn the_parts_of_an_object_are_checked(#[case] parts: Value, #[case] expected: &str) {
    let mut object = object(&json!({}));
    for (part, value) in parts.as_object().unwrap() {
        object[part] = value.clone();
    }
    assert_eq!(problems(&object), [expected]);
}

/// The API server evaluates no rule then either, because rules rely on the types.
#[test]
fn a_wrong_type_hides_the_rules_and_a_wrong_text_does_not() {
    let data = json!([{"name": "a.b"}]);
    let pipecat = json!({"pipecat": {"apiKeySecretRef": {"name": "A", "key": "k"}}});
    let mut spec = json!({"provider": pipecat, "data": data});
    let found = problems(&object(&spec)).join("\n");
    assert!(
        found.contains("must match") && found.contains("Pipecat key names"),
        "{found}"
    );
    spec["suspend"] = "yes".into();
    let found = problems(&object(&spec)).join("\n");
    assert!(!found.contains("Pipecat key names"), "{found}");
}

#[rstest]
#[case::beyond_what_go_counts("9999999h")]
#[case::no_duration("soon")]
#[case::short("59s")]
fn an_interval_is_judged_by_its_rule(#[case] interval: &str) {
    let found = problems(&object(&json!({"verifyInterval": interval})));
    let rule = "spec: verifyInterval must be between 1m and 168h";
    assert!(found.iter().any(|problem| problem == rule), "{found:?}");
}

#[rstest]
#[case::none(json!({}), "")]
#[case::template(
    json!({"data": [{"name": "A", "template": "{{ a", "secretRef": {"name": "s"}}]}),
    "The template of entry A is not valid in line 1: a tag, a text or a word in it is not as it must be."
)]
#[case::one_name(
    json!({"data": [
        {"name": "hf-token", "secretKeyRef": {"name": "s", "key": "k"}},
        {"name": "hf_token", "secretKeyRef": {"name": "s", "key": "k"}},
    ]}),
    "Baseten takes hf-token and hf_token for one name. Nothing is written until one is renamed or excluded."
)]
#[case::pattern(
    json!({"dataFrom": [{"secretRef": {"name": "s"}, "include": ["[a"]}]}),
    "spec.dataFrom[0].include[0] is not a pattern. Close every bracket, as in *_KEY or [ab]*."
)]
#[case::prefix(
    json!({"provider": {"primeIntellect": {"apiKeySecretRef": {"name": "account", "key": "k"}}},
        "dataFrom": [{"secretRef": {"name": "s"}, "prefix": "app-"}]}),
    "PrimeIntellect takes no name that begins with app- (spec.dataFrom[0].prefix): a name starts with an upper-case letter and holds upper-case letters, digits and `_` only, at most 255. Give another prefix."
)]
#[case::own_key_in_an_entry(
    json!({"data": [{"name": "A", "secretKeyRef": {"name": "api", "key": "k"}}]}),
    "Secret api holds the API key of this object and is not sent to the provider. Keep the values in another Secret."
)]
#[case::own_key_in_bulk(
    json!({"dataFrom": [{"secretRef": {"name": "api"}}]}),
    "Secret api holds the API key of this object and is not sent to the provider. Keep the values in another Secret."
)]
fn what_the_operator_refuses_is_found_too(#[case] changes: Value, #[case] expected: &str) {
    let object = object(&changes);
    assert_eq!(problems(&object), Vec::<String>::new());
    let found = refusals(&object).into_iter().map(|problem| problem.message);
    assert_eq!(found.collect::<Vec<String>>().join("\n"), expected);
}

/// Any JSON, with the names of fields that the schema has.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "canary[-a-z{}\\[\\]*.]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let name = prop::sample::select(vec![
            "provider",
            "data",
            "dataFrom",
            "baseten",
            "pipecat",
            "apiKeySecretRef",
            "name",
            "key",
            "secretKeyRef",
            "secretRef",
            "template",
            "include",
            "verifyInterval",
            "imagePullSecret",
            "setName",
            "other",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    /// A value that is not as it should be may be a secret in the wrong place.
    #[test]
    fn no_spec_panics_and_no_message_quotes_a_value(spec in any_json(), metadata in any_json()) {
        let mut object = object(&json!({}));
        object["spec"] = spec;
        object["metadata"] = metadata;
        for problem in Validator::new().unwrap().problems(&object) {
            prop_assert!(!problem.message.contains("canary"), "{}", problem.message);
        }
        refusals(&object);
    }
}
