//! `validate` beside a real API server: it refuses what the API server refuses to create, for the same fields and in the
//! words of the same rules, and nothing else. Every spec that `schema` offers is put to both too.

mod generated; // each field of several objects, changed in many ways
mod scalars; // words that YAML takes for a number, a boolean or null
mod specs; // valid specs that have every field together

use std::{collections::BTreeSet, sync::LazyLock};

use futures::{StreamExt as _, stream};
use kube::client::Body;
use provider_secrets::{
    api::definition,
    validation::{Problem, Validator},
};
use serde_json::{Value, json};

use crate::harness::{Target, TestCase, TestEnv, run};

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| Validator::new().expect("the definition can be used"));

/// How many requests are under way at once.
const AT_ONCE: usize = 8;
/// How many differences a failure shows.
const SHOWN: usize = 20;

/// The messages of the rules that hold for a creation.
static RULES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut messages = BTreeSet::new();
    let definition = serde_json::to_value(definition()).expect("JSON");
    collect(&definition, &mut messages);
    messages
});

fn collect(value: &Value, messages: &mut BTreeSet<String>) {
    let inner: Vec<&Value> = match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return,
    };
    for inner in inner {
        collect(inner, messages);
    }
    if let (Some(rule), Some(message)) = (value["rule"].as_str(), value["message"].as_str())
        && !rule.contains("oldSelf")
    {
        messages.insert(message.to_owned());
    }
}

/// Puts an object to the API server and to `validate`. Returns what is wrong with it, or how the two disagree.
async fn compare(case: &TestCase<'_>, object: &Value) -> Result<Vec<Problem>, String> {
    let problems = VALIDATOR.problems(object);
    let path = format!(
        "/apis/providersecrets.dev/v1alpha1/namespaces/{}/providersecrets?dryRun=All&fieldValidation=Strict",
        case.namespace
    );
    let request = http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(object.to_string().into_bytes()))
        .expect("a request");
    let created = case.env.client.send(request).await.expect("an answer");
    let is_taken = created.status().is_success();
    let body = created.into_body().collect_bytes().await.expect("a body");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    let message = answer["message"].as_str().unwrap_or_default();
    let difference = if problems.is_empty() == is_taken {
        other_words(&problems, message)
    } else {
        Some("the verdicts differ".to_owned())
    };
    match difference {
        None => Ok(problems),
        Some(difference) => Err(format!(
            "{difference}: {object}\nvalidate: {problems:#?}\nAPI server: {message}"
        )),
    }
}

/// Where one names a field or a rule that the other does not. The API server stops at what it cannot decode, then at
/// unknown fields, and names rules only if nothing else keeps it from them.
fn other_words(problems: &[Problem], message: &str) -> Option<String> {
    if message.contains("cannot be handled as") {
        return None;
    }
    let is_strict = message.contains("strict decoding error");
    let mut fields = problems
        .iter()
        .filter(|problem| is_strict == problem.message.starts_with("unknown field"))
        .map(|problem| problem.path.as_str());
    if let Some(field) = fields.find(|field| !message.contains(field)) {
        return Some(format!("only validate names {field}"));
    }
    let is_ours = |rule: &String| problems.iter().any(|problem| problem.message == *rule);
    let mut rules = RULES.iter().filter(|_| !is_strict);
    rules
        .find(|rule| is_ours(rule) != message.contains(rule.as_str()))
        .map(|rule| format!("only one of them names the rule {rule:?}"))
}

/// Puts an object to the API server and to `validate`, and checks that they agree.
pub(super) async fn agree(case: &TestCase<'_>, object: &Value) {
    let difference = compare(case, object).await.err();
    assert!(difference.is_none(), "{}", difference.unwrap_or_default());
}

/// As [`agree`], for many objects at once. Returns what is wrong with each.
async fn agree_about(case: &TestCase<'_>, objects: &[Value]) -> Vec<Vec<Problem>> {
    let compared = stream::iter(objects).map(|object| compare(case, object));
    let compared: Vec<_> = compared.buffer_unordered(AT_ONCE).collect().await;
    let (agreed, differences): (Vec<_>, Vec<_>) = compared.into_iter().partition(Result::is_ok);
    let differences: Vec<String> = differences.into_iter().filter_map(Result::err).collect();
    let shown: Vec<&str> = differences.iter().take(SHOWN).map(String::as_str).collect();
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        objects.len(),
        shown.join("\n\n")
    );
    agreed.into_iter().filter_map(Result::ok).collect()
}

/// A test case for objects that no provider hears of.
async fn case() -> TestCase<'static> {
    TestCase::new(TestEnv::shared().await, Target::BasetenTeam).await
}

/// An object with this spec.
fn object(spec: &Value) -> Value {
    json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": "object"},
        "spec": spec,
    })
}

#[test]
fn metadata_is_refused_as_by_the_api_server() {
    run(async {
        let case = case().await;
        let (just, over) = ("a".repeat(253), "a".repeat(254));
        let (name, long) = ("a".repeat(63), "a".repeat(64));
        let metadata = [
            json!({"name": just}),
            json!({"name": over}),
            json!({"name": "a.b-c"}),
            json!({"name": "UPPER"}),
            json!({"name": "under_score"}),
            json!({"name": "-a"}),
            json!({"name": "a."}),
            json!({"name": ""}),
            json!({"name": null}),
            json!({"name": 7}),
            json!({}),
            json!({"generateName": "a-"}),
            json!({"generateName": long}),
            json!({"generateName": over}),
            json!({"generateName": "A"}),
            json!({"generateName": "a."}),
            json!({"generateName": "a.-"}),
            json!({"generateName": "-"}),
            json!({"name": "a", "generateName": "A"}),
            json!({"name": "a", "namespace": case.namespace}),
            json!({"name": "a", "creationTimestamp": null, "generation": 1, "uid": "a", "selfLink": "a"}),
            json!({"name": "a", "lables": {}}),
            json!({"name": "a", "labels": {"a": "b", "a.b/c_D": "", "x": "A_b.9"}}),
            json!({"name": "a", "labels": {"a": 1}}),
            json!({"name": "a", "labels": {"a": null}}),
            json!({"name": "a", "labels": ["a"]}),
            json!({"name": "a", "labels": null}),
            json!({"name": "a", "labels": {"a b": "c"}}),
            json!({"name": "a", "labels": {"A.b/c": "c"}}),
            json!({"name": "a", "labels": {"a/b/c": "c"}}),
            json!({"name": "a", "labels": {"/c": "c"}}),
            json!({"name": "a", "labels": {"": "c"}}),
            json!({"name": "a", "labels": {"a": "b c"}}),
            json!({"name": "a", "labels": {"a": "-"}}),
            json!({"name": "a", "labels": {&name: name}}),
            json!({"name": "a", "labels": {&long: "a"}}),
            json!({"name": "a", "labels": {"a": long}}),
            json!({"name": "a", "annotations": {"a": "any text\n", "A.b/c": ""}}),
            json!({"name": "a", "annotations": {"a b": "c"}}),
            json!({"name": "a", "annotations": {"a": true}}),
            json!({"name": "a", "annotations": {"a_b/c": "d"}}),
            json!({"name": "a", "finalizers": "a"}),
            json!({"name": "a", "managedFields": [{
                "manager": "kubectl", "operation": "Update", "apiVersion": "providersecrets.dev/v1alpha1",
                "time": "2026-11-29T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:suspend": {}}},
            }]}),
            json!({"name": "a", "finalizers": ["example.com/a"]}),
            json!({"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a"}]}),
            json!({"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a", "more": 1}]}),
            json!({"name": "a", "ownerReferences": [{"apiVersion": 1, "kind": "Pod", "name": "a", "uid": "a"}]}),
        ];
        let spec = specs::baseten();
        let objects = metadata.map(|metadata| {
            let mut object = object(&spec);
            object["metadata"] = metadata;
            object
        });
        agree_about(&case, &objects).await;
        case.finish().await;
    });
}

#[test]
fn the_parts_of_an_object_are_refused_as_by_the_api_server() {
    run(async {
        let case = case().await;
        let spec = specs::baseten();
        let parts = [
            ("spec", Value::Null),
            ("spec", json!({})),
            ("spec", json!([])),
            ("spec", "text".into()),
            ("metadata", Value::Null),
            ("metadata", "text".into()),
            ("status", Value::Null),
            ("status", json!({"summary": 7, "entries": "none"})),
            ("status", json!({"summary": "0/1", "sumary": "0/1"})),
            ("status", json!({"entries": [{"nome": "A"}]})),
            ("stauts", json!({})),
            ("data", json!([])),
        ];
        let objects = parts.map(|(part, value)| {
            let mut object = object(&spec);
            object[part] = value;
            object
        });
        agree_about(&case, &objects).await;
        case.finish().await;
    });
}
