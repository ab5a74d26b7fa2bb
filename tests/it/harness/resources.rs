//! The Secrets and ProviderSecrets of a test case, through the API and through kubectl.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};

use super::TestCase;

impl TestCase<'_> {
    /// The Secrets of this namespace.
    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.env.client.clone(), &self.namespace)
    }

    /// The objects of this namespace.
    pub(crate) fn objects(&self) -> Api<ProviderSecret> {
        Api::namespaced(self.env.client.clone(), &self.namespace)
    }

    /// Applies the Secret `source` with one value under the key `a` and returns its resourceVersion.
    pub(crate) async fn source(&self, text: &str) -> String {
        self.secret("source", &[("a", &self.value(text))]).await
    }

    /// Applies a Secret with text values and returns its resourceVersion.
    pub(crate) async fn secret(&self, name: &str, data: &[(&str, &str)]) -> String {
        let data: BTreeMap<&str, &[u8]> = data
            .iter()
            .map(|(key, value)| (*key, value.as_bytes()))
            .collect();
        self.binary_secret(name, &data).await
    }

    /// Applies a Secret with values of any bytes and returns its resourceVersion.
    pub(crate) async fn binary_secret(&self, name: &str, data: &BTreeMap<&str, &[u8]>) -> String {
        let data: BTreeMap<String, ByteString> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
            .collect();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "data": data,
        });
        let parameters = PatchParams::apply("test").force();
        let secret = self
            .secrets()
            .patch(name, &parameters, &Patch::Apply(&secret))
            .await;
        secret
            .expect("a Secret is applied")
            .resource_version()
            .expect("a version")
    }

    /// Deletes a Secret.
    pub(crate) async fn delete_secret(&self, name: &str) {
        self.secrets()
            .delete(name, &DeleteParams::default())
            .await
            .expect("a Secret is deleted");
    }

    /// A spec with these entries (remote name, Secret, key) and the fields of `more`.
    pub(crate) fn spec(&self, data: &[(&str, &str, &str)], more: &Value) -> Value {
        let entry = |(entry, secret, key): &(&str, &str, &str)| json!({"name": entry, "secretKeyRef": {"name": secret, "key": key}});
        let data: Vec<Value> = data.iter().map(entry).collect();
        let mut spec = json!({"provider": self.provider(), "data": data});
        for (name, value) in more.as_object().into_iter().flatten() {
            spec[name] = value.clone();
        }
        spec
    }

    /// Applies an object with these entries (remote name, Secret, key).
    pub(crate) async fn object(&self, name: &str, data: &[(&str, &str, &str)]) {
        self.put(name, data, &json!({})).await;
    }

    /// Applies an object with the spec of [`TestCase::spec`].
    pub(crate) async fn put(&self, name: &str, data: &[(&str, &str, &str)], more: &Value) {
        self.apply(name, self.spec(data, more))
            .await
            .expect("an object is applied");
    }

    /// Applies an object with this spec.
    pub(crate) async fn apply(&self, name: &str, spec: Value) -> kube::Result<ProviderSecret> {
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": name},
            "spec": spec,
        });
        let parameters = PatchParams::apply("test").force();
        self.objects()
            .patch(name, &parameters, &Patch::Apply(&object))
            .await
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn patch(&self, name: &str, patch: Value) -> kube::Result<ProviderSecret> {
        self.objects()
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
    }

    /// An object as it is now.
    pub(crate) async fn get(&self, name: &str) -> ProviderSecret {
        self.objects().get(name).await.expect("the object is there")
    }

    /// Deletes an object, without waiting until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        let parameters = DeleteParams::default();
        let deleted = self.objects().delete(name, &parameters).await;
        deleted.expect("an object is deleted");
    }

    /// Sets an annotation of an object.
    pub(crate) async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.patch(name, patch)
            .await
            .expect("an object is annotated");
    }

    /// Runs kubectl in this namespace as the administrator and returns its standard output.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", self.namespace.as_str()], arguments].concat();
        self.env.kubectl(&arguments, None).await
    }

    /// Runs kubectl in this namespace, which must fail, and returns its standard error.
    pub(crate) async fn kubectl_refused(&self, arguments: &[&str], stdin: Option<&str>) -> String {
        let arguments = [&["--namespace", self.namespace.as_str()], arguments].concat();
        let output = self
            .env
            .cluster
            .kubectl_output(&arguments, stdin)
            .await
            .expect("kubectl runs");
        assert!(
            !output.success,
            "kubectl {arguments:?} was accepted: {}",
            output.stdout
        );
        output.stderr
    }

    /// The columns of `kubectl get psec` for an object, without name and age.
    pub(crate) async fn columns(&self, name: &str) -> Vec<String> {
        let table = self.kubectl(&["get", "psec", name]).await;
        let mut lines = table.lines().map(str::split_whitespace);
        let heads: Vec<&str> = lines.next().expect("kubectl prints heads").collect();
        assert_eq!(
            heads,
            [
                "NAME",
                "PROVIDER",
                "READY",
                "REASON",
                "SYNCED",
                "LAST-SYNC",
                "AGE"
            ],
            "{table}"
        );
        let cells: Vec<String> = lines
            .next()
            .expect("kubectl prints a row")
            .map(str::to_owned)
            .collect();
        assert_eq!(cells[0], name, "{table}");
        cells[1..cells.len() - 1].to_vec()
    }
}
