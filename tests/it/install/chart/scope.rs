//! `scope`: rights in the whole cluster, or in some namespaces and nowhere else.

use serde_json::Value;

use super::{arguments_of, find, has, render, template};
use crate::harness::NAMESPACE;

/// The Role for the Lease, in the operator's namespace.
const LEASE_ROLE: &str = "provider-secrets-lease";
const TWO: &str = "--set=scope.mode=Namespaces,scope.namespaces={one,two}";

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let objects = objects.iter();
    objects.filter(|object| object["kind"] == kind).collect()
}

fn namespaces(objects: &[&Value]) -> Vec<String> {
    let namespaces = objects
        .iter()
        .map(|object| &object["metadata"]["namespace"]);
    namespaces
        .map(|name| name.as_str().unwrap_or_default().to_owned())
        .collect()
}

fn names(objects: &[&Value]) -> Vec<Value> {
    let names = objects.iter().map(|object| &object["metadata"]["name"]);
    names.cloned().collect()
}

#[tokio::test]
async fn a_role_in_each_namespace_has_the_rules_of_the_cluster_role() {
    let everywhere = render(&[]).await;
    assert_eq!(names(&of_kind(&everywhere, "Role")), [LEASE_ROLE]);
    assert_eq!(names(&of_kind(&everywhere, "RoleBinding")), [LEASE_ROLE]);
    let rules = &find(&everywhere, "ClusterRole", "provider-secrets")["rules"];

    let objects = render(&[TWO, "--set=rbac.aggregateClusterRoles=false"]).await;
    assert!(!has(&objects, "ClusterRole") && !has(&objects, "ClusterRoleBinding"));
    let is_of_scope = |object: &&Value| object["metadata"]["name"] != LEASE_ROLE;
    let [granted, bindings] = ["Role", "RoleBinding"].map(|kind| {
        let objects = of_kind(&objects, kind).into_iter();
        objects.filter(is_of_scope).collect::<Vec<_>>()
    });
    assert_eq!(namespaces(&granted), ["one", "two"]);
    assert_eq!(namespaces(&bindings), ["one", "two"]);
    for (role, binding) in granted.iter().zip(bindings) {
        assert_eq!(role["rules"], *rules);
        assert_eq!(binding["roleRef"]["kind"], "Role");
        assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
        let subject = &binding["subjects"][0];
        let account = find(&objects, "ServiceAccount", "");
        assert_eq!(subject["name"], account["metadata"]["name"]);
        assert_eq!(subject["namespace"], NAMESPACE);
    }
}

#[tokio::test]
async fn get_only_takes_list_and_watch_of_secrets_away_and_tells_the_operator() {
    let verbs = |objects: &[Value], kind: &str| {
        let granted = of_kind(objects, kind).into_iter();
        let rules = granted.flat_map(|role| role["rules"].as_array().into_iter().flatten());
        let mut of_secrets = rules.filter(|rule| rule["resources"][0] == "secrets");
        of_secrets.next().expect("a rule of Secrets")["verbs"].clone()
    };
    let get_only = "--set=scope.secretAccess=GetOnly,scope.secretPollInterval=30s";
    for (more, kind) in [(None, "ClusterRole"), (Some(TWO), "Role")] {
        let values: Vec<&str> = more.into_iter().collect();
        let watching = render(&values).await;
        assert_eq!(
            verbs(&watching, kind),
            serde_json::json!(["get", "list", "watch"])
        );
        let is_flag = |argument: &&str| argument.starts_with("--secret-");
        assert_eq!(arguments_of(&watching).into_iter().find(is_flag), None);
        let objects = render(&[&values[..], &[get_only]].concat()).await;
        assert_eq!(verbs(&objects, kind), serde_json::json!(["get"]));
        let flags: Vec<&str> = arguments_of(&objects).into_iter().filter(is_flag).collect();
        assert_eq!(
            flags,
            ["--secret-access=get-only", "--secret-poll-interval=30s"]
        );
    }
}

#[tokio::test]
async fn the_operator_gets_its_namespaces_as_a_flag() {
    let flag = "--watch-namespaces=";
    let objects = render(&[]).await;
    let is_flag = |argument: &&str| argument.starts_with(flag);
    assert_eq!(arguments_of(&objects).into_iter().find(is_flag), None);
    let objects = render(&[TWO, "--set=rbac.create=false"]).await;
    assert!(!has(&objects, "Role") && !has(&objects, "RoleBinding"));
    let flags = arguments_of(&objects).into_iter().find(is_flag);
    assert_eq!(flags, Some("--watch-namespaces=one,two"));
}

#[tokio::test]
async fn a_scope_that_says_two_things_is_refused() {
    for values in [
        "scope.mode=Namespaces",
        "scope.namespaces={one}",
        "scope.mode=Namespace,scope.namespaces={one}",
        "scope.mode=Namespaces,scope.namespaces={one,one}",
        "scope.mode=Namespaces,scope.namespaces={One}",
        "scope.mode=Namespaces,scope.namespaces={-one}",
        "scope.mode=Namespaces,scope.namespaces={}",
        "scope.mode=Namespaces,scope.namespaces=one",
    ] {
        let output = template(&["--set", values]).await;
        let is_refused = output
            .stderr
            .contains("values don't meet the specifications");
        assert!(!output.success && is_refused, "{values}: {}", output.stderr);
    }
}
