//! The operator deletes only what it wrote: names that are foreign now, were before, or become foreign.

use serde_json::json;
use simulator::{Action, Fault};

use crate::harness::{
    Target, TestCase, at_each_api, at_each_api_verifying, delete_policy, run, until,
};

/// Cases: D-13
#[test]
fn what_replaced_ours_under_the_same_name_is_left_alone() {
    run(at_each_api(async |case| {
        // A set shows no ids and no times: what has our key's name is taken for ours.
        if case.target == Target::Pipecat {
            return;
        }
        case.synced("gone", &delete_policy()).await;
        case.foreign_delete("A_KEY");
        case.foreign_secret("A_KEY");
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.finish().await;
    }));
}

#[test]
fn what_is_foreign_when_it_is_deleted_before_its_first_write_stays() {
    run(at_each_api(async |case| {
        case.foreign_secret("A_KEY");
        // It is there already, so that it is written as what is there.
        let method = case.target.update_method();
        case.account
            .add_fault(Fault::status(503).method(method).forever());
        case.source("a").await;
        case.put("gone", &[("A_KEY", "source", "a")], &delete_policy())
            .await;
        until("a write was tried", async || {
            let tried = !case.writes().is_empty();
            tried.then_some(()).ok_or_else(|| "none".to_owned())
        })
        .await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        assert_eq!(case.deletions(), Vec::<String>::new(), "{:?}", case.target);
        case.finish().await;
    }));
}

#[test]
fn a_first_write_of_unknown_outcome_is_cleaned_up_when_the_name_was_free() {
    run(at_each_api_verifying(async |case| {
        unknown(&case).await;
        case.delete("gone").await;
        case.account.clear_faults();
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    }));
}

/// An object whose first write had its effect and no answer.
async fn unknown(case: &TestCase<'_>) {
    let method = case.target.create_method();
    let fault = Fault::new(Action::CutAfterEffect).method(method).forever();
    case.account.add_fault(fault);
    case.source("a").await;
    case.put("gone", &[("A_KEY", "source", "a")], &delete_policy())
        .await;
    case.wait_held(&[("A_KEY", &case.value("a"))]).await;
}

/// Cases: D-15
#[test]
fn a_name_that_another_object_claims_is_handed_over_without_a_deletion() {
    run(at_each_api_verifying(async |case| {
        case.synced("owner", &delete_policy()).await;
        case.next_second().await;
        let next = case.value("next");
        case.secret("other", &[("a", &next)]).await;
        case.put("next", &[("A_KEY", "other", "a")], &delete_policy())
            .await;
        case.wait_reason("next", "Conflict").await;
        let before = case.writes().len();
        case.delete("owner").await;
        case.wait_gone("owner").await;
        case.wait_held(&[("A_KEY", &next)]).await;
        case.wait_ready("next").await;
        let writes = case.writes();
        assert_eq!(writes.len(), before + 1, "{:?} {writes:?}", case.target);
        assert_eq!(case.deletions(), Vec::<String>::new());
        let note = case.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY to ProviderSecret next"), "{note}");
        // It is the next owner's now, and goes with it.
        case.delete("next").await;
        case.wait_gone("next").await;
        case.assert_held(&[]);
        case.finish().await;
    }));
}

#[test]
fn the_younger_of_two_that_claim_a_name_takes_nothing_with_it() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("owner", &delete_policy()).await;
        case.next_second().await;
        case.put("younger", &[("A_KEY", "source", "a")], &delete_policy())
            .await;
        case.wait_reason("younger", "Conflict").await;
        let before = case.writes();
        case.delete("younger").await;
        case.wait_gone("younger").await;
        assert_eq!(case.writes(), before);
        case.assert_held(&[("A_KEY", &one)]);
        case.finish().await;
    }));
}

/// Cases: A-16
#[test]
fn deleted_and_made_anew_under_the_same_name_is_another_object() {
    run(at_each_api_verifying(async |case| {
        case.synced("anew", &delete_policy()).await;
        case.delete("anew").await;
        case.wait_gone("anew").await;
        let two = case.value("two");
        case.secret("source", &[("a", &two)]).await;
        case.put("anew", &[("B_KEY", "source", "a")], &json!({}))
            .await;
        case.wait_ready("anew").await;
        case.assert_held(&[("B_KEY", &two)]);
        case.finish().await;
    }));
}
