//! Metadata, which no CustomResourceDefinition describes: its schema is that of Kubernetes, and names have rules.

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Findings, Unusable, member};

/// How long the name of an object, or the prefix of a label, may be.
const MAX_SUBDOMAIN: usize = 253;
/// How long the name of a namespace, the name of a label, or its value may be.
const MAX_LABEL: usize = 63;
/// What the API server adds to `generateName` has this many characters.
const GENERATED: usize = 5;

const SUBDOMAIN: &str = "must have at most 253 lower-case letters, digits, - and . only, and begin and end with a letter or digit";
const LABEL: &str = "must have at most 63 lower-case letters, digits and - only, and begin and end with a letter or digit";
const KEY: &str = "must be NAME or PREFIX/NAME: a NAME has at most 63 letters, digits, -, _ and ., and begins and ends with a letter or digit";
const VALUE: &str = "must have at most 63 letters, digits, -, _ and . only, and begin and end with a letter or digit";

/// The schema of metadata, as Kubernetes publishes it.
pub(super) fn schema() -> Result<JSONSchemaProps, Unusable> {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings
        .into_generator()
        .into_root_schema_for::<ObjectMeta>();
    let mut schema: JSONSchemaProps = serde_json::from_value(schema.into())?;
    let fields = schema.properties.as_mut();
    // The API server writes them, and their fields are those of any object.
    if let Some(managed) = fields.and_then(|fields| fields.get_mut("managedFields")) {
        managed.items = None;
    }
    Ok(schema)
}

/// Holds names, labels and annotations against the rules of Kubernetes.
pub(super) fn check(metadata: &Value, findings: &mut Findings) {
    let text = |field: &str| metadata[field].as_str().filter(|text| !text.is_empty());
    if text("name").is_some_and(|name| !is_subdomain(name)) {
        findings.add("metadata.name", SUBDOMAIN);
    }
    if text("generateName").is_some_and(|prefix| !is_prefix(prefix)) {
        findings.add("metadata.generateName", SUBDOMAIN);
    }
    if metadata["name"].is_null() || metadata["name"] == "" {
        findings.add_blocking("metadata.name", "is required");
    }
    if text("namespace").is_some_and(|namespace| !is_label(namespace)) {
        findings.add("metadata.namespace", LABEL);
    }
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
    for (index, finalizer) in finalizers.enumerate() {
        if finalizer.as_str().is_some_and(|text| !is_key(text, false)) {
            findings.add(&format!("metadata.finalizers[{index}]"), KEY);
        }
    }
    for field in ["labels", "annotations"] {
        let path = member("metadata", field);
        for (key, value) in metadata[field].as_object().into_iter().flatten() {
            if !is_key(key, field == "annotations") {
                findings.add(&path, format!("the key {key:?} {KEY}"));
            }
            let is_value = |value: &str| value.is_empty() || is_name(value);
            if field == "labels" && value.as_str().is_some_and(|value| !is_value(value)) {
                findings.add(&path, format!("the value of {key} {VALUE}"));
            }
        }
    }
}

/// Gives an object a name as the API server would, where it has a prefix for one: rules look at the name.
pub(super) fn generate_name(object: &mut Value) {
    let Some(metadata) = object["metadata"].as_object_mut() else {
        return;
    };
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    let prefix = text("generateName").filter(|prefix| !prefix.is_empty());
    let is_absent = metadata.get("name").is_none_or(|name| name == "");
    if let Some(prefix) = prefix.filter(|_| is_absent) {
        let prefix: String = prefix.chars().take(MAX_LABEL - GENERATED).collect();
        let name = format!("{prefix}{}", "x".repeat(GENERATED));
        metadata.insert("name".to_owned(), name.into());
    }
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_part)
}

/// Whether a name may begin so: what is generated follows, so it may end with a dash.
fn is_prefix(text: &str) -> bool {
    let without = text.strip_suffix('-');
    is_subdomain(text) || without.is_some_and(|rest| is_subdomain(&format!("{rest}0")))
}

fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_part(text)
}

/// A part of a name between dots.
fn is_part(text: &str) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_bounded(text, is_end) && text.bytes().all(|byte| is_end(&byte) || byte == b'-')
}

fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= MAX_LABEL
        && is_bounded(text, u8::is_ascii_alphanumeric)
        && text.bytes().all(is_inner)
}

fn is_bounded(text: &str, is_end: impl Fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(&is_end) && bytes.last().is_some_and(&is_end)
}

/// Whether this is the key of a label or an annotation; the prefix of the latter may have capitals.
fn is_key(key: &str, is_annotation: bool) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) if is_annotation => {
            is_subdomain(&prefix.to_lowercase()) && is_name(name)
        }
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}
