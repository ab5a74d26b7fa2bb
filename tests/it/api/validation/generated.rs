//! Objects that together have every field of the spec, with each field removed, replaced and stretched, and fields
//! added beside it.

use std::collections::BTreeSet;

use provider_secrets::api::definition;
use serde_json::{Map, Value, json};

use super::{
    RULES, agree_about, case, object,
    specs::{key, whole},
};
use crate::harness::run;

/// Values of each type, and texts that some pattern refuses.
fn replacements() -> Vec<Value> {
    let mut values: Vec<Value> = [
        "",
        "a",
        "A",
        "aa",
        "A_b-9.c",
        "a..b",
        "-a",
        "a\n",
        "a b",
        "\u{e4}",
        "a\u{0}",
        "1m",
        "59s",
        "168h",
        "168h1s",
        "1h30m",
        "0s",
        "9999999h",
        "99999999999999h",
        "Retain",
        "UpperSnake",
        "https://a/b",
        "http://a/b",
    ]
    .map(Value::from)
    .into();
    // A Pipecat name has 64 characters at most, by a rule and not by the schema.
    values.extend([64, 65].map(|length| Value::from("A".repeat(length))));
    values.extend([
        Value::Null,
        true.into(),
        7.into(),
        (-1).into(),
        1.5.into(),
        u64::MAX.into(),
        json!([]),
        json!([null]),
        json!(["a"]),
        json!([{}]),
        json!({}),
        json!({"a": "b"}),
        json!({"name": "a"}),
        json!({"name": "a", "key": "a"}),
        json!({"apiKeySecretRef": {"name": "a", "key": "a"}}),
    ]);
    values
}

/// The schema of the value at a path; none inside of what has no schema.
fn schema_at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let parts = path.split('/').skip(1);
    parts.fold(schema, |schema, part| match part.parse::<usize>() {
        Ok(_) => &schema["items"],
        Err(_) => &schema["properties"][part],
    })
}

/// The bounds of a field, lengths and counts, each with its neighbours.
fn bounds(schema: &Value) -> BTreeSet<usize> {
    let names = ["minLength", "maxLength", "maxItems", "maxProperties"];
    let bounds = names.into_iter().filter_map(|name| schema[name].as_u64());
    let bounds = bounds.map(|bound| usize::try_from(bound).expect("a bound"));
    bounds
        .flat_map(|bound| [bound.saturating_sub(1), bound, bound + 1])
        .collect()
}

/// The paths of all values in an object, as JSON pointers.
fn pointers(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        pointers(value, &format!("{path}/{index}"), found);
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        pointers(value, &format!("{path}/{name}"), found);
    }
}

/// What the value may become.
fn changed(value: &Value, schema: &Value) -> Vec<Value> {
    let mut values = replacements();
    let bounds = bounds(schema);
    match value {
        Value::String(_) => {
            // Characters are counted, and not bytes.
            let texts = bounds
                .iter()
                .flat_map(|bound| ["a", "A", "\u{e4}"].map(|letter| letter.repeat(*bound)));
            values.extend(texts.map(Value::from));
        }
        Value::Array(items) => {
            for count in &bounds {
                let item = |number: usize| {
                    let mut item = items[0].clone();
                    if item["name"].is_string() {
                        item["name"] = format!("N{number}").into();
                    }
                    item
                };
                values.push((0..*count).map(item).collect());
            }
            values.push(vec![items[0].clone(); 2].into());
        }
        Value::Object(fields) => {
            let with = |name: &str, value: Value| {
                let mut fields = fields.clone();
                fields.insert(name.to_owned(), value);
                Value::from(fields)
            };
            let others = [
                "nonsense",
                "namespace",
                "secretRef",
                "secretKeyRef",
                "braintrust",
                "primeIntellect",
            ];
            values.extend(others.map(|name| with(name, json!({}))));
            values.extend(others.map(|name| with(name, Value::Null)));
            values.extend(
                ["baseten", "braintrust"].map(|name| with(name, json!({"apiKeySecretRef": key()}))),
            );
            values.push(with(
                "data",
                json!([{"name": "A_KEY", "secretKeyRef": key()}]),
            ));
            values.push(with("replaceImagePullSecret", "Never".into()));
            values.push(with("rewriteInterval", "1h".into()));
            for count in &bounds {
                let many = (0..*count).map(|number| (format!("k{number}"), number.into()));
                values.push(many.collect::<Map<String, Value>>().into());
            }
        }
        _ => {}
    }
    values
}

/// Everything that one step makes of a spec.
fn mutations(spec: &Value, schema: &Value) -> Vec<Value> {
    let mut paths = Vec::new();
    pointers(spec, "", &mut paths);
    let mut specs = vec![spec.clone()];
    for path in paths {
        let value = spec.pointer(&path).expect("a value");
        for changed in changed(value, schema_at(schema, &path)) {
            let mut spec = spec.clone();
            *spec.pointer_mut(&path).expect("a value") = changed;
            specs.push(spec);
        }
        let Some((parent, name)) = path.rsplit_once('/') else {
            continue;
        };
        let mut spec = spec.clone();
        if let Some(fields) = spec.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.remove(name);
            specs.push(spec);
        }
    }
    specs
}

/// What `validate` must be able to say of the fields of a schema: the path, without the numbers of items, and the words.
fn expected(schema: &Value, path: &str, found: &mut BTreeSet<(String, String)>) {
    let mut expect = |words: String| found.insert((path.to_owned(), words));
    for (keyword, words) in [
        ("maxLength", "must have at most # characters"),
        ("minLength", "must have at least # character"),
        ("maxItems", "must have at most # items"),
        ("maxProperties", "must have at most # fields"),
        ("pattern", "must match #"),
    ] {
        match &schema[keyword] {
            Value::Null => {}
            Value::String(bound) => drop(expect(words.replace('#', bound))),
            bound => drop(expect(words.replace('#', &bound.to_string()))),
        }
    }
    if schema["enum"].is_array() || schema["type"].is_string() {
        expect("must be ".to_owned());
    }
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let message = rule["message"].as_str().expect("a message");
        if RULES.contains(message) {
            expect(message.to_owned());
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        found.insert((format!("{path}.{name}"), "is required".to_owned()));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        expected(field, &format!("{path}.{name}"), found);
    }
    if schema["items"].is_object() {
        expected(&schema["items"], &format!("{path}[]"), found);
    }
}

/// A path without the numbers of items.
fn general(path: &str) -> String {
    let parts = path
        .split('[')
        .enumerate()
        .map(|(index, part)| match index {
            0 => part.to_owned(),
            _ => format!(
                "[{}",
                part.trim_start_matches(|digit: char| digit.is_ascii_digit())
            ),
        });
    parts.collect()
}

#[test]
fn every_field_changed_in_every_way_is_judged_as_by_the_api_server() {
    run(async {
        let case = case().await;
        let schema = serde_json::to_value(definition()).expect("JSON");
        let schema =
            &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let specs = whole()
            .into_iter()
            .flat_map(|spec| mutations(&spec, schema));
        let objects: Vec<Value> = specs.map(|spec| object(&spec)).collect();
        assert!(objects.len() > 1_000, "{}", objects.len());
        let problems = agree_about(&case, &objects).await;
        let valid = problems
            .iter()
            .filter(|problems| problems.is_empty())
            .count();
        assert!(valid > 100, "{valid} of {} are valid", objects.len());

        // Nothing in the schema was left out.
        let seen: BTreeSet<(String, String)> = problems
            .into_iter()
            .flatten()
            .map(|problem| (general(&problem.path), problem.message))
            .collect();
        let mut wanted = BTreeSet::new();
        expected(schema, "spec", &mut wanted);
        let lacking: Vec<_> = wanted
            .iter()
            .filter(|(path, words)| {
                !seen
                    .iter()
                    .any(|(seen, message)| seen == path && message.starts_with(words.as_str()))
            })
            .collect();
        assert!(lacking.is_empty(), "no spec shows these: {lacking:#?}");
        case.finish().await;
    });
}
