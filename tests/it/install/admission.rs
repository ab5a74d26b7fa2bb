//! The chart's admission policies on a real API server: what users may write, and what they may not.

mod allowed_providers;
mod approval;
mod plain_file;
mod source_access;
mod source_opt_in;

use cluster::Cluster;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::chart::{CRD, documents, established, kubectl, list, namespace, read, render};
use crate::harness::until;

/// A cluster with the CustomResourceDefinition and without an operator, which these tests share. Each guards namespaces
/// of its own.
async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let start = async || {
        let cluster = Cluster::start().await.expect("a cluster starts");
        let definition = list(&documents(&read("crds/providersecrets.yaml")));
        kubectl(&cluster, &APPLY, Some(&definition)).await;
        established(&cluster, &[CRD]).await;
        cluster
    };
    CLUSTER.get_or_init(start).await
}

const APPLY: [&str; 3] = ["apply", "--server-side", "--filename=-"];

/// The chart's policy objects with these arguments.
async fn policies(arguments: &[&str]) -> Vec<Value> {
    let only = "--show-only=templates/admission-policies.yaml";
    render(&[&[only], arguments].concat()).await
}

/// A namespace in which one policy is at work, and users with rights.
struct Guarded {
    namespace: String,
}

impl Guarded {
    /// Makes the namespace, and has the policy at work: a spec that it refuses is refused.
    async fn new(namespace: &str, policy: &str, refused: &Value) -> Self {
        super::chart::namespace(cluster().await, namespace, &json!({})).await;
        let guarded = Self {
            namespace: namespace.to_owned(),
        };
        guarded.user("nobody", &[]).await;
        guard(namespace, &[namespace], policy).await;
        until("the policy is at work", async || {
            let tried = guarded.create("nobody", refused).await;
            tried
                .err()
                .map(drop)
                .ok_or_else(|| "it is accepted".to_owned())
        })
        .await;
        guarded
    }

    /// Gives a user all rights on ProviderSecrets, and `get` on these Secrets; on all where one is `*`.
    async fn user(&self, name: &str, secrets: &[&str]) {
        let mut rules = vec![json!({
            "apiGroups": ["providersecrets.dev"], "resources": ["*"], "verbs": ["*"],
        })];
        let mut get = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]});
        if !secrets.contains(&"*") {
            get["resourceNames"] = json!(secrets);
        }
        // A rule without a name would be one for all.
        rules.extend((!secrets.is_empty()).then_some(get));
        let metadata = json!({"name": name, "namespace": self.namespace});
        let group = "rbac.authorization.k8s.io";
        let role = json!({
            "apiVersion": format!("{group}/v1"), "kind": "Role",
            "metadata": metadata, "rules": rules,
        });
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
        });
        kubectl(cluster().await, &APPLY, Some(&list(&[role, binding]))).await;
        let (user, all) = (
            format!("--as={name}"),
            ["-n", &self.namespace, "auth", "can-i"],
        );
        let can_i = [&all[..], &["create", "providersecrets", &user]].concat();
        until("the rights are there", async || {
            let output = cluster().await.kubectl_output(&can_i, None).await;
            let output = output.expect("kubectl runs");
            output.success.then_some(()).ok_or(output.stdout)
        })
        .await;
    }

    /// Makes a Secret with these labels.
    async fn secret(&self, name: &str, labels: &Value) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"a": "value"},
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
        });
        kubectl(cluster().await, &APPLY, Some(&secret.to_string())).await;
    }

    /// Has a user try to create an object with this spec, which is not stored; an error is what the API server says.
    async fn create(&self, user: &str, spec: &Value) -> Result<(), String> {
        let create = ["create", "--dry-run=server", "--filename=-"];
        self.write(user, &create, &self.object("tried", spec)).await
    }

    /// Runs kubectl as a user with an object.
    async fn write(&self, user: &str, command: &[&str], object: &Value) -> Result<(), String> {
        let text = object.to_string();
        self.kubectl(user, command, Some(&text)).await
    }

    /// Runs kubectl as a user in this namespace.
    async fn kubectl(
        &self,
        user: &str,
        command: &[&str],
        stdin: Option<&str>,
    ) -> Result<(), String> {
        let user = format!("--as={user}");
        let arguments = [&["-n", &self.namespace, &user], command].concat();
        let output = cluster().await.kubectl_output(&arguments, stdin).await;
        let output = output.expect("kubectl runs");
        output.success.then_some(()).ok_or(output.stderr)
    }

    /// Has a user patch the object of the name `object`.
    async fn patch(&self, user: &str, patch: &Value) -> Result<(), String> {
        let patch = patch.to_string();
        let command = ["patch", "psec", "object", "--type=merge", "--patch", &patch];
        self.kubectl(user, &command, None).await
    }

    /// Makes an object as the administrator, whom the policy of rights lets pass.
    async fn made(&self, name: &str, spec: &Value) -> Value {
        let object = self.object(name, spec);
        kubectl(cluster().await, &APPLY, Some(&object.to_string())).await;
        object
    }

    fn object(&self, name: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec,
        })
    }
}

/// Installs one policy for these namespaces, with the names of a release of its own.
async fn guard(release: &str, namespaces: &[&str], policy: &str) {
    let scope = namespaces.join(",");
    let policy =
        format!("--set=admissionPolicies.{policy}.enabled=true,fullnameOverride={release}");
    let scope = format!("--set=scope.mode=Namespaces,scope.namespaces={{{scope}}}");
    let objects = policies(&[&policy, &scope]).await;
    kubectl(cluster().await, &APPLY, Some(&list(&objects))).await;
}

/// Asserts that a policy refused something, and said so with these words.
fn assert_refused(tried: Result<(), String>, words: &str) {
    let refusal = tried.expect_err("the policy refuses it");
    assert!(refusal.contains("ValidatingAdmissionPolicy"), "{refusal}");
    assert!(refusal.contains(words), "{words}: {refusal}");
}

/// A spec whose API key is in this Secret and whose one value is in that.
fn spec(credential: &str, source: &str) -> Value {
    json!({
        "provider": {"baseten": {"apiKeySecretRef": {"name": credential, "key": "a"}}},
        "data": [{"name": "A_KEY", "secretKeyRef": {"name": source, "key": "a"}}],
    })
}

/// Each field that may name a Secret, with a spec in which it names `closed` and every other one `open`.
fn fields() -> Vec<(&'static str, Value)> {
    let key = |name: &str| json!({"name": name, "key": "a"});
    let account = |member: &str| {
        let mut spec = spec("open", "open");
        spec["provider"] = json!({member: {"apiKeySecretRef": key("closed"), "endpoint": null}});
        spec
    };
    let set = |pull: Value| {
        let account = json!({
            "setName": "registry", "apiKeySecretRef": key("open"), "imagePullSecret": pull,
        });
        // As clients write it that know every field.
        json!({"provider": {"pipecat": account, "baseten": null}, "data": null, "dataFrom": null})
    };
    let source = |mut source: Value| {
        source["name"] = json!("B_KEY");
        let mut spec = spec("open", "open");
        spec["data"].as_array_mut().expect("a list").push(source);
        spec
    };
    let mut bulk = spec("open", "open");
    bulk["dataFrom"] = json!([{"secretRef": {"name": "open"}}, {"secretRef": {"name": "closed"}}]);
    let closed = json!({"name": "closed"});
    vec![
        ("provider.baseten.apiKeySecretRef", account("baseten")),
        (
            "provider.primeIntellect.apiKeySecretRef",
            account("primeIntellect"),
        ),
        ("provider.pipecat.apiKeySecretRef", account("pipecat")),
        ("provider.braintrust.apiKeySecretRef", account("braintrust")),
        (
            "provider.pipecat.imagePullSecret.secretRef",
            set(json!({"secretRef": closed, "secretKeyRef": null})),
        ),
        (
            "provider.pipecat.imagePullSecret.secretKeyRef",
            set(json!({"host": "ghcr.io", "secretRef": null, "secretKeyRef": key("closed")})),
        ),
        (
            "data[].secretKeyRef",
            source(json!({"secretKeyRef": key("closed"), "secretRef": null})),
        ),
        (
            "data[].secretRef",
            source(json!({"template": "{{ a }}", "secretRef": closed, "secretKeyRef": null})),
        ),
        ("dataFrom[].secretRef", bulk),
    ]
}

/// Fields of a schema whose name says that they refer to a Secret.
fn references(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}{name}");
        if name.to_lowercase().ends_with("secretref") || name.ends_with("KeyRef") {
            found.push(path);
        } else {
            references(field, &format!("{path}."), found);
            references(&field["items"], &format!("{path}[]."), found);
        }
    }
}

/// A field that is added and not here would be one that the policies do not see.
#[test]
fn every_field_that_names_a_secret_is_tried() {
    let definition = documents(&read("crds/providersecrets.yaml")).remove(0);
    let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    references(&root["properties"]["spec"], "", &mut found);
    let mut tried: Vec<String> = fields()
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .collect();
    found.sort();
    tried.sort();
    assert_eq!(found, tried);
}

#[tokio::test]
async fn no_policy_is_installed_unless_it_is_asked_for() {
    let objects = render(&[]).await;
    assert!(
        objects
            .iter()
            .all(|object| object["kind"] != "ValidatingAdmissionPolicy")
    );
    for policy in ["sourceAccess", "sourceOptIn", "allowedProviders"] {
        let set = format!("--set=admissionPolicies.{policy}.enabled=true");
        let warn = "--set=admissionPolicies.validationActions={Warn,Audit}";
        let objects = policies(&[&set, warn]).await;
        let kinds: Vec<&str> = objects
            .iter()
            .filter_map(|object| object["kind"].as_str())
            .collect();
        let expected = [
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ];
        assert_eq!(kinds, expected, "{policy}");
        assert_eq!(objects[0]["spec"]["failurePolicy"], "Fail", "{policy}");
        assert_eq!(
            objects[1]["spec"]["validationActions"],
            json!(["Warn", "Audit"])
        );
        assert_eq!(
            objects[1]["spec"]["matchResources"],
            Value::Null,
            "{policy}"
        );
        assert_eq!(
            objects[0]["metadata"]["name"],
            objects[1]["spec"]["policyName"]
        );
    }
}
