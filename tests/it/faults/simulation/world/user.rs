//! What users do, and other clients at the provider.

use std::collections::BTreeMap;

use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use provider_secrets::api::{
    ALLOW, ALLOWED_PROVIDERS, APPROVED_PLAN, DELETION_OVERRIDE, SYNC_REQUESTED_AT,
};
use serde_json::{Value, json};

use super::{ACCOUNT, NAMESPACE, World};
use crate::{
    faults::simulation::store::{Id, Part, Resource, Store},
    harness::{CANARY, Target},
};

/// The object that most tests have, and the Secret of its values.
const OBJECT: &str = "object";
pub(in crate::faults::simulation) const SOURCE: &str = "source";

impl World {
    /// Makes or replaces a Secret.
    pub(in crate::faults::simulation) fn secret(&self, name: &str, data: &BTreeMap<&str, String>) {
        self.store.apply_secret(NAMESPACE, name, data);
    }

    /// Replaces the Secret of the values; each gets a text of its own.
    pub(in crate::faults::simulation) fn source(&self, data: &[(&str, &str)]) {
        let values = data.iter().map(|(key, text)| (*key, value(text)));
        self.secret(SOURCE, &values.collect());
    }

    /// Replaces the value under the key `a` of the source.
    pub(in crate::faults::simulation) fn rotate(&self, text: &str) {
        self.source(&[("a", text), ("b", "b1")]);
    }

    /// Changes an object's spec, or makes the object.
    pub(in crate::faults::simulation) fn apply(&self, name: &str, changes: &Value) {
        let id = id(Resource::ProviderSecrets, name);
        let patched = self.store.update(&id, Part::Main, |object| {
            json_patch::merge(&mut object["spec"], changes);
            Ok(())
        });
        if patched.is_err() {
            let mut spec = json!({"provider": self.target.provider_spec(ACCOUNT)});
            json_patch::merge(&mut spec, changes);
            let object = json!({
                "apiVersion": "providersecrets.dev/v1alpha1",
                "kind": "ProviderSecret",
                "metadata": {},
                "spec": spec,
            });
            self.store.create(&id, object).expect("an object is made");
        }
    }

    /// The same for the one object that most tests have.
    pub(in crate::faults::simulation) fn spec(&self, changes: &Value) {
        self.apply(OBJECT, changes);
    }

    /// Sets its entries: remote names and keys of the source.
    pub(in crate::faults::simulation) fn entries(&self, entries: &[(&str, &str)]) {
        self.spec(&json!({"data": data(entries)}));
    }

    /// Asks for a sync of the object now.
    pub(in crate::faults::simulation) fn request_sync(&self, token: &str) {
        let id = id(Resource::ProviderSecrets, OBJECT);
        let asked = self.store.update(&id, Part::Main, |object| {
            object["metadata"]["annotations"][SYNC_REQUESTED_AT] = token.into();
            Ok(())
        });
        asked.expect("the object is there");
    }

    /// Approves the plan in status, if there is one.
    pub(in crate::faults::simulation) fn approve(&self) {
        if let Some(plan) = self.plan() {
            self.approve_plan(&plan["hash"]);
        }
    }

    /// Approves the plan with a hash.
    pub(in crate::faults::simulation) fn approve_plan(&self, hash: &Value) {
        self.change(Resource::ProviderSecrets, OBJECT, Part::Main, |object| {
            object["metadata"]["annotations"][APPROVED_PLAN] = hash.clone();
        });
    }

    /// The plan that waits in status.
    pub(in crate::faults::simulation) fn plan(&self) -> Option<Value> {
        let plan = self.object()?["status"]["plan"].clone();
        (!plan.is_null()).then_some(plan)
    }

    /// Writes the object without a change of its spec, if it is there.
    pub(in crate::faults::simulation) fn annotate(&self) {
        let id = id(Resource::ProviderSecrets, OBJECT);
        let _ = self.store.update(&id, Part::Main, |object| {
            let notes = object["metadata"]["annotations"]["note"].as_str();
            let note = format!("{}.", notes.unwrap_or_default());
            object["metadata"]["annotations"]["note"] = note.into();
            Ok(())
        });
    }

    /// Changes a part of something, as any writer may.
    pub(in crate::faults::simulation) fn change(
        &self,
        resource: Resource,
        name: &str,
        part: Part,
        change: impl FnOnce(&mut Value),
    ) {
        let changed = self.store.update(&id(resource, name), part, |object| {
            change(object);
            Ok(())
        });
        changed.expect("it is there");
    }

    /// Writes the object's status as another writer.
    pub(in crate::faults::simulation) fn change_status(&self, change: impl FnOnce(&mut Value)) {
        self.change(Resource::ProviderSecrets, OBJECT, Part::Status, |object| {
            change(&mut object["status"]);
        });
    }

    /// Lets the deleted object go without what it wrote.
    pub(in crate::faults::simulation) fn release(&self) {
        self.change(Resource::ProviderSecrets, OBJECT, Part::Main, |object| {
            object["metadata"]["annotations"][DELETION_OVERRIDE] = "orphan".into();
        });
    }

    /// Writes a Secret and changes no value of it.
    pub(in crate::faults::simulation) fn label(&self, name: &str) {
        self.change(Resource::Secrets, name, Part::Main, |secret| {
            secret["metadata"]["labels"]["team"] = "a".into();
        });
    }

    /// Says that a Secret may leave the cluster, or says so no more.
    pub(in crate::faults::simulation) fn allow(&self, secret: &str, is_allowed: bool) {
        self.change(Resource::Secrets, secret, Part::Main, |secret| {
            secret["metadata"]["labels"] = if is_allowed {
                json!({ALLOW: "true"})
            } else {
                Value::Null
            };
        });
    }

    /// Says which providers the namespace may use; none says nothing.
    pub(in crate::faults::simulation) fn allow_providers(&self, annotation: Option<&str>) {
        let id = (Resource::Namespaces, String::new(), NAMESPACE.to_owned());
        let changed = self.store.update(&id, Part::Main, |namespace| {
            namespace["metadata"]["annotations"] = match annotation {
                Some(annotation) => json!({ALLOWED_PROVIDERS: annotation}),
                None => Value::Null,
            };
            Ok(())
        });
        changed.expect("the namespace is there");
    }

    /// Replaces the object's finalizers.
    pub(in crate::faults::simulation) fn finalizers(&self, finalizers: &[&str]) {
        let id = id(Resource::ProviderSecrets, OBJECT);
        let changed = self.store.update(&id, Part::Main, |object| {
            // The API server stores no empty list.
            object["metadata"]["finalizers"] = match finalizers {
                [] => Value::Null,
                finalizers => json!(finalizers),
            };
            Ok(())
        });
        changed.expect("the object is written");
    }

    pub(in crate::faults::simulation) fn delete(&self) {
        let id = id(Resource::ProviderSecrets, OBJECT);
        self.store.delete(&id).expect("an object is deleted");
    }

    pub(in crate::faults::simulation) fn object(&self) -> Option<Value> {
        self.store.get(&id(Resource::ProviderSecrets, OBJECT)).ok()
    }

    /// The values of a Secret.
    pub(in crate::faults::simulation) fn data(&self, name: &str) -> BTreeMap<String, String> {
        let Ok(secret) = self.store.get(&id(Resource::Secrets, name)) else {
            return BTreeMap::new();
        };
        let data = secret["data"].as_object().cloned().unwrap_or_default();
        let text = |encoded: &Value| {
            let bytes = STANDARD.decode(encoded.as_str().unwrap_or_default());
            String::from_utf8(bytes.expect("base64")).expect("text")
        };
        data.iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect()
    }

    /// Holds, releases or expires what the operator watches.
    pub(in crate::faults::simulation) fn watches(&self, action: impl Fn(&Store, Resource)) {
        for resource in [Resource::ProviderSecrets, Resource::Secrets] {
            action(&self.store, resource);
        }
    }

    /// Writes at the provider as another client.
    pub(in crate::faults::simulation) fn foreign_write(&self, name: &str, value: &str) {
        self.account
            .foreign_write(self.scope().as_deref(), name, value)
            .expect("a foreign write");
        self.foreign.borrow_mut().insert(name.to_owned());
    }

    /// Renames a secret at the provider as another client.
    pub(in crate::faults::simulation) async fn foreign_rename(&self, name: &str, new: &str) {
        let held = self.account.held(self.scope().as_deref());
        let id = held[name].id.as_deref().expect("it has an id");
        let path = match self.target {
            Target::PrimeIntellect => format!("/api/v1/secrets/{id}"),
            Target::Braintrust => format!("/v1/ai_secret/{id}"),
            other => unreachable!("at {other:?} a name does not change"),
        };
        let request = Request::patch(path)
            .header("authorization", format!("Bearer {CANARY}-key"))
            .header("content-type", "application/json")
            .body(Body::from(json!({"name": new}).to_string()))
            .expect("a request");
        let simulator = self.remote.simulator();
        let answer = simulator.call(self.account.provider(), request).await;
        let status = answer.expect("an answer").status();
        assert!(status.is_success(), "{status}");
    }

    /// Whether another client has ever written a name.
    pub(in crate::faults::simulation) fn was_foreign(&self, name: &str) -> bool {
        self.foreign.borrow().contains(name)
    }
}

/// A value of the source, with the canary.
pub(in crate::faults::simulation) fn value(text: &str) -> String {
    format!("{CANARY}-value-{text}")
}

/// `spec.data`.
pub(in crate::faults::simulation) fn data(entries: &[(&str, &str)]) -> Vec<Value> {
    entries
        .iter()
        .map(|(name, key)| json!({"name": name, "secretKeyRef": {"name": SOURCE, "key": key}}))
        .collect()
}

fn id(resource: Resource, name: &str) -> Id {
    (resource, NAMESPACE.to_owned(), name.to_owned())
}
