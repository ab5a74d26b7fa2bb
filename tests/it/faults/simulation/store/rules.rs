//! What a write may change of an object.

use serde_json::Value;

use super::{Refusal, Resource};

/// An object after a write of its main part. Status and what the system wrote stay; the generation
/// moves with the spec only.
pub(super) fn changed_main(
    resource: Resource,
    old: &Value,
    mut new: Value,
) -> Result<Value, Refusal> {
    let before = &old["metadata"];
    if new["metadata"]["uid"] != before["uid"] {
        return Err(Refusal::invalid("metadata.uid: field is immutable"));
    }
    let added = |name: &&Value| !finalizers(old).contains(name);
    if !before["deletionTimestamp"].is_null() && finalizers(&new).iter().any(added) {
        return Err(Refusal::invalid(
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
        ));
    }
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
    ] {
        set(&mut new["metadata"], field, before[field].clone());
    }
    if finalizers(&new).is_empty() {
        set(&mut new["metadata"], "finalizers", Value::Null);
    }
    if resource == Resource::ProviderSecrets {
        set(&mut new, "status", old["status"].clone());
        if new["spec"] != old["spec"] {
            let generation = before["generation"].as_i64().unwrap_or_default();
            new["metadata"]["generation"] = (generation + 1).into();
        }
    }
    Ok(new)
}

pub(super) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        if value.is_null() {
            fields.remove(field);
        } else {
            fields.insert(field.to_owned(), value);
        }
    }
}

pub(super) fn finalizers(object: &Value) -> Vec<&Value> {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.into_iter().flatten().collect()
}
