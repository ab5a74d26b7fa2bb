//! An object as a bundle shows it. Pure.
//!
//! A ProviderSecret holds no value by itself. A user may have written one all the same, into a template or into the metadata of
//! an entry, and other tools copy the whole object into annotations.

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::api::{DELETION_OVERRIDE, FLUX_REQUESTED_AT, ProviderSecret, SYNC_REQUESTED_AT};

/// Stands for a text that a user wrote.
const REDACTED: &str = "<redacted>";

/// The members of an entry that refer to something and hold nothing.
const REFERENCES: [&str; 3] = ["name", "secretKeyRef", "secretRef"];

/// The object without what may hold a value.
pub(super) fn redacted(object: &ProviderSecret) -> Value {
    let mut object = object.clone();
    object.managed_fields_mut().clear();
    object.annotations_mut().retain(|key, _| {
        [SYNC_REQUESTED_AT, FLUX_REQUESTED_AT, DELETION_OVERRIDE].contains(&key.as_str())
    });
    let mut shown = serde_json::to_value(&object).unwrap_or_default();
    let entries = shown["spec"]["data"].as_array_mut().into_iter().flatten();
    for (member, value) in entries.filter_map(Value::as_object_mut).flatten() {
        if !REFERENCES.contains(&member.as_str()) {
            redact(value);
        }
    }
    shown
}

/// Leaves the names of members, and nothing that they hold.
fn redact(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => members.values_mut().for_each(redact),
        value => *value = json!(REDACTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::samples;

    #[test]
    fn what_a_user_may_have_written_a_value_into_is_left_out() {
        let spec = json!({
            "provider": samples::provider("braintrust", "api"),
            "data": [
                {"name": "A", "template": "value-{{ a }}", "secretRef": {"name": "s"}},
                {"name": "B", "secretKeyRef": {"name": "s", "key": "k"}, "braintrust": {"type": "openai", "metadata": {"k": {"deep": "value"}}}},
                {"name": "C", "secretKeyRef": {"name": "s", "key": "k"}, "primeIntellect": {"description": "value"}},
            ],
        });
        let mut object = samples::object("ml/object", spec, json!({}));
        object.annotations_mut().insert(
            "kubectl.kubernetes.io/last-applied-configuration".into(),
            "value".into(),
        );
        object
            .annotations_mut()
            .insert(SYNC_REQUESTED_AT.into(), "now".into());
        let shown = redacted(&object).to_string();
        assert!(!shown.contains("value"), "{shown}");
        for kept in ["\"type\"", "\"now\"", "\"A\"", "\"key\":\"k\""] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
