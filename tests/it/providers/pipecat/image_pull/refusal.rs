//! Rotation, where the provider updates an image pull secret and where it refuses to.

use serde_json::json;
use simulator::{
    Action, Fault,
    pipecat::{ImagePullUpdate, Variants},
};

use super::{
    apply, assert_stalled, by_another, from_regcred, host, login, registry, spec, vary,
    wait_credential,
};
use crate::harness::{Target, TestCase, TestEnv, run, traces, until};

const PUT: &str = "PUT /v1/secrets/agents";
const DELETE: &str = "DELETE /v1/secrets/agents";

/// An older server, which does not update an image pull secret.
fn refusing(variants: &mut Variants) {
    variants.image_pull_update = ImagePullUpdate::Refused;
}

/// Says that what refuses an update is deleted and created.
async fn allow_recreate(case: &TestCase<'_>, name: &str) {
    let member = json!({"pipecat": {"replaceImagePullSecret": "Recreate"}});
    let patch = json!({"spec": {"provider": member}});
    case.patch(name, patch).await.expect("patched");
}

#[test]
fn a_rotation_is_one_write_where_updates_are_taken() {
    run(async {
        let (case, _) = registry(|_| {}).await;
        apply(&case, "rotated", &from_regcred()).await;
        case.wait_ready("rotated").await;
        let two = login(&case, "two").await;
        wait_credential(&case, &two).await;
        case.wait_ready("rotated").await;
        assert_eq!(case.writes(), [PUT; 2]);
        // Another registry is a change too.
        case.secret("reg", &[("auth", &two)]).await;
        let from_key = json!({"host": "quay.io", "secretKeyRef": {"name": "reg", "key": "auth"}});
        let applied = case.apply("rotated", spec(&case, &from_key)).await;
        applied.expect("applied");
        case.wait_ready("rotated").await;
        assert_eq!(host(&case), "https://quay.io/");
        assert_eq!(case.writes(), [PUT; 3]);
        case.finish().await;
    });
}

#[test]
fn a_refused_rotation_waits_for_a_person() {
    run(async {
        let (case, one) = registry(refusing).await;
        apply(&case, "refused", &from_regcred()).await;
        case.wait_ready("refused").await;
        let two = login(&case, "two").await;
        let object = case.wait_reason("refused", "Immutable").await;
        assert_stalled(
            &object,
            "Immutable",
            "set replaceImagePullSecret to Recreate, or use another setName",
        );
        assert_eq!(
            case.columns("refused").await[..3],
            ["Pipecat", "False", "Immutable"]
        );
        wait_credential(&case, &one).await;
        assert_eq!(case.writes(), [PUT; 2]);
        // Back to what is held: nothing is to be written.
        login(&case, "one").await;
        case.wait_ready("refused").await;
        assert_eq!(case.writes(), [PUT; 2]);
        // A person acts.
        login(&case, "two").await;
        case.wait_reason("refused", "Immutable").await;
        allow_recreate(&case, "refused").await;
        case.wait_ready("refused").await;
        wait_credential(&case, &two).await;
        assert_eq!(case.writes(), [PUT, PUT, PUT, PUT, DELETE, PUT]);
        // And from now on it goes by itself.
        let three = login(&case, "three").await;
        wait_credential(&case, &three).await;
        case.wait_ready("refused").await;
        assert_eq!(case.writes()[6..], [PUT, DELETE, PUT]);
        case.finish().await;
    });
}

#[test]
fn what_was_deleted_and_could_not_be_created_is_created_later() {
    run(async {
        let (case, _) = registry(refusing).await;
        apply(&case, "busy", &from_regcred()).await;
        allow_recreate(&case, "busy").await;
        case.wait_ready("busy").await;
        // The refusal ends, and the create after the deletion fails.
        let fault = Fault::status(503).method("PUT").skip(1).times(2);
        case.account.add_fault(fault);
        let two = login(&case, "two").await;
        wait_credential(&case, &two).await;
        case.wait_ready("busy").await;
        assert_eq!(case.writes(), [PUT, PUT, DELETE, PUT, PUT, PUT]);
        case.finish().await;
    });
}

#[test]
fn a_crash_between_deletion_and_creation_is_made_good() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let case = TestCase::new(&env, Target::Pipecat).await;
        vary(&case, refusing);
        login(&case, "one").await;
        apply(&case, "crashed", &from_regcred()).await;
        allow_recreate(&case, "crashed").await;
        case.wait_ready("crashed").await;
        let fault = Fault::new(Action::Hang).method("PUT").skip(1);
        case.account.add_fault(fault.forever());
        let two = login(&case, "two").await;
        until("the set is gone and its create hangs", async || {
            let writes = case.writes();
            if case.held().is_empty() && writes.len() >= 3 {
                Ok(())
            } else {
                Err(format!("{writes:?}"))
            }
        })
        .await;
        env.operator.kill().await;
        case.account.clear_faults();
        let next = env.further(&[]).await;
        wait_credential(&case, &two).await;
        case.wait_ready("crashed").await;
        assert_eq!(traces(&next.log()), Vec::<String>::new());
    });
}

#[test]
fn what_another_client_made_is_not_deleted() {
    run(async {
        let (case, _) = registry(refusing).await;
        by_another(&case).await;
        apply(&case, "taker", &from_regcred()).await;
        let object = case.wait_reason("taker", "Immutable").await;
        assert_stalled(
            &object,
            "Immutable",
            "set replaceImagePullSecret to Recreate",
        );
        allow_recreate(&case, "taker").await;
        let object = case
            .wait("taker", "reported", |object| {
                object.metadata.generation == Some(2)
            })
            .await;
        assert_stalled(&object, "Immutable", "this object did not write it");
        wait_credential(&case, "foreign").await;
        assert!(!case.writes().contains(&DELETE.to_owned()));
        case.finish().await;
    });
}

#[test]
fn a_refused_create_is_no_refused_update() {
    run(async {
        let (case, credential) = registry(refusing).await;
        case.account
            .add_fault(Fault::status(400).method("PUT").forever());
        apply(&case, "rejected", &from_regcred()).await;
        let object = case.wait_reason("rejected", "Rejected").await;
        assert_stalled(&object, "Rejected", "answered 400");
        case.account.clear_faults();
        allow_recreate(&case, "rejected").await;
        case.wait_ready("rejected").await;
        wait_credential(&case, &credential).await;
        assert!(!case.writes().contains(&DELETE.to_owned()));
        case.finish().await;
    });
}
