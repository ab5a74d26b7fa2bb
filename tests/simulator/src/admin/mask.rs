//! Hides values in what the admin API shows.

use serde_json::Value;

/// The fields of the four vendors' bodies that carry a value.
const VALUE_FIELDS: [&str; 3] = ["value", "secretValue", "secret"];

/// What stands for a hidden value.
pub(super) const MASK: &str = "***";

/// Replaces every value, at any depth.
pub(super) fn mask(body: &mut Value) {
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                if VALUE_FIELDS.contains(&name.as_str()) && !value.is_null() {
                    *value = Value::from(MASK);
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}
