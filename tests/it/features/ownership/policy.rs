//! M-06: what is foreign is overwritten, or under `conflictPolicy: Fail` left alone and reported.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Action, Fault, prime_intellect::Duplicate};

use crate::harness::at_each_api_verifying;
use crate::harness::{Target, TestCase, TestEnv, condition, entry, run, until, wait_write};

fn fail() -> Value {
    json!({"conflictPolicy": "Fail"})
}

/// An object under Fail whose name is foreign.
async fn refused(case: &TestCase<'_>) {
    case.foreign_secret("A_KEY");
    case.source("a").await;
    case.put("careful", &[("A_KEY", "source", "a")], &fail())
        .await;
    let object = case.wait_reason("careful", "Conflict").await;
    assert!(condition(&object, "Stalled").is_some());
    assert_eq!(case.writes(), Vec::<String>::new(), "{:?}", case.target);
}

/// Cases: M-06, P-06
#[test]
fn under_fail_what_is_foreign_stays_and_a_rotation_changes_nothing() {
    run(at_each_api_verifying(async |case| {
        refused(&case).await;
        case.source("b").await;
        case.request_sync("careful").await;
        case.wait_reason("careful", "Conflict").await;
        assert_eq!(case.writes(), Vec::<String>::new(), "{:?}", case.target);
        // Deleted, it takes nothing with it.
        let delete = json!({"spec": {"deletionPolicy": "Delete"}});
        case.patch("careful", delete)
            .await
            .expect("the policy changes");
        case.wait_reason("careful", "Conflict").await;
        case.delete("careful").await;
        case.wait_gone("careful").await;
        assert_eq!(case.writes(), Vec::<String>::new(), "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: P-06
#[test]
fn under_fail_a_name_that_another_client_creates_meanwhile_is_left_alone() {
    run(async {
        // The only provider that refuses a creation; elsewhere a write takes what is there.
        for duplicate in [
            Duplicate::Conflict,
            Duplicate::BadRequest,
            Duplicate::Unprocessable,
        ] {
            let case = TestCase::new(TestEnv::verifying().await, Target::PrimeIntellect).await;
            let vendor = case.env.simulator().prime_intellect();
            vendor.set_variants(&case.account, |variants| variants.duplicate = duplicate);
            let late = Duration::from_millis(700);
            let fault = Fault::new(Action::Handle).method("POST").delay(late);
            case.account.add_fault(fault);
            case.source("a").await;
            case.put("careful", &[("A_KEY", "source", "a")], &fail())
                .await;
            wait_write(&case, 0).await;
            case.foreign_secret("A_KEY");
            let object = case.wait_reason("careful", "Conflict").await;
            assert!(condition(&object, "Stalled").is_some(), "{duplicate:?}");
            assert_eq!(case.writes(), ["POST /api/v1/secrets/"], "{duplicate:?}");
            assert_eq!(vendor.secrets(&case.account, None).len(), 1);
            case.finish().await;
        }
    });
}

/// Cases: M-06
#[test]
fn under_fail_a_name_that_becomes_free_is_created_when_a_sync_is_requested() {
    run(at_each_api_verifying(async |case| {
        refused(&case).await;
        case.release_foreign_secret("A_KEY");
        if case.target == Target::Pipecat {
            case.account
                .foreign_delete(None, "agents")
                .expect("it was there");
        } else {
            case.foreign_delete("A_KEY");
        }
        case.request_sync("careful").await;
        case.wait_ready("careful").await;
        case.assert_held(&[("A_KEY", &case.value("a"))]);
        assert_eq!(case.writes().len(), 1, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn overwrite_takes_what_is_there() {
    run(at_each_api_verifying(async |case| {
        case.foreign_secret("A_KEY");
        case.release_foreign_secret("A_KEY");
        let one = case.synced("bold", &json!({})).await;
        case.assert_held(&[("A_KEY", &one)]);
        assert_eq!(case.writes().len(), 1, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn a_change_to_overwrite_takes_what_fail_refused() {
    run(at_each_api_verifying(async |case| {
        refused(&case).await;
        case.release_foreign_secret("A_KEY");
        let patch = json!({"spec": {"conflictPolicy": "Overwrite"}});
        case.patch("careful", patch)
            .await
            .expect("the policy changes");
        case.wait_ready("careful").await;
        case.assert_held(&[("A_KEY", &case.value("a"))]);
        case.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn under_fail_what_is_ours_is_rotated_like_anything() {
    run(at_each_api_verifying(async |case| {
        case.synced("careful", &fail()).await;
        let two = case.value("two");
        case.secret("source", &[("a", &two)]).await;
        case.wait_held(&[("A_KEY", &two)]).await;
        let object = case.wait_ready("careful").await;
        assert!(entry(&object, "A_KEY").digest.is_some());
        assert_eq!(case.writes().len(), 2, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn under_fail_a_create_whose_answer_was_lost_is_ours() {
    run(at_each_api_verifying(async |case| {
        let method = case.target.create_method();
        let fault = Fault::new(Action::CutAfterEffect).method(method).times(2);
        case.account.add_fault(fault);
        case.source("a").await;
        case.put("careful", &[("A_KEY", "source", "a")], &fail())
            .await;
        case.wait_ready("careful").await;
        case.assert_held(&[("A_KEY", &case.value("a"))]);
        // The wait for nothing would end in the minute in which an unsure write is confirmed.
        case.delete("careful").await;
        case.wait_gone("careful").await;
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

/// Cases: M-06
#[test]
fn under_fail_a_first_write_that_was_refused_claims_nothing() {
    run(at_each_api_verifying(async |case| {
        let method = case.target.create_method();
        case.account
            .add_fault(Fault::status(422).method(method).forever());
        case.source("a").await;
        case.put("careful", &[("A_KEY", "source", "a")], &fail())
            .await;
        until("the write was refused", async || {
            let object = case.get("careful").await;
            condition(&object, "Stalled")
                .map(drop)
                .ok_or_else(|| "not yet".to_owned())
        })
        .await;
        case.foreign_secret("A_KEY");
        case.request_sync("careful").await;
        case.wait_reason("careful", "Conflict").await;
        case.account.clear_faults();
        case.request_sync("careful").await;
        case.wait_reason("careful", "Conflict").await;
        case.finish().await;
    }));
}
