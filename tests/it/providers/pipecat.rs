//! Pipecat Cloud: sets that are accepted first and ready later, and two readings of PUT.

mod image_pull;
mod sets;

use std::time::Duration;

use serde_json::json;
use simulator::{
    Fault,
    pipecat::{Conflict, Put, PutAnswer, Variants},
};

use super::{bodies, case, requests};
use crate::harness::{Target, TestCase, condition, run};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(24);

/// A test case whose vendor differs in these points, with Secret `source`.
pub(super) async fn case_with(change: impl FnOnce(&mut Variants)) -> (TestCase<'static>, String) {
    let case = case(Target::Pipecat).await;
    vary(&case, change);
    let value = case.value("one");
    case.secret("source", &[("a", &value)]).await;
    (case, value)
}

fn vary(case: &TestCase<'_>, change: impl FnOnce(&mut Variants)) {
    case.env
        .simulator()
        .pipecat()
        .set_variants(&case.account, change);
}

#[test]
fn either_answer_to_a_put_is_an_acceptance() {
    run(async {
        for (answer, absent) in [
            (PutAnswer::Ok, false),
            (PutAnswer::Accepted, false),
            (PutAnswer::Ok, true),
            (PutAnswer::Accepted, true),
        ] {
            let (case, value) = case_with(|variants| {
                variants.put_answer = answer;
                variants.status_absent = absent;
            })
            .await;
            case.object("accepted", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("accepted").await;
            case.wait_held(&[("A_KEY", &value)]).await;
            assert_eq!(case.writes(), ["PUT /v1/secrets/agents"]);
            case.finish().await;
        }
    });
}

#[test]
fn a_pending_set_is_not_ready_and_not_written_again() {
    run(async {
        let (case, value) = case_with(|variants| {
            variants.put_answer = PutAnswer::Accepted;
            variants.ready_after = FOR_EVER;
        })
        .await;
        case.object("pending", &[("A_KEY", "source", "a")]).await;
        let object = case.wait_reason("pending", "Progressing").await;
        let status = |kind| condition(&object, kind).map(|condition| condition.status.as_str());
        assert_eq!(status("Ready"), Some("False"));
        assert_eq!(status("Reconciling"), Some("True"));
        assert_eq!(status("Stalled"), None);
        assert_eq!(
            case.columns("pending").await[..3],
            ["Pipecat", "False", "Progressing"]
        );
        // It is asked again and again, without a write.
        let asked = requests(&case, "GET /v1/secrets/agents").len();
        crate::harness::until("the set is asked for", async || {
            let now = requests(&case, "GET /v1/secrets/agents").len();
            if now > asked + 1 {
                Ok(())
            } else {
                Err(format!("{now} times"))
            }
        })
        .await;
        let object = case.wait_reason("pending", "Progressing").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").status, "False");
        // A write of another client settles the set.
        vary(&case, |variants| variants.ready_after = Duration::ZERO);
        case.account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        case.wait_ready("pending").await;
        case.wait_held(&[("A_KEY", &value), ("OTHER", "foreign")])
            .await;
        assert_eq!(case.writes(), ["PUT /v1/secrets/agents"]);
        case.finish().await;
    });
}

#[test]
fn a_set_that_failed_is_sent_again_until_it_is_ready() {
    run(async {
        let (case, value) = case_with(|variants| variants.failing_puts = 2).await;
        case.object("failed", &[("A_KEY", "source", "a")]).await;
        let object = case.wait_reason("failed", "ProviderFailed").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").status, "False");
        case.wait_ready("failed").await;
        case.wait_held(&[("A_KEY", &value)]).await;
        assert_eq!(case.writes(), ["PUT /v1/secrets/agents"; 3]);
        case.finish().await;
    });
}

#[test]
fn all_keys_go_into_each_put_whether_it_merges_or_replaces() {
    run(async {
        for put in [Put::Merges, Put::Replaces] {
            let (case, value) = case_with(|variants| variants.put = put).await;
            let (two, rotated) = (case.value("two"), case.value("rotated"));
            case.secret("second", &[("b", &two)]).await;
            let entries = [("A_KEY", "source", "a"), ("B_KEY", "second", "b")];
            case.object("keys", &entries).await;
            case.wait_ready("keys").await;
            case.secret("second", &[("b", &rotated)]).await;
            case.wait_held(&[("A_KEY", &value), ("B_KEY", &rotated)])
                .await;
            case.wait_ready("keys").await;
            let puts = bodies(&case, "PUT");
            assert_eq!(puts.len(), 2);
            let pair = |name: &str, value: &str| json!({"secretKey": name, "secretValue": value});
            let all = json!({"secrets": [pair("A_KEY", &value), pair("B_KEY", &rotated)]});
            assert_eq!(puts[1], all);
            assert!(requests(&case, "DELETE").is_empty());
            case.finish().await;
        }
    });
}

#[test]
fn keys_of_others_in_the_set_stay() {
    run(async {
        let (case, value) = case_with(|_| {}).await;
        case.account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        case.object("merged", &[("A_KEY", "source", "a")]).await;
        case.wait_ready("merged").await;
        case.wait_held(&[("A_KEY", &value), ("OTHER", "foreign")])
            .await;
        case.finish().await;
    });
}

#[test]
fn a_busy_set_is_tried_again() {
    run(async {
        let (case, value) = case_with(|_| {}).await;
        case.account
            .add_fault(Fault::status(409).method("PUT").times(2));
        case.object("busy", &[("A_KEY", "source", "a")]).await;
        case.wait_ready("busy").await;
        case.wait_held(&[("A_KEY", &value)]).await;
        assert_eq!(case.writes(), ["PUT /v1/secrets/agents"; 3]);
        case.finish().await;
    });
}

#[test]
fn a_rotation_of_a_pending_set_arrives_when_it_is_taken() {
    run(async {
        let (case, _) = case_with(|variants| {
            variants.conflict = Conflict::WhilePending;
            variants.ready_after = Duration::from_secs(2);
        })
        .await;
        case.object("changed", &[("A_KEY", "source", "a")]).await;
        case.wait_reason("changed", "Progressing").await;
        let rotated = case.value("rotated");
        case.secret("source", &[("a", &rotated)]).await;
        case.wait_held(&[("A_KEY", &rotated)]).await;
        case.wait_ready("changed").await;
        let refused = requests(&case, "PUT");
        assert!(refused.iter().any(|request| request.status() == Some(409)));
        case.finish().await;
    });
}

/// Cases: M-01
#[test]
fn a_set_has_one_owner_however_many_objects_want_it() {
    run(async {
        let (case, value) = case_with(|_| {}).await;
        case.account.set_latency(Duration::from_millis(100));
        let names: Vec<String> = (0..4).map(|number| format!("KEY_{number}")).collect();
        let apply = async |name: &String| {
            let object = name.to_lowercase().replace('_', "-");
            case.object(&object, &[(name, "source", "a")]).await;
            let decided = case.wait(&object, "decided", |object| {
                let ready = condition(object, "Ready");
                ready.is_some_and(|ready| ["Synced", "Conflict"].contains(&&*ready.reason))
            });
            let ready = condition(&decided.await, "Ready").map(|ready| ready.status == "True");
            (ready == Some(true)).then(|| name.clone())
        };
        let owners = futures::future::join_all(names.iter().map(&apply)).await;
        let owners: Vec<String> = owners.into_iter().flatten().collect();
        assert_eq!(owners.len(), 1, "{owners:?}");
        case.wait_held(&[(&owners[0], &value)]).await;
        // The operator's own calls for one set come one after the other.
        assert!(
            requests(&case, "PUT")
                .iter()
                .all(|request| request.status() == Some(202))
        );
        case.finish().await;
    });
}
