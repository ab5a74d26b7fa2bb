//! The structural part of the schema: types, bounds, patterns, required and unknown fields.
//!
//! A JSON Schema library would not do: Kubernetes' dialect has `nullable`, drops null from other fields, refuses
//! unknown fields without a keyword that says so, and has lists that are maps.

use std::collections::HashMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::{Map, Value};

use super::{Findings, Unusable, item, member};

/// How like a known field an unknown one must be to be taken for it.
const SIMILAR: f64 = 0.8;

/// The patterns of a schema, compiled. Go's engine and this one agree about them: both are linear, and `$` is the end
/// of the text.
pub(super) struct Patterns(HashMap<String, Regex>);

impl Patterns {
    pub(super) fn of(schema: &JSONSchemaProps) -> Result<Self, Unusable> {
        let mut patterns = HashMap::new();
        each(schema, &mut |schema| {
            if let Some(pattern) = &schema.pattern {
                let regex = Regex::new(pattern).map_err(|_| Unusable::Pattern(pattern.clone()))?;
                patterns.insert(pattern.clone(), regex);
            }
            Ok(())
        })?;
        Ok(Self(patterns))
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        self.0
            .get(pattern)
            .is_some_and(|regex| regex.is_match(text))
    }
}

/// Visits a schema and all that it holds.
pub(super) fn each(
    schema: &JSONSchemaProps,
    visit: &mut impl FnMut(&JSONSchemaProps) -> Result<(), Unusable>,
) -> Result<(), Unusable> {
    visit(schema)?;
    let fields = schema.properties.iter().flat_map(|fields| fields.values());
    for inner in fields.chain(items(schema)).chain(additional(schema)) {
        each(inner, visit)?;
    }
    Ok(())
}

/// The schema of a text without bounds.
pub(super) fn text() -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("string".to_owned()),
        ..JSONSchemaProps::default()
    }
}

/// The schema of the items of a list.
pub(super) fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// The schema of fields that have no schema of their own.
fn additional(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(schema) => Some(schema),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// The schema of a field.
pub(super) fn field<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    let own = schema
        .properties
        .as_ref()
        .and_then(|fields| fields.get(name));
    own.or_else(|| additional(schema))
}

/// Finds the fields that the schema does not have. kubectl has the API server refuse them.
pub(super) fn unknown_fields(
    schema: &JSONSchemaProps,
    value: &Value,
    path: &str,
    findings: &mut Findings,
) {
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = items(schema) {
            unknown_fields(schema, value, &item(path, index), findings);
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = member(path, name);
        if let Some(schema) = field(schema, name) {
            unknown_fields(schema, value, &path, findings);
        } else if schema.x_kubernetes_preserve_unknown_fields != Some(true) {
            findings.add(&path, unknown(schema, name));
        }
    }
}

fn unknown(schema: &JSONSchemaProps, name: &str) -> String {
    let known = schema.properties.iter().flat_map(|fields| fields.keys());
    let near = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let near = near
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|near| near.0 > SIMILAR);
    let hint = near.map_or_else(String::new, |near| format!(", did you mean {}?", near.1));
    format!("unknown field{hint}")
}

/// Drops fields that are null and may not be, as the API server does before it looks at anything else.
pub(super) fn drop_nulls(schema: &JSONSchemaProps, value: &mut Value) {
    if let (Some(values), Some(schema)) = (value.as_array_mut(), items(schema)) {
        for value in values {
            drop_nulls(schema, value);
        }
    }
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, value| {
            let schema = field(schema, name);
            !value.is_null() || schema.is_none_or(|schema| schema.nullable == Some(true))
        });
        for (name, value) in fields {
            if let Some(schema) = field(schema, name) {
                drop_nulls(schema, value);
            }
        }
    }
}

/// Holds a value against its schema.
pub(super) fn check(
    schema: &JSONSchemaProps,
    value: &Value,
    path: &str,
    patterns: &Patterns,
    findings: &mut Findings,
) {
    let is_null = value.is_null() && schema.nullable == Some(true);
    if let Some(message) = wrong_type(schema, value).filter(|_| !is_null) {
        findings.add_blocking(path, message);
        return;
    }
    // Null is not among the words of an enumeration, also where the type would take it.
    check_enumeration(schema, value, path, findings);
    match value {
        Value::String(text) => check_text(schema, text, path, patterns, findings),
        Value::Array(values) => {
            check_count(schema.max_items, values.len(), "items", path, findings);
            check_list_map(schema, values, path, findings);
            for (index, value) in values.iter().enumerate() {
                if let Some(schema) = items(schema) {
                    check(schema, value, &item(path, index), patterns, findings);
                }
            }
        }
        Value::Object(fields) => {
            check_count(
                schema.max_properties,
                fields.len(),
                "fields",
                path,
                findings,
            );
            for name in schema.required.iter().flatten() {
                if !fields.contains_key(name) {
                    findings.add_blocking(&member(path, name), "is required");
                }
            }
            for (name, value) in fields {
                if let Some(schema) = field(schema, name) {
                    check(schema, value, &member(path, name), patterns, findings);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn wrong_type(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let (is_right, expected) = match schema.type_.as_deref()? {
        "string" => (value.is_string(), "a text"),
        "boolean" => (value.is_boolean(), "true or false"),
        "integer" => (value.is_i64(), "a whole number"),
        "object" => (value.is_object(), "an object with fields"),
        "array" => (value.is_array(), "a list"),
        _ => return None,
    };
    let hint = match value {
        Value::Bool(_) | Value::Number(_) if expected == "a text" => ": put it in quotes",
        _ => "",
    };
    (!is_right).then(|| format!("must be {expected}{hint}"))
}

fn check_enumeration(schema: &JSONSchemaProps, value: &Value, path: &str, findings: &mut Findings) {
    let Some(allowed) = &schema.enum_ else {
        return;
    };
    if allowed.iter().any(|allowed| allowed.0 == *value) {
        return;
    }
    let words = allowed.iter().filter_map(|word| word.0.as_str());
    let words: Vec<&str> = words.collect();
    findings.add_blocking(path, format!("must be {}", words.join(" or ")));
}

fn check_text(
    schema: &JSONSchemaProps,
    text: &str,
    path: &str,
    patterns: &Patterns,
    findings: &mut Findings,
) {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(most) = schema.max_length.filter(|most| length > *most) {
        findings.add_blocking(path, format!("must have at most {most} characters"));
    } else if let Some(least) = schema.min_length.filter(|least| length < *least) {
        let unit = if least == 1 {
            "character"
        } else {
            "characters"
        };
        findings.add(path, format!("must have at least {least} {unit}"));
    } else if let Some(pattern) = &schema.pattern
        && !patterns.matches(pattern, text)
    {
        findings.add(path, format!("must match {pattern}"));
    }
}

fn check_count(most: Option<i64>, count: usize, unit: &str, path: &str, findings: &mut Findings) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if let Some(most) = most.filter(|most| count > *most) {
        findings.add_blocking(path, format!("must have at most {most} {unit}"));
    }
}

/// Finds items with one key in a list that is a map.
fn check_list_map(schema: &JSONSchemaProps, values: &[Value], path: &str, findings: &mut Findings) {
    let Some(keys) = &schema.x_kubernetes_list_map_keys else {
        return;
    };
    let key_of = |fields: &Map<String, Value>| -> Vec<Option<Value>> {
        keys.iter().map(|key| fields.get(key).cloned()).collect()
    };
    let mut seen: HashMap<Vec<Option<Value>>, usize> = HashMap::new();
    for (index, fields) in values.iter().map(Value::as_object).enumerate() {
        let Some(fields) = fields else { continue };
        let first = *seen.entry(key_of(fields)).or_insert(index);
        if first != index {
            let (this, other) = (item(path, index), item(path, first));
            let message = format!("has the same {} as {other}", keys.join(" and "));
            findings.add(&this, message);
        }
    }
}
