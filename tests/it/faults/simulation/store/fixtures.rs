//! Objects that a test sets up in the store.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Part, Resource, Store};

impl Store {
    /// Creates a Secret with these texts, or replaces its data, as a user.
    pub(in crate::faults::simulation) fn apply_secret<K: AsRef<str> + Ord>(
        &self,
        namespace: &str,
        name: &str,
        data: &BTreeMap<K, String>,
    ) {
        let encoded = |(key, text): (&K, &String)| (key.as_ref().to_owned(), STANDARD.encode(text));
        let data: BTreeMap<String, String> = data.iter().map(encoded).collect();
        let id = (Resource::Secrets, namespace.to_owned(), name.to_owned());
        let replaced = self.update(&id, Part::Main, |object| {
            object["data"] = json!(data);
            Ok(())
        });
        if replaced.is_err() {
            let secret = json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {},
                "type": "Opaque",
                "data": data,
            });
            self.create(&id, secret).expect("a Secret is made");
        }
    }

    /// Creates a namespace.
    pub(in crate::faults::simulation) fn create_namespace(&self, name: &str) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {}});
        let id = (Resource::Namespaces, String::new(), name.to_owned());
        self.create(&id, namespace).expect("a namespace");
    }
}
