//! The operator of some namespaces: nothing happens in another one, Roles are all it needs, and a
//! namespace that may not be read holds up no other.

use std::sync::Arc;

use cluster::AuditEvent;
use jiff::Timestamp;
use kube::{ResourceExt, api::DeleteParams};
use provider_secrets::api::ProviderSecret;
use serde_json::json;

use crate::harness::{
    NO_VERIFICATION, Operator, RIGHTS, Target, TestCase, TestEnv, calls, condition, run, traces,
    until,
};

/// An object with one entry, and its Secret.
async fn make(case: &TestCase<'_>, text: &str) {
    case.source(text).await;
    case.object("object", &[("A_KEY", "source", "a")]).await;
}

async fn wait_synced(case: &TestCase<'_>, text: &str) -> ProviderSecret {
    case.wait_held(&[("A_KEY", &case.value(text))]).await;
    case.wait_ready("object").await
}

/// Waits until `/readyz` has each of `words` and not `other`.
async fn wait_lacks(operator: &Operator, words: &[&str], other: &str) {
    until("it says what is missing", async || {
        match operator.get("/readyz").await {
            (503, body)
                if words.iter().all(|word| body.contains(word)) && !body.contains(other) =>
            {
                Ok(())
            }
            (status, body) => Err(format!("{status} {body}")),
        }
    })
    .await;
}

/// Deletes an object under the policy Delete: it goes, and what it wrote.
async fn delete(case: &TestCase<'_>) {
    let policy = json!({"spec": {"deletionPolicy": "Delete"}});
    case.patch("object", policy).await.expect("a policy is set");
    let has_finalizer = |object: &ProviderSecret| !object.finalizers().is_empty();
    case.wait("object", "held", has_finalizer).await;
    let parameters = DeleteParams::default();
    let deleted = case.objects().delete("object", &parameters).await;
    deleted.expect("an object is deleted");
    until("the object is gone", async || {
        let object = case.objects().get_opt("object").await;
        match object.expect("the API server answers") {
            None => Ok(()),
            Some(object) => Err(format!("{:#?}", object.status)),
        }
    })
    .await;
    case.wait_held(&[]).await;
}

fn is_write(event: &AuditEvent) -> bool {
    !matches!(event.verb.as_str(), "get" | "list" | "watch")
}

fn is_secret_read(event: &AuditEvent) -> bool {
    event.resource == "secrets" && event.verb == "get"
}

/// With rights in the whole cluster, so that it is the flag and nothing else that holds it back.
/// Cases: H-03
#[test]
fn an_object_of_another_namespace_is_left_alone() {
    run(async {
        let env = TestEnv::fresh(&["--watch-namespaces=watched"]).await;
        let elsewhere = TestCase::in_namespace(&env, Target::Braintrust, "elsewhere").await;
        make(&elsewhere, "one").await;
        let made = elsewhere.objects().get("object").await.expect("an object");
        let watched = TestCase::in_namespace(&env, Target::Braintrust, "watched").await;
        make(&watched, "one").await;
        wait_synced(&watched, "one").await;
        // What causes a reconcile of an object that is watched.
        elsewhere.source("two").await;
        let note = json!({"metadata": {"annotations": {"note": "changed"}}});
        let noted = elsewhere.patch("object", note).await.expect("a patch");
        for text in ["two", "three"] {
            watched.rotate("object", text).await;
        }

        assert!(elsewhere.account.requests().is_empty());
        let now = elsewhere.objects().get("object").await.expect("an object");
        assert_eq!(now.resource_version(), noted.resource_version());
        assert_eq!(now.status, made.status);
        let events = ["get", "events.events.k8s.io", "-o", "name"];
        assert_eq!(elsewhere.kubectl(&events).await, "");
        let calls = calls(&env, &elsewhere.namespace).await;
        assert!(calls.is_empty(), "{calls:#?}");
        let all = env.cluster.calls().into_iter();
        let foreign: Vec<_> = all
            .filter(|call| call.user == TestEnv::user() && !call.resource.is_empty())
            .filter(|call| call.namespace != "watched" && !TestEnv::is_for_lease(call))
            .collect();
        assert!(foreign.is_empty(), "{foreign:#?}");
        elsewhere.finish().await;
        watched.finish().await;
    });
}

#[test]
fn roles_suffice_and_a_namespace_may_come_later() {
    run(async {
        let env = TestEnv::watching(&["first", "later"], &["first"]).await;
        let first = TestCase::in_namespace(&env, Target::PrimeIntellect, "first").await;
        make(&first, "one").await;
        // It goes on without the namespace that it may not read, and says which one that is.
        wait_synced(&first, "one").await;
        wait_lacks(
            &env.operator,
            &[
                "providersecrets in namespace later: ",
                "secrets in namespace later: ",
                "may not list and watch",
            ],
            "first",
        )
        .await;
        first.rotate("object", "two").await;

        let later = TestCase::in_namespace(&env, Target::Pipecat, "later").await;
        make(&later, "one").await;
        env.grant(&["first", "later"]).await;
        wait_synced(&later, "one").await;
        env.operator.wait_until_ready().await;
        later.rotate("object", "two").await;
        first.rotate("object", "three").await;

        // A restart with both synced writes nothing and reads no Secret.
        assert!(env.operator.terminate().await.success());
        let requests = [&first, &later].map(|case| case.account.requests().len());
        let restarted = Timestamp::now();
        let flags = [
            "--watch-namespaces=first",
            "--watch-namespaces=later",
            NO_VERIFICATION,
        ];
        let again = env.further(&flags).await;
        again.wait_unchanged(2).await;
        for (case, requests) in [&first, &later].into_iter().zip(requests) {
            assert_eq!(case.account.requests().len(), requests);
            let mut moved = calls(&env, &case.namespace).await;
            moved.retain(|call| call.request_received >= restarted);
            moved.retain(|call| is_write(call) || is_secret_read(call));
            assert!(moved.is_empty(), "{moved:#?}");
        }

        delete(&first).await;
        later.rotate("object", "three").await;
        delete(&later).await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        first.finish().await;
        later.finish().await;
    });
}

#[test]
fn that_a_secret_is_absent_is_concluded_only_where_secrets_were_listed() {
    run(async {
        let env = TestEnv::watching(&["seen", "blind"], &["seen", "blind"]).await;
        env.operator.wait_until_ready().await;
        let seen = TestCase::in_namespace(&env, Target::BasetenTeam, "seen").await;
        let blind = TestCase::in_namespace(&env, Target::BasetenTeam, "blind").await;
        make(&blind, "one").await;
        wait_synced(&blind, "one").await;
        assert!(env.operator.terminate().await.success());

        // Objects may be read, Secrets may not; one object is new and names a Secret that is not there.
        let role = &format!("role/{RIGHTS}");
        let rules = "[{\"op\": \"remove\", \"path\": \"/rules/2\"}]";
        blind
            .kubectl(&["patch", role, "--type=json", "--patch", rules])
            .await;
        let user = format!("--as={}", TestEnv::user());
        let ask = ["-n", "blind", "auth", "can-i", "list", "secrets", &user];
        env.wait_refused("Secrets may not be listed", &ask).await;
        blind.object("waits", &[("B_KEY", "absent", "a")]).await;
        let before = blind.objects().get("waits").await.expect("an object");
        let synced = blind.objects().get("object").await.expect("an object");
        let flags = ["--watch-namespaces=seen,blind"];
        let again = env.further_unready(&flags).await;
        make(&seen, "one").await;
        wait_synced(&seen, "one").await;
        let words = ["secrets in namespace blind: ", "may not list and watch"];
        wait_lacks(&again, &words, "seen").await;
        seen.rotate("object", "two").await;
        let untouched = async |name: &str, before: &ProviderSecret| {
            let now = blind.objects().get(name).await.expect("an object");
            assert_eq!(now.resource_version(), before.resource_version(), "{name}");
        };
        untouched("waits", &before).await;
        untouched("object", &synced).await;

        env.grant(&["seen", "blind"]).await;
        blind.wait_reason("waits", "SecretNotFound").await;
        again.wait_until_ready().await;
        untouched("object", &synced).await;
        blind.rotate("object", "two").await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        seen.finish().await;
        blind.finish().await;
    });
}

/// Cases: C-26
#[test]
fn where_secrets_may_not_be_read_only_the_objects_there_say_so() {
    run(async {
        let env = TestEnv::watching(&["open", "shut"], &["open", "shut"]).await;
        env.operator.wait_until_ready().await;
        let open = TestCase::in_namespace(&env, Target::Braintrust, "open").await;
        let shut = TestCase::in_namespace(&env, Target::Braintrust, "shut").await;
        for case in [&open, &shut] {
            make(case, "one").await;
            wait_synced(case, "one").await;
        }
        let writes = shut.writes();
        // They may still be listed, so nothing seems to be gone.
        let rules =
            json!([{"op": "replace", "path": "/rules/2/verbs", "value": ["list", "watch"]}]);
        let patch = format!("--patch={rules}");
        let role = ["patch", "role", RIGHTS, "--type=json", &patch];
        shut.kubectl(&role).await;
        let user = format!("--as={}", TestEnv::user());
        let ask = ["-n", "shut", "auth", "can-i", "get", "secrets", &user];
        env.wait_refused("Secrets may not be read", &ask).await;
        let two = shut.value("two");
        shut.secret("source", &[("a", &two)]).await;
        let object = shut.wait_reason("object", "Forbidden").await;
        let ready = condition(&object, "Ready").expect("Ready");
        let words = "may not read Secret source. Grant its ServiceAccount the verb get";
        assert!(ready.message.contains(words), "{}", ready.message);
        // The other namespace goes on, the operator is ready, and the watch goes on too.
        for text in ["two", "three", "four"] {
            open.rotate("object", text).await;
        }
        assert_eq!(env.operator.get("/readyz").await.0, 200);
        let object = open.wait_ready("object").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").reason, "Synced");
        assert_eq!(shut.writes(), writes);
        let calls = calls(&env, "shut").await;
        let watches = |call: &&Arc<AuditEvent>| call.verb == "watch" && call.code == 403;
        assert_eq!(calls.iter().filter(watches).count(), 0);
        let refused = calls.iter().filter(|call| call.code == 403).count();
        assert!((1..=20).contains(&refused), "{refused} calls were refused");

        // The next try has the right again, and its report is correct again.
        env.grant(&["open", "shut"]).await;
        wait_synced(&shut, "two").await;
        assert_eq!(shut.writes().len(), writes.len() + 1);
        open.finish().await;
        shut.finish().await;
    });
}
