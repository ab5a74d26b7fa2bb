//! RBAC of the chart: what the operator uses is what it is granted, no verb more and none less. That it never uses more is
//! held at the end of every test, by `harness/invariants`.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use simulator::{Action, Fault};

use crate::harness::{
    DEADLINE, GET_ONLY, NAMESPACE, RIGHTS, Target, TestCase, TestEnv, run, traces, until,
    wait_write,
};

/// The Role for the Lease, as kubectl is asked for it.
const LEASE_ROLE: [&str; 4] = ["role", "provider-secrets-lease", "-n", NAMESPACE];

/// API group, resource with its subresource, and verb.
type Right = (String, String, String);

/// The rights that the chart's ClusterRole and the Role for the Lease grant, or its Role in a namespace.
async fn granted(env: &TestEnv, namespace: Option<&str>) -> BTreeSet<Right> {
    let Some(namespace) = namespace else {
        let mut rights = rights(env, &["clusterrole", RIGHTS]).await;
        rights.extend(self::rights(env, &LEASE_ROLE).await);
        return rights;
    };
    rights(env, &["role", RIGHTS, "-n", namespace]).await
}

async fn rights(env: &TestEnv, role: &[&str]) -> BTreeSet<Right> {
    let get = [&["get", "-o", "json"], role].concat();
    let role: Value = serde_json::from_str(&env.kubectl(&get, None).await).expect("JSON");
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        serde_json::from_value(rule[field].clone()).expect("a list of texts")
    };
    let mut rules = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    rules.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    rules
}

/// The rights that the API server saw the operator use, anywhere or in a namespace.
fn used(env: &TestEnv, namespace: Option<&str>) -> BTreeSet<Right> {
    let calls = env.cluster.calls();
    calls
        .iter()
        .filter(|call| call.user == TestEnv::user() && !call.resource.is_empty())
        .filter(|call| namespace.is_none_or(|namespace| call.namespace == namespace))
        .map(|call| {
            let resource = match call.subresource.as_str() {
                "" => call.resource.clone(),
                subresource => format!("{}/{subresource}", call.resource),
            };
            (call.api_group.clone(), resource, call.verb.clone())
        })
        .collect()
}

/// Has the operator do everything that takes a right.
async fn play(case: &TestCase<'_>) {
    case.source("one").await;
    case.object("object", &[("A_KEY", "source", "a")]).await;
    case.wait_ready("object").await;
    // An object that changes while it is written is read again.
    let before = case.writes().len();
    let delay = Duration::from_secs(1);
    case.account
        .add_fault(Fault::new(Action::Handle).delay(delay).method("POST"));
    let two = case.value("two");
    case.secret("source", &[("a", &two)]).await;
    wait_write(case, before).await;
    let note = json!({"metadata": {"annotations": {"note": "changed meanwhile"}}});
    case.patch("object", note)
        .await
        .expect("an annotation is written");
    case.wait_held(&[("A_KEY", &two)]).await;
    // Under Delete the object has a finalizer.
    let spec = json!({"spec": {"deletionPolicy": "Delete"}});
    case.patch("object", spec).await.expect("a policy is set");
    until("the finalizer is there", async || {
        let object = case.objects().get("object").await.expect("an object");
        let finalizers = object.metadata.finalizers.unwrap_or_default();
        (!finalizers.is_empty())
            .then_some(())
            .ok_or_else(|| "none".to_owned())
    })
    .await;
    // A Lease that a user deletes is made anew.
    let lease = ["lease/provider-secrets", "--namespace", NAMESPACE];
    let deletes = [&["delete"], &lease[..]].concat();
    case.env.kubectl(&deletes, None).await;
    let waits = [&["wait", "--for=create"], &lease[..]].concat();
    case.env.kubectl(&waits, None).await;
}

/// Deletes the object while no operator runs, and its API key: for one that has never used the key,
/// that raises the question whether the namespace goes too.
async fn leave(case: &TestCase<'_>) {
    case.delete_secret("credential").await;
    let kubectl = ["delete", "psec", "object", "--wait=false"];
    case.kubectl(&kubectl).await;
}

/// Waits until the rights that are granted and those that are used are the same.
async fn wait_used(env: &TestEnv, namespace: Option<&str>) {
    wait_all_used(env, &granted(env, namespace).await, namespace).await;
}

async fn wait_all_used(env: &TestEnv, granted: &BTreeSet<Right>, namespace: Option<&str>) {
    until(
        &format!("all of {granted:?} is used, within {DEADLINE:?}"),
        async || {
            let used = used(env, namespace);
            if used == *granted {
                Ok(())
            } else {
                Err(format!("used: {used:?}"))
            }
        },
    )
    .await;
}

/// Cases: K-03
#[test]
fn every_right_of_the_chart_is_used_and_no_other() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let case = TestCase::new(&env, Target::BasetenTeam).await;
        play(&case).await;
        assert!(env.operator.terminate().await.success());
        leave(&case).await;
        let again = env.further(&[]).await;
        wait_used(&env, None).await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        case.finish().await;
    });
}

/// Secrets come, change and go, and nothing but `get` is asked for.
///
/// Cases: K-02
#[test]
fn with_get_only_every_right_is_used_and_no_other() {
    run(async {
        let env = TestEnv::get_only().await;
        let case = TestCase::new(&env, Target::BasetenTeam).await;
        play(&case).await;
        let late = [("A_KEY", "source", "a"), ("L_KEY", "late", "l")];
        case.object("object", &late).await;
        case.wait_reason("object", "SecretNotFound").await;
        let value = case.value("late");
        case.secret("late", &[("l", &value)]).await;
        case.wait_ready("object").await;
        case.wait_held(&[("A_KEY", &case.value("two")), ("L_KEY", &value)])
            .await;
        assert!(env.operator.terminate().await.success());
        leave(&case).await;
        let again = env.further(&GET_ONLY).await;
        wait_used(&env, None).await;
        let secrets = (String::new(), "secrets".to_owned());
        let verbs = granted(&env, None).await.into_iter();
        let verbs =
            verbs.filter(|(group, resource, _)| (group, resource) == (&secrets.0, &secrets.1));
        assert_eq!(verbs.map(|right| right.2).collect::<Vec<_>>(), ["get"]);
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        case.finish().await;
    });
}

#[test]
fn every_right_of_a_role_is_used_and_none_in_another_namespace() {
    run(async {
        let names = ["one", "two"];
        let env = TestEnv::watching(&names, &names).await;
        env.operator.wait_until_ready().await;
        let mut test_cases = Vec::new();
        for name in names {
            let case = TestCase::in_namespace(&env, Target::BasetenTeam, name).await;
            play(&case).await;
            test_cases.push(case);
        }
        assert!(env.operator.terminate().await.success());
        for case in &test_cases {
            leave(case).await;
        }
        let again = env.further(&["--watch-namespaces=one,two"]).await;
        for case in test_cases {
            wait_used(&env, Some(&case.namespace)).await;
            case.finish().await;
        }
        let lease = rights(&env, &LEASE_ROLE).await;
        wait_all_used(&env, &lease, Some(NAMESPACE)).await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        let calls = env.cluster.calls().into_iter();
        let elsewhere: Vec<_> = calls
            .filter(|call| call.user == TestEnv::user() && !call.resource.is_empty())
            .filter(|call| !names.contains(&call.namespace.as_str()))
            .filter(|call| !TestEnv::is_for_lease(call))
            .collect();
        assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    });
}
