//! `deploy/approval-policy.yaml`: only the members of a group approve plans.

use cluster::Cluster;
use serde_json::{Value, json};

use super::{APPLY, assert_refused, spec};
use crate::{
    harness::until,
    install::chart::{documents, kubectl, list, read},
};

const ANNOTATION: &str = "providersecrets.dev/approved-plan";
const NAMESPACE: &str = "approvals";

/// A cluster in which every user may write ProviderSecrets, and the policy is at work.
struct Policed(Cluster);

impl Policed {
    async fn new() -> Self {
        let cluster = Cluster::start().await.expect("a cluster starts");
        super::super::chart::namespace(&cluster, NAMESPACE, &json!({})).await;
        let group = "rbac.authorization.k8s.io";
        let role = json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "writer"},
            "rules": [{"apiGroups": ["providersecrets.dev"], "resources": ["*"], "verbs": ["*"]}],
        });
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "writer"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "writer"},
            "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:authenticated"}],
        });
        for file in ["crds/providersecrets.yaml", "deploy/approval-policy.yaml"] {
            kubectl(&cluster, &APPLY, Some(&list(&documents(&read(file))))).await;
        }
        kubectl(&cluster, &APPLY, Some(&list(&[role, binding]))).await;
        let policed = Self(cluster);
        let approved = json!({"metadata": {"annotations": {ANNOTATION: "a"}}});
        until("the policy is at work", async || {
            match policed.create("probe", &approved).await {
                Err(said) if said.contains("secret-approvers") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        policed
    }

    /// Has a user create an object, merged with `more`, which is not stored.
    async fn create(&self, name: &str, more: &Value) -> Result<(), String> {
        let create = ["create", "--dry-run=server", "--filename=-"];
        let object = object(name, more).to_string();
        self.kubectl(None, &create, Some(&object)).await
    }

    async fn kubectl(
        &self,
        group: Option<&str>,
        command: &[&str],
        stdin: Option<&str>,
    ) -> Result<(), String> {
        let group = group.map(|group| format!("--as-group={group}"));
        let mut arguments = vec![
            "-n",
            NAMESPACE,
            "--as=user",
            "--as-group=system:authenticated",
        ];
        arguments.extend(group.as_deref());
        arguments.extend(command);
        let output = self.0.kubectl_output(&arguments, stdin).await;
        let output = output.expect("kubectl runs");
        output.success.then_some(()).ok_or(output.stderr)
    }

    /// Has a user, of a group perhaps, patch the object.
    async fn patch(&self, group: Option<&str>, patch: &Value) -> Result<(), String> {
        let patch = patch.to_string();
        let command = ["patch", "psec", "object", "--type=merge", "--patch", &patch];
        self.kubectl(group, &command, None).await
    }
}

fn object(name: &str, more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec("key", "source"),
    });
    json_patch::merge(&mut object, more);
    object
}

#[tokio::test]
async fn only_members_of_the_group_approve_and_take_the_question_away() {
    const APPROVERS: Option<&str> = Some("secret-approvers");
    let policed = Policed::new().await;
    let manual = json!({"spec": {"approval": "Manual"}});
    let object = object("object", &manual).to_string();
    kubectl(&policed.0, &APPLY, Some(&object)).await;
    let approve = |hash: Value| json!({"metadata": {"annotations": {ANNOTATION: hash}}});
    let mode = |mode: Value| json!({"spec": {"approval": mode}});
    let (may_not_approve, may_not_lower) = (
        "may set the annotation providersecrets.dev/approved-plan",
        "may lower spec.approval",
    );

    assert_refused(
        policed.patch(None, &approve("a".into())).await,
        may_not_approve,
    );
    assert_refused(
        policed
            .patch(Some("developers"), &approve("a".into()))
            .await,
        may_not_approve,
    );
    assert_eq!(policed.patch(APPROVERS, &approve("a".into())).await, Ok(()));
    assert_refused(
        policed.patch(None, &approve("b".into())).await,
        may_not_approve,
    );
    // What leaves the approval as it is passes, and so does taking it back.
    let other =
        json!({"metadata": {"annotations": {"note": "a"}}, "spec": {"verifyInterval": "2m"}});
    assert_eq!(policed.patch(None, &other).await, Ok(()));
    assert_eq!(policed.patch(None, &approve(Value::Null)).await, Ok(()));

    assert_refused(
        policed.patch(None, &mode("Automatic".into())).await,
        may_not_lower,
    );
    assert_refused(policed.patch(None, &mode(Value::Null)).await, may_not_lower);
    assert_eq!(
        policed.patch(None, &mode("ManualEveryChange".into())).await,
        Ok(())
    );
    assert_refused(
        policed.patch(None, &mode("Manual".into())).await,
        may_not_lower,
    );
    assert_eq!(
        policed.patch(APPROVERS, &mode("Automatic".into())).await,
        Ok(())
    );
    assert_eq!(policed.create("new", &manual).await, Ok(()));
}
