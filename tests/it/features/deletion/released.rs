//! Objects that go, or stay, in ways that the operator does not choose: by force, in a namespace
//! that takes nothing new, and with no operator there.

use futures::future::join_all;
use kube::api::DeleteParams;
use serde_json::json;
use simulator::Fault;

use crate::harness::{
    Bystander, Target, TestCase, TestEnv, at_each_api_alone, calls, condition, delete_policy,
    is_guarded, root, run, until,
};

/// How many objects each account has when the definition goes.
const OBJECTS: usize = 20;

/// Takes every finalizer away, as who has lost patience does.
async fn strip(case: &TestCase<'_>, name: &str) {
    let patch = json!({"metadata": {"finalizers": null}});
    case.patch(name, patch).await.expect("they are removed");
}

/// Cases: D-11, A-17
#[test]
fn what_is_gone_by_force_is_left_at_the_provider() {
    run(async {
        let env = TestEnv::verifying().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let one = case.synced("gone", &delete_policy()).await;
            case.account.add_fault(Fault::status(503).forever());
            let by_force = DeleteParams::default().grace_period(0);
            let deleted = case.objects().delete("gone", &by_force).await;
            deleted.expect("an object is deleted");
            // What it wrote is still to go, so it stays even so.
            case.wait("gone", "blocked", |object| {
                condition(object, "Ready").is_some_and(|ready| ready.reason == "DeletionBlocked")
            })
            .await;
            strip(&case, "gone").await;
            case.wait_gone("gone").await;
            // Until the operator has seen it, it still deletes what is to go.
            let whose = format!("namespace=\"{}\",name=\"gone\"", case.namespace);
            until("the operator has seen it gone", async || {
                let metrics = env.operator.get("/metrics").await.1;
                let is_known = metrics.contains(&whose);
                (!is_known).then_some(()).ok_or_else(|| whose.clone())
            })
            .await;
            case.account.clear_faults();
            (case, one)
        }))
        .await;
        // Time for verifications.
        bystander.rotate().await;
        for (case, one) in &test_cases {
            // Another object of the account makes it look at the whole listing.
            case.secret("other", &[("b", &case.value("b"))]).await;
            let mut spec = case.spec(&[("B_KEY", "other", "b")], &delete_policy());
            if case.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = "others".into();
            }
            case.apply("other", spec).await.expect("it is applied");
            case.wait_ready("other").await;
            assert_eq!(case.held().get("A_KEY"), Some(one), "{:?}", case.target);
        }
        bystander.rotate().await;
        for (case, one) in test_cases {
            case.delete("other").await;
            case.wait_gone("other").await;
            case.assert_held(&[("A_KEY", &one)]);
            // Made again, the object has it again, and takes it away in the end.
            case.synced("gone", &delete_policy()).await;
            case.assert_held(&[("A_KEY", &one)]);
            case.delete("gone").await;
            case.wait_gone("gone").await;
            case.assert_held(&[]);
            case.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: D-07
#[test]
fn a_namespace_that_is_going_refuses_events_and_the_finalizer_goes_all_the_same() {
    run(at_each_api_alone(async |case| {
        case.synced("gone", &delete_policy()).await;
        // It is sent outside of the reconcile.
        case.wait_event("Synced").await;
        let known = calls(case.env, &case.namespace).await.len();
        case.account.add_fault(Fault::status(503).forever());
        // No controller ends it here, so it stays in this state.
        case.delete_namespace().await;
        case.delete("gone").await;
        // Status is written.
        case.wait("gone", "blocked", |object| {
            condition(object, "Ready").is_some_and(|ready| ready.reason == "DeletionBlocked")
        })
        .await;
        // The event about it is not, and is not tried again.
        let refused = async || {
            let calls = calls(case.env, &case.namespace).await.split_off(known);
            let mut codes: Vec<u16> = Vec::new();
            for call in calls.iter().filter(|call| call.resource == "events") {
                codes.push(call.code);
            }
            codes
        };
        until("an event is refused", async || {
            let codes = refused().await;
            (!codes.is_empty())
                .then_some(())
                .ok_or_else(|| "none is".to_owned())
        })
        .await;
        case.account.clear_faults();
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        // It was blocked, and what it wrote was deleted.
        until("both events are refused", async || {
            let codes = refused().await;
            assert!(
                codes.len() <= 2 && codes.iter().all(|code| *code == 403),
                "{codes:?}"
            );
            (codes.len() == 2)
                .then_some(())
                .ok_or_else(|| format!("{codes:?}"))
        })
        .await;
        case.finish().await;
    }));
}

/// Cases: D-08
#[test]
fn the_definition_goes_with_everything_that_was_written() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(&env, target).await;
            case.source("a").await;
            for number in 0..OBJECTS {
                let entry = format!("KEY_{number:02}");
                let mut spec = case.spec(&[(&entry, "source", "a")], &delete_policy());
                if target == Target::Pipecat {
                    spec["provider"]["pipecat"]["setName"] = format!("set-{number}").into();
                }
                let applied = case.apply(&format!("gone-{number}"), spec).await;
                applied.expect("it is applied");
            }
            for number in 0..OBJECTS {
                case.wait_ready(&format!("gone-{number}")).await;
            }
            case
        }))
        .await;
        let definition = "customresourcedefinition/providersecrets.providersecrets.dev";
        // It waits until the last object is gone.
        let delete_it = ["delete", definition, "--timeout=60s"];
        env.kubectl(&delete_it, None).await;
        for case in &test_cases {
            for scope in case.account.scopes() {
                let held = case.account.held(scope.as_deref());
                assert!(held.is_empty(), "{:?} {scope:?}: {held:?}", case.target);
            }
        }
        // And waits for the definition to come back.
        until("it says what is missing", async || {
            match env.operator.get("/readyz").await {
                (503, body) if body.contains("CustomResourceDefinition") => Ok(()),
                (status, body) => Err(format!("{status} {body}")),
            }
        })
        .await;
        let crds = root().join("crds").display().to_string();
        let apply = ["apply", "--server-side", "-f", &crds];
        env.kubectl(&apply, None).await;
        env.operator.wait_until_ready().await;
        for case in test_cases {
            case.synced("again", &delete_policy()).await;
            case.finish().await;
        }
    });
}

/// Cases: L-15
#[test]
fn without_an_operator_only_what_is_under_delete_waits_for_one() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(&env, target).await;
            let one = case.synced("stays", &delete_policy()).await;
            (case, one)
        }))
        .await;
        assert!(env.operator.terminate().await.success());
        for (case, one) in &test_cases {
            case.delete("stays").await;
            let object = case.get("stays").await;
            assert!(object.metadata.deletion_timestamp.is_some());
            assert!(is_guarded(&object), "{:?}", case.target);
            case.assert_held(&[("A_KEY", one)]);
        }
        // What the chart's README says: by hand, and what it wrote stays.
        let (by_hand, rest) = test_cases.split_at(2);
        for (case, one) in by_hand {
            strip(case, "stays").await;
            case.wait_gone("stays").await;
            case.assert_held(&[("A_KEY", one)]);
        }
        // Or the operator comes back. What is set to Retain meanwhile waits for it as well.
        let next = env.further(&[]).await;
        for (case, _) in rest {
            case.wait_gone("stays").await;
            case.assert_held(&[]);
        }
        // An object that is set to Retain in time does not wait.
        let (case, one) = &test_cases[0];
        case.synced("free", &delete_policy()).await;
        let retain = json!({"spec": {"deletionPolicy": "Retain"}});
        case.patch("free", retain).await.expect("it is patched");
        case.wait("free", "not guarded", |object| !is_guarded(object))
            .await;
        assert!(next.terminate().await.success());
        case.delete("free").await;
        case.wait_gone("free").await;
        case.assert_held(&[("A_KEY", one)]);
        for (case, _) in test_cases {
            case.finish_leaving(&["A_KEY"]).await;
        }
    });
}
