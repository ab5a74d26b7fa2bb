//! Only what is ours is deleted: names that are somebody else's now, were before, or become so.

use serde_json::json;
use simulator::{Action, Fault};

use super::{at_each_api_on_brisk, delete};
use crate::support::{Scene, Target, at_each_api, run, until};

/// Cases: D-13
#[test]
fn what_replaced_ours_under_the_same_name_is_left_alone() {
    run(at_each_api(async |scene| {
        // A set shows no ids and no times: what has our key's name is taken for ours.
        if scene.target == Target::Pipecat {
            return;
        }
        scene.synced("gone", &delete()).await;
        scene.foreign_delete("A_KEY");
        scene.stranger("A_KEY");
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        scene.finish().await;
    }));
}

#[test]
fn what_is_foreign_when_it_is_deleted_before_its_first_write_stays() {
    run(at_each_api(async |scene| {
        scene.stranger("A_KEY");
        // It is there already, so that it is written as what is there.
        let method = crate::support::write_method(scene.target);
        scene
            .account
            .add_fault(Fault::status(503).method(method).forever());
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        scene
            .put("gone", &[("A_KEY", "source", "a")], &delete())
            .await;
        until("a write was tried", async || {
            let tried = !scene.writes().is_empty();
            tried.then_some(()).ok_or_else(|| "none".to_owned())
        })
        .await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        assert_eq!(
            scene.deletions(),
            Vec::<String>::new(),
            "{:?}",
            scene.target
        );
        scene.finish().await;
    }));
}

#[test]
fn a_first_write_of_unknown_outcome_is_cleaned_up_when_the_name_was_free() {
    run(at_each_api_on_brisk(async |scene| {
        unknown(&scene).await;
        scene.delete("gone").await;
        scene.account.clear_faults();
        scene.wait_gone("gone").await;
        scene.assert_held(&[]);
        assert!(scene.events("DeletionSkipped").await.is_empty());
        scene.finish().await;
    }));
}

/// An object whose first write had its effect and no answer.
async fn unknown(scene: &Scene<'_>) {
    let method = first_write(scene.target);
    let fault = Fault::new(Action::CutAfterEffect).method(method).forever();
    scene.account.add_fault(fault);
    scene.secret("source", &[("a", &scene.value("a"))]).await;
    scene
        .put("gone", &[("A_KEY", "source", "a")], &delete())
        .await;
    scene.wait_held(&[("A_KEY", &scene.value("a"))]).await;
}

/// How a name that is not there is written.
fn first_write(target: Target) -> &'static str {
    match target {
        Target::BasetenWorkspace | Target::BasetenTeam | Target::PrimeIntellect => "POST",
        Target::Pipecat | Target::Braintrust => "PUT",
    }
}

/// Cases: D-15
#[test]
fn a_name_that_another_object_claims_is_handed_over_without_a_deletion() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("owner", &delete()).await;
        scene.next_second().await;
        let heir = scene.value("heir");
        scene.secret("other", &[("a", &heir)]).await;
        scene
            .put("heir", &[("A_KEY", "other", "a")], &delete())
            .await;
        scene.wait_reason("heir", "Conflict").await;
        let before = scene.writes().len();
        scene.delete("owner").await;
        scene.wait_gone("owner").await;
        scene.wait_held(&[("A_KEY", &heir)]).await;
        scene.wait_ready("heir").await;
        let writes = scene.writes();
        assert_eq!(writes.len(), before + 1, "{:?} {writes:?}", scene.target);
        assert_eq!(scene.deletions(), Vec::<String>::new());
        // It is the heir's now, and goes with it.
        scene.delete("heir").await;
        scene.wait_gone("heir").await;
        scene.assert_held(&[]);
        scene.finish().await;
    }));
}

#[test]
fn the_younger_of_two_that_claim_a_name_takes_nothing_with_it() {
    run(at_each_api_on_brisk(async |scene| {
        let one = scene.synced("owner", &delete()).await;
        scene.next_second().await;
        scene
            .put("younger", &[("A_KEY", "source", "a")], &delete())
            .await;
        scene.wait_reason("younger", "Conflict").await;
        let before = scene.writes();
        scene.delete("younger").await;
        scene.wait_gone("younger").await;
        assert_eq!(scene.writes(), before);
        scene.assert_held(&[("A_KEY", &one)]);
        scene.finish().await;
    }));
}

/// Cases: A-16
#[test]
fn deleted_and_made_anew_under_the_same_name_is_another_object() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("anew", &delete()).await;
        scene.delete("anew").await;
        scene.wait_gone("anew").await;
        let two = scene.value("two");
        scene.secret("source", &[("a", &two)]).await;
        scene
            .put("anew", &[("B_KEY", "source", "a")], &json!({}))
            .await;
        scene.wait_ready("anew").await;
        scene.assert_held(&[("B_KEY", &two)]);
        scene.finish().await;
    }));
}
