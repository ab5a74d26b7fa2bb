//! Rotation, where the provider updates an image pull secret and where it refuses to.

use serde_json::json;
use simulator::{
    Action, Answer, Fault,
    pipecat::{ImagePullUpdate, Variants},
};

use super::{
    apply, assert_stalled, by_another, from_regcred, host, login, registry, spec, vary,
    wait_credential,
};
use crate::harness::{SHORT_LEASE, Target, TestCase, TestEnv, run, traces, until};

const PUT: &str = "PUT /v1/secrets/agents";
const DELETE: &str = "DELETE /v1/secrets/agents";
/// A credential is tried under another name before the one that works is deleted.
const TRY: [&str; 2] = ["PUT trial", "DELETE trial"];

/// The writes so far; the name of a trial is made of a hash.
fn writes(case: &TestCase<'_>) -> Vec<String> {
    let shortened = |line: String| match line.split_once(" /v1/secrets/provider-secrets-trial-") {
        Some((method, _)) => format!("{method} trial"),
        None => line,
    };
    case.writes().into_iter().map(shortened).collect()
}

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
        assert_eq!(writes(&case)[..4], [PUT; 4]);
        assert_eq!(writes(&case)[4..], [TRY[0], TRY[1], DELETE, PUT]);
        // And from now on it goes by itself.
        let three = login(&case, "three").await;
        wait_credential(&case, &three).await;
        case.wait_ready("refused").await;
        assert_eq!(writes(&case)[8..], [PUT, TRY[0], TRY[1], DELETE, PUT]);
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
        // The refusal and the trial end, and the create after the deletion fails.
        let fault = Fault::status(503).method("PUT").skip(2).times(2);
        case.account.add_fault(fault);
        let two = login(&case, "two").await;
        wait_credential(&case, &two).await;
        case.wait_ready("busy").await;
        let expected = [PUT, PUT, TRY[0], TRY[1], DELETE, PUT, PUT, PUT];
        assert_eq!(writes(&case), expected);
        case.finish().await;
    });
}

#[test]
fn a_crash_between_deletion_and_creation_is_made_good() {
    run(async {
        let env = TestEnv::fresh(&SHORT_LEASE).await;
        let case = TestCase::new(&env, Target::Pipecat).await;
        vary(&case, refusing);
        login(&case, "one").await;
        apply(&case, "crashed", &from_regcred()).await;
        allow_recreate(&case, "crashed").await;
        case.wait_ready("crashed").await;
        let fault = Fault::new(Action::Hang).method("PUT").skip(2);
        case.account.add_fault(fault.forever());
        let two = login(&case, "two").await;
        until("the set is gone and its create hangs", async || {
            let writes = case.writes();
            if case.held().is_empty() && writes.len() >= 5 {
                Ok(())
            } else {
                Err(format!("{writes:?}"))
            }
        })
        .await;
        env.operator.kill().await;
        case.account.clear_faults();
        let next = env.further(&SHORT_LEASE).await;
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

/// The vendor's refusal of a value has the same status and code as that of an update.
#[test]
fn a_value_that_is_not_taken_never_costs_the_one_that_works() {
    run(async {
        let (case, one) = registry(refusing).await;
        apply(&case, "kept", &from_regcred()).await;
        allow_recreate(&case, "kept").await;
        case.wait_ready("kept").await;
        let refused = || {
            Fault::new(Action::Answer(Answer {
                status: 400,
                body: r#"{"error": "Invalid request format", "code": "GENERIC_BAD_REQUEST"}"#
                    .to_owned(),
                ..Answer::default()
            }))
            .method("PUT")
        };
        // The value is refused at once; or the update is, and the value when it is tried.
        let deletes = || {
            let writes = case.writes();
            writes.iter().filter(|write| **write == DELETE).count()
        };
        for skip in [0, 1] {
            let before = deletes();
            case.account.add_fault(refused().skip(skip).forever());
            login(&case, &format!("refused-{skip}")).await;
            let object = case.wait_reason("kept", "Rejected").await;
            assert_stalled(&object, "Rejected", "answered 400");
            wait_credential(&case, &one).await;
            assert_eq!(deletes(), before);
            case.account.clear_faults();
            login(&case, "one").await;
            case.wait_ready("kept").await;
        }
        case.finish().await;
    });
}

#[test]
fn a_credential_that_is_missing_between_deletion_and_creation_is_told() {
    run(async {
        let (case, _) = registry(refusing).await;
        apply(&case, "missing", &from_regcred()).await;
        allow_recreate(&case, "missing").await;
        case.wait_ready("missing").await;
        let fault = Fault::status(400).method("PUT").skip(2);
        case.account.add_fault(fault);
        let two = login(&case, "two").await;
        let note = case.wait_event("Rejected").await;
        assert!(
            note.contains("Pipecat has none until this succeeds"),
            "{note}"
        );
        // It is tried again soon, and not only after a change.
        wait_credential(&case, &two).await;
        case.wait_ready("missing").await;
        case.finish().await;
    });
}
