//! Whose an image pull secret is: conflicts, deletion, drift, and another API key.

use kube::api::DeleteParams;
use serde_json::Value;

use super::{
    apply, assert_stalled, by_another, from_regcred, login, registry, spec, wait_credential,
};
use crate::harness::{Target, TestCase, TestEnv, run, until};

const PUT: &str = "PUT /v1/secrets/agents";
const DELETE: &str = "DELETE /v1/secrets/agents";

async fn apply_with(case: &TestCase<'_>, name: &str, field: &str, value: &str) {
    let mut spec = spec(case, &from_regcred());
    spec[field] = Value::from(value);
    case.apply(name, spec).await.expect("applied");
}

/// Deletes an object and waits until it is gone.
async fn delete(case: &TestCase<'_>, name: &str) {
    let deleted = case.objects().delete(name, &DeleteParams::default()).await;
    deleted.expect("deleted");
    until("the object is gone", async || {
        match case.objects().get_opt(name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[test]
fn under_fail_what_exists_is_left_alone() {
    run(async {
        let (case, _) = registry(|_| {}).await;
        by_another(&case).await;
        let before = case.writes();
        let mut spec = spec(&case, &from_regcred());
        spec["conflictPolicy"] = "Fail".into();
        spec["deletionPolicy"] = "Delete".into();
        case.apply("polite", spec).await.expect("applied");
        let object = case.wait_reason("polite", "Conflict").await;
        assert_stalled(&object, "Conflict", "was not written by this object");
        delete(&case, "polite").await;
        assert_eq!(case.writes(), before);
        wait_credential(&case, "foreign").await;
        // Under Overwrite it is taken.
        apply(&case, "taker", &from_regcred()).await;
        case.wait_ready("taker").await;
        wait_credential(&case, &super::credential(&case, "one")).await;
        case.finish().await;
    });
}

#[test]
fn a_set_of_keys_of_the_name_is_reported_and_left_alone() {
    run(async {
        let (case, _) = registry(|_| {}).await;
        case.account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        apply(&case, "kind", &from_regcred()).await;
        let object = case.wait_reason("kind", "Conflict").await;
        assert_stalled(&object, "Conflict", "as a set of keys");
        assert_eq!(case.writes(), Vec::<String>::new());
        case.wait_held(&[("OTHER", "foreign")]).await;
        case.finish().await;
    });
}

#[test]
fn a_set_in_another_region_is_reported_and_left_alone() {
    run(async {
        let (case, _) = registry(|_| {}).await;
        by_another(&case).await;
        let before = case.writes();
        let mut spec = spec(&case, &from_regcred());
        spec["provider"]["pipecat"]["region"] = "ap-south".into();
        case.apply("elsewhere", spec).await.expect("applied");
        let object = case.wait_reason("elsewhere", "Conflict").await;
        assert_stalled(&object, "Conflict", "in another region");
        assert_eq!(case.writes(), before);
        case.finish().await;
    });
}

#[test]
fn under_delete_the_set_goes_with_the_object() {
    run(async {
        let (case, credential) = registry(|_| {}).await;
        apply_with(&case, "deleted", "deletionPolicy", "Delete").await;
        case.wait_ready("deleted").await;
        wait_credential(&case, &credential).await;
        delete(&case, "deleted").await;
        assert_eq!(case.writes(), [PUT, DELETE]);
        assert!(case.account.scopes().is_empty());
        // And under Retain it stays.
        apply(&case, "retained", &from_regcred()).await;
        case.wait_ready("retained").await;
        delete(&case, "retained").await;
        wait_credential(&case, &credential).await;
        assert_eq!(case.writes(), [PUT, DELETE, PUT]);
        case.finish_leaving(&["secretValue"]).await;
    });
}

#[test]
fn what_became_a_set_of_keys_is_not_deleted() {
    run(async {
        let (case, _) = registry(|_| {}).await;
        apply_with(&case, "replaced", "deletionPolicy", "Delete").await;
        case.wait_ready("replaced").await;
        case.account
            .foreign_delete(None, "agents")
            .expect("deleted");
        case.account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        delete(&case, "replaced").await;
        assert_eq!(case.writes(), [PUT]);
        case.wait_held(&[("OTHER", "foreign")]).await;
        case.finish().await;
    });
}

#[test]
fn another_key_of_the_organization_writes_nothing() {
    run(async {
        let (case, credential) = registry(|_| {}).await;
        apply(&case, "rekeyed", &from_regcred()).await;
        let before = case.wait_ready("rekeyed").await;
        let fingerprint = |object: &provider_secrets::api::ProviderSecret| {
            let status = object.status.as_ref().expect("a status");
            status.key_fingerprint.clone()
        };
        case.replace_key().await;
        case.wait("rekeyed", "under another key", |object| {
            fingerprint(object) != fingerprint(&before)
        })
        .await;
        case.wait_ready("rekeyed").await;
        wait_credential(&case, &credential).await;
        assert_eq!(case.writes(), [PUT]);
        case.finish().await;
    });
}

#[test]
fn what_another_client_deleted_is_written_again() {
    run(async {
        let env = TestEnv::fresh(&["--verify-interval=1s"]).await;
        let case = TestCase::new(&env, Target::Pipecat).await;
        let credential = login(&case, "one").await;
        apply(&case, "drifted", &from_regcred()).await;
        case.wait_ready("drifted").await;
        case.account
            .foreign_delete(None, "agents")
            .expect("deleted");
        // An absence counts half a minute after our last write.
        wait_credential(&case, &credential).await;
        case.wait_ready("drifted").await;
        assert_eq!(case.writes(), [PUT; 2]);
        case.finish().await;
    });
}
