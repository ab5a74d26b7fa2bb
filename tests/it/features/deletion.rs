//! Deletion of objects and entries, and what remains at the provider.

mod blocked; // the provider or the credential is not there
mod entries; // entries that go away while the object stays
mod forged; // a status that a user wrote
mod identity; // only what is ours is deleted
mod namespaces; // everything goes at once, in any order
mod released; // by force, and with no operator there
mod restart; // while no operator runs
mod sets; // Pipecat's sets, Baseten's teams

use serde_json::json;

use crate::harness::{
    at_each_api, at_each_api_alone, at_each_api_verifying, calls, delete_policy, is_guarded, run,
    soon, wait_write,
};

/// Cases: D-01
#[test]
fn under_delete_what_was_written_goes_with_the_object() {
    run(at_each_api_alone(async |case| {
        case.synced("gone", &delete_policy()).await;
        let object = case.get("gone").await;
        assert!(is_guarded(&object), "{:?}", object.metadata.finalizers);
        case.delete("gone").await;
        soon(case.wait_gone("gone")).await;
        case.assert_held(&[]);
        let note = case.wait_event("RemoteDeleted").await;
        assert!(note.contains("A_KEY"), "{note}");
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    }));
}

/// Cases: D-02
#[test]
fn under_retain_no_provider_is_asked_and_nothing_holds_the_object() {
    run(at_each_api(async |case| {
        let one = case.synced("gone", &json!({})).await;
        assert!(!is_guarded(&case.get("gone").await));
        case.account
            .add_fault(simulator::Fault::status(500).forever());
        case.delete_secret("credential").await;
        case.wait_reason("gone", "CredentialNotFound").await;
        let before = case.account.requests().len();
        case.delete("gone").await;
        case.wait_gone("gone").await;
        assert_eq!(case.account.requests().len(), before);
        case.assert_held(&[("A_KEY", &one)]);
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

/// Cases: D-04
#[test]
fn what_was_never_written_is_let_go_without_a_call() {
    run(at_each_api(async |case| {
        // The source is not there, so nothing can have been sent.
        case.put("gone", &[("A_KEY", "source", "a")], &delete_policy())
            .await;
        case.wait_reason("gone", "SecretNotFound").await;
        case.foreign_secret("A_KEY");
        let before = case.account.requests().len();
        case.delete("gone").await;
        case.wait_gone("gone").await;
        assert_eq!(case.account.requests().len(), before);
        case.finish().await;
    }));
}

/// Cases: D-10
#[test]
fn deleted_while_its_first_write_is_under_way() {
    run(at_each_api_verifying(async |case| {
        let delay = std::time::Duration::from_secs(2);
        let fault = simulator::Fault::new(simulator::Action::Handle).delay(delay);
        let method = case.target.create_method();
        case.account.add_fault(fault.method(method));
        case.source("a").await;
        case.put("gone", &[("A_KEY", "source", "a")], &delete_policy())
            .await;
        wait_write(&case, 0).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    }));
}

/// Cases: D-12
#[test]
fn what_was_deleted_by_hand_is_no_trouble() {
    // Where it is deleted by its name, its absence counts half a minute after the write.
    run(at_each_api(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.foreign_delete("A_KEY");
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    }));
}

/// Cases: A-18
#[test]
fn a_foreign_finalizer_stays_and_the_cleanup_is_done_once() {
    run(at_each_api_verifying(async |case| {
        case.synced("gone", &delete_policy()).await;
        let both = json!(["providersecrets.dev/cleanup", "example.com/theirs"]);
        case.patch("gone", json!({"metadata": {"finalizers": both}}))
            .await
            .expect("a finalizer is added");
        case.delete("gone").await;
        let object = crate::harness::until("ours is removed", async || {
            let object = case.get("gone").await;
            let ours = is_guarded(&object);
            if ours {
                Err("it is there".to_owned())
            } else {
                Ok(object)
            }
        })
        .await;
        assert_eq!(
            object.metadata.finalizers,
            Some(vec!["example.com/theirs".to_owned()])
        );
        case.assert_held(&[]);
        // Another client writes the name anew: it is not the object's any more, whatever causes a reconcile.
        let requests = case.account.requests().len();
        case.foreign_secret("A_KEY");
        case.annotate("gone", "example.com/note", "1").await;
        case.source("b").await;
        case.secret("credential", &[("api-key", &case.key), ("other", "x")])
            .await;
        let interval = std::time::Duration::from_secs(3);
        tokio::time::sleep(interval).await;
        assert_eq!(case.account.requests().len(), requests, "{:?}", case.target);
        case.patch("gone", json!({"metadata": {"finalizers": null}}))
            .await
            .expect("theirs is removed");
        case.wait_gone("gone").await;
        case.finish().await;
    }));
}

/// Cases: B-12
#[test]
fn a_suspended_object_is_cleaned_up_all_the_same() {
    run(at_each_api_verifying(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.suspend("gone").await;
        case.wait_reason("gone", "Suspended").await;
        let before = case.writes().len();
        case.source("b").await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.assert_held(&[]);
        let after = case.writes();
        assert!(
            after[before..]
                .iter()
                .all(|line| line.starts_with("DELETE ")),
            "{after:?}"
        );
        case.finish().await;
    }));
}

/// Cases: B-13
#[test]
fn a_policy_that_flips_ends_as_the_last_one_says() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("flips", &delete_policy()).await;
        let guarded = async |policy: &str, is_expected: bool| {
            let patch = json!({"spec": {"deletionPolicy": policy}});
            case.patch("flips", patch)
                .await
                .expect("the policy changes");
            case.wait("flips", "guarded as its policy says", |object| {
                is_guarded(object) == is_expected
            })
            .await;
        };
        let writes = case.writes();
        guarded("Retain", false).await;
        guarded("Delete", true).await;
        guarded("Retain", false).await;
        assert_eq!(case.writes(), writes, "a policy is no value");
        case.delete("flips").await;
        case.wait_gone("flips").await;
        case.assert_held(&[("A_KEY", &one)]);
        // The other way round.
        case.synced("flops", &json!({})).await;
        let patch = json!({"spec": {"deletionPolicy": "Delete"}});
        case.patch("flops", patch)
            .await
            .expect("the policy changes");
        case.wait("flops", "guarded", is_guarded).await;
        case.delete("flops").await;
        case.wait_gone("flops").await;
        case.assert_held(&[]);
        case.finish().await;
    }));
}

#[test]
fn the_finalizer_costs_what_the_budget_allows() {
    run(at_each_api(async |case| {
        case.ready_at_once();
        case.synced("guarded", &delete_policy()).await;
        let calls = calls(case.env, &case.namespace).await;
        // What all objects of the account, or of the namespace, share is not counted.
        let of_object = calls
            .iter()
            .filter(|call| !["events", "namespaces"].contains(&call.resource.as_str()))
            .filter(|call| call.resource != "secrets" || call.name != "credential");
        let of_object: Vec<String> = of_object
            .map(|call| format!("{} {}/{}", call.verb, call.resource, call.subresource))
            .collect();
        // The budget of a deletion: at most 4 writes.
        assert!(of_object.len() <= 4, "{:?}: {of_object:?}", case.target);
        case.finish().await;
    }));
}
