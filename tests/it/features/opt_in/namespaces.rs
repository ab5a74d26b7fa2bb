//! The annotation of a namespace bounds which providers and endpoints its objects may use, whatever the policies of the
//! cluster say.

use provider_secrets::api::{EntryState, ProviderSecret};
use serde_json::{Value, json};

use crate::harness::{
    RIGHTS, Target, TestCase, TestEnv, at_each_api, calls, condition, delete_policy, entry, run,
};

const KEY: &str = "providersecrets.dev/allowed-providers";

/// What a target's objects use, as the annotation names it.
fn used(target: Target) -> String {
    target.provider().to_lowercase()
}

/// Sets the annotation of the test case's namespace.
async fn allow(case: &TestCase<'_>, providers: &str) {
    let annotation = format!("{KEY}={providers}");
    let annotate = ["annotate", "namespace", &case.namespace, "--overwrite"];
    let annotate = [&annotate[..], &[&annotation]].concat();
    case.env.kubectl(&annotate, None).await;
}

/// Has the operator look now: it knows what a namespace allows for half a minute, but for a request.
async fn ask(case: &TestCase<'_>, name: &str, token: &str) {
    let key = "providersecrets.dev/sync-requested-at";
    case.annotate(name, key, token).await;
}

async fn wait_refused(case: &TestCase<'_>, name: &str, words: &str) -> ProviderSecret {
    let object = case.wait_reason(name, "ProviderNotAllowed").await;
    let stalled = condition(&object, "Stalled").expect("a person must act");
    for words in [words, KEY, case.namespace.as_str()] {
        assert!(stalled.message.contains(words), "{}", stalled.message);
    }
    object
}

#[test]
fn a_provider_that_the_namespace_does_not_name_hears_nothing() {
    run(at_each_api(async |case| {
        let others = Target::ALL.map(used).into_iter();
        let others: Vec<String> = others.filter(|other| *other != used(case.target)).collect();
        // Nor do words that name no provider open anything.
        allow(
            &case,
            &format!("{},{}/eu,*", others.join(","), used(case.target)),
        )
        .await;
        case.source("one").await;
        case.object("target", &[("A_KEY", "source", "a")]).await;
        wait_refused(
            &case,
            "target",
            &format!("does not name {}", used(case.target)),
        )
        .await;
        assert!(case.account.requests().is_empty(), "{:?}", case.target);
        let calls = calls(case.env, &case.namespace).await;
        let is_read = |verb: &str, resource: &str| {
            calls
                .iter()
                .filter(|call| call.verb == verb && call.resource == resource)
                .count()
        };
        assert_eq!(is_read("get", "secrets"), 0, "{:?}", case.target);
        assert!(is_read("get", "namespaces") > 0, "{:?}", case.target);

        allow(
            &case,
            &format!("{},{}", others.join(","), used(case.target)),
        )
        .await;
        ask(&case, "target", "allowed").await;
        case.wait_held(&[("A_KEY", &case.value("one"))]).await;
        case.wait_ready("target").await;
        case.finish().await;
    }));
}

#[test]
fn a_bound_that_is_tightened_stops_writes_and_deletes_nothing() {
    run(at_each_api(async |case| {
        let values = ["one", "two", "b"].map(|text| case.value(text));
        let [one, two, b] = &values;
        case.secret("source", &[("a", one), ("b", b)]).await;
        let both = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        case.put("target", &both, &delete_policy()).await;
        let before = case.wait_ready("target").await;
        let requests = case.account.requests().len();

        allow(&case, "").await;
        ask(&case, "target", "tightened").await;
        wait_refused(&case, "target", "does not name").await;
        // Neither a new value nor an entry that goes moves anything.
        case.secret("source", &[("a", two), ("b", b)]).await;
        case.put("target", &both[..1], &delete_policy()).await;
        let object = wait_refused(&case, "target", "does not name").await;
        for name in ["A_KEY", "B_KEY"] {
            let (now, was) = (entry(&object, name), entry(&before, name));
            assert_eq!(now.digest, was.digest, "its record stays");
            assert_eq!(now.remote_id, was.remote_id);
        }
        case.assert_held(&[("A_KEY", one), ("B_KEY", b)]);
        assert_eq!(case.account.requests().len(), requests, "{:?}", case.target);

        allow(&case, &used(case.target)).await;
        ask(&case, "target", "loosened").await;
        case.wait_held(&[("A_KEY", two)]).await;
        let object = case.wait_ready("target").await;
        assert_eq!(entry(&object, "A_KEY").state, EntryState::Synced);

        // What was written while it was allowed still goes with its object.
        allow(&case, "").await;
        ask(&case, "target", "again").await;
        wait_refused(&case, "target", "does not name").await;
        case.delete("target").await;
        case.wait_gone("target").await;
        case.wait_held(&[]).await;
        case.finish().await;
    }));
}

#[test]
fn an_endpoint_is_named_by_itself_or_with_all_of_its_provider() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.source("one").await;
        allow(&case, "braintrust").await;
        let mut provider = case.provider();
        provider["braintrust"]["endpoint"] = json!("eu");
        let spec = case.spec(&[("A_KEY", "source", "a")], &json!({"provider": provider}));
        case.apply("target", spec).await.expect("it is applied");
        wait_refused(&case, "target", "does not name braintrust/eu").await;
        assert!(case.account.requests().is_empty());
        for (number, annotation) in ["braintrust/eu", "", "braintrust/*"]
            .into_iter()
            .enumerate()
        {
            allow(&case, annotation).await;
            ask(&case, "target", &number.to_string()).await;
            if annotation.is_empty() {
                wait_refused(&case, "target", "does not name braintrust/eu").await;
            } else {
                case.wait_ready("target").await;
                case.assert_held(&[("A_KEY", &case.value("one"))]);
            }
        }
        case.finish().await;
    });
}

#[test]
fn a_namespace_that_says_nothing_sends_nothing_where_it_must_opt_in() {
    run(async {
        let env = TestEnv::fresh(&["--require-namespace-opt-in=true"]).await;
        let case = TestCase::new(&env, Target::Pipecat).await;
        case.source("one").await;
        case.object("target", &[("A_KEY", "source", "a")]).await;
        wait_refused(&case, "target", "has no annotation").await;
        assert!(case.account.requests().is_empty());
        allow(&case, "pipecat").await;
        ask(&case, "target", "allowed").await;
        case.wait_held(&[("A_KEY", &case.value("one"))]).await;
        case.wait_ready("target").await;
        case.finish().await;
    });
}

/// In doubt nothing leaves the cluster.
#[test]
fn a_namespace_that_may_not_be_read_is_said_and_nothing_is_sent() {
    run(async {
        let env = TestEnv::watching(&["dark"], &["dark"]).await;
        env.operator.wait_until_ready().await;
        let rules = env.kubectl(&["get", "role", RIGHTS, "-n", "dark", "-o", "json"], None);
        let role: Value = serde_json::from_str(&rules.await).expect("JSON");
        let mut closed = role.clone();
        let rules = closed["rules"].as_array_mut().expect("rules");
        rules.retain(|rule| rule["resources"] != json!(["namespaces"]));
        assert_ne!(closed, role);
        env.kubectl(&["replace", "-f", "-"], Some(&closed.to_string()))
            .await;
        let user = format!("--as={}", TestEnv::user());
        let get = ["get", "namespace", "dark", &user];
        env.wait_refused("the namespace may not be read", &get)
            .await;
        let case = TestCase::in_namespace(&env, Target::BasetenTeam, "dark").await;
        case.source("one").await;
        case.object("target", &[("A_KEY", "source", "a")]).await;
        let object = case.wait_reason("target", "Forbidden").await;
        let ready = condition(&object, "Ready").expect("Ready");
        let words = "may not read namespace dark";
        assert!(ready.message.contains(words), "{}", ready.message);
        assert!(case.account.requests().is_empty());

        env.grant(&["dark"]).await;
        case.wait_held(&[("A_KEY", &case.value("one"))]).await;
        case.wait_ready("target").await;
        case.finish().await;
    });
}
