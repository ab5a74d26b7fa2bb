//! Braintrust: what POST does not do, what PUT blanks and PATCH keeps, organizations and pages.

use provider_secrets::api::ProviderSecret;
use serde_json::json;
use simulator::{
    Fault, Provider,
    braintrust::{ErrorBody, MissingId, NewAccount, Secret, Variants},
};

use super::{assert_stalled, bodies, by_hand, entry, requests, scene, spec};
use crate::support::{Scene, Target, run};

/// A scene whose vendor differs in these points, with Secret `source`.
pub(super) async fn scene_with(change: impl FnOnce(&mut Variants)) -> (Scene<'static>, String) {
    let scene = scene(Target::Braintrust).await;
    let vendor = scene.stage.simulator().braintrust();
    vendor.set_variants(&scene.account, change);
    let value = scene.value("one");
    scene.secret("source", &[("a", &value)]).await;
    (scene, value)
}

/// A secret of the first organization.
pub(super) fn held(scene: &Scene<'_>, name: &str) -> Secret {
    let secrets = scene
        .stage
        .simulator()
        .braintrust()
        .secrets(&scene.account, None);
    let mut secrets = secrets.into_iter();
    secrets
        .find(|secret| secret.name == name)
        .expect("it is held")
}

/// Makes `TOKEN` with a type and metadata, as a person would.
pub(super) async fn make_by_hand(scene: &Scene<'_>) -> Secret {
    let metadata = json!({"api_base": "https://example.com", "nested": {"a": 1}});
    let body =
        json!({"name": "TOKEN", "type": "openai", "metadata": metadata, "secret": "foreign"});
    by_hand(scene, Provider::Braintrust, "PUT", "/v1/ai_secret", &body).await;
    held(scene, "TOKEN")
}

#[test]
fn an_existing_secret_is_really_changed_and_keeps_what_is_not_managed() {
    run(async {
        for absent in [false, true] {
            let (scene, value) =
                scene_with(|variants| variants.secret_updated_at_absent = absent).await;
            let before = make_by_hand(&scene).await;
            scene.object("taken", &[("TOKEN", "source", "a")]).await;
            let status = scene.wait_ready("taken").await.status.expect("a status");
            assert_eq!(
                status.entries[0].remote_id.as_deref(),
                Some(before.id.as_str())
            );
            assert!(status.entries[0].remote_version.is_some());
            let rotated = scene.value("two");
            for value in [&value, &rotated] {
                scene.secret("source", &[("a", value)]).await;
                scene.wait_held(&[("TOKEN", value)]).await;
                scene.wait_ready("taken").await;
                let after = held(&scene, "TOKEN");
                assert_eq!((&after.id, &after.kind), (&before.id, &before.kind));
                assert_eq!(after.metadata, before.metadata);
            }
            assert_eq!(
                bodies(&scene, "PATCH"),
                [json!({"secret": value}), json!({"secret": rotated})]
            );
            assert!(requests(&scene, "POST").is_empty());
            scene.finish().await;
        }
    });
}

/// Cases: P-24
#[test]
fn an_old_server_without_the_time_of_the_secret_will_do() {
    run(async {
        let (scene, _) = scene_with(|variants| variants.secret_updated_at_absent = true).await;
        scene.object("old", &[("TOKEN", "source", "a")]).await;
        let version = |object: &ProviderSecret| {
            let status = object.status.as_ref().expect("a status");
            status.entries[0].remote_version.clone()
        };
        let mut before = version(&scene.wait_ready("old").await);
        assert!(before.is_some());
        for rotation in ["two", "three"] {
            let value = scene.value(rotation);
            scene.secret("source", &[("a", &value)]).await;
            scene.wait_held(&[("TOKEN", &value)]).await;
            // The time of the last change of anything stands in for it.
            let is_newer = |object: &ProviderSecret| version(object) > before;
            before = version(&scene.wait("old", "newer", is_newer).await);
        }
        assert_eq!(scene.writes().len(), 3);
        scene.finish().await;
    });
}

#[test]
fn the_organization_is_named_wherever_it_can_be() {
    run(async {
        let mut scene = scene(Target::Braintrust).await;
        scene.key = format!("{}-organizations", scene.key);
        let name = format!("{}-organizations", scene.namespace);
        let account = NewAccount::new(name, scene.key.as_str());
        let account = account
            .organization("First Inc.")
            .organization("Second & Söhne");
        let vendor = scene.stage.simulator().braintrust();
        scene.account = vendor.add_account(account).expect("an account is added");
        scene.secret("credential", &[("api-key", &scene.key)]).await;
        let (value, rotated) = (scene.value("one"), scene.value("two"));
        scene.secret("source", &[("a", &value)]).await;
        scene
            .account
            .foreign_write(None, "TOKEN", "foreign")
            .expect("written");
        let second = Some("Second & Söhne");
        let mut spec = spec(&scene, &json!([entry("TOKEN")]));
        spec["provider"]["braintrust"]["orgName"] = json!(second);
        scene.apply("organization", spec).await.expect("applied");
        let status = scene
            .wait_ready("organization")
            .await
            .status
            .expect("a status");
        assert_eq!(
            status.scope,
            vendor.organization_id(&scene.account, "Second & Söhne")
        );
        scene.secret("source", &[("a", &rotated)]).await;
        let is_rotated = |_: &_| scene.account.values(second)["TOKEN"] == rotated;
        scene.wait("organization", "rotated", is_rotated).await;
        assert_eq!(scene.account.values(None)["TOKEN"], "foreign");
        let sent = json!({"name": "TOKEN", "secret": value, "org_name": second});
        assert_eq!(bodies(&scene, "PUT"), [sent]);
        assert_eq!(bodies(&scene, "PATCH"), [json!({"secret": rotated})]);
        for listing in requests(&scene, "GET /v1/ai_secret") {
            let query = listing.query.unwrap_or_default();
            let query = query.replace("%20", "+");
            assert!(query.contains("org_name=Second+%26+S%C3%B6hne"), "{query}");
        }
        scene.finish().await;
    });
}

/// Cases: P-25
#[test]
fn an_existing_secret_is_found_behind_the_first_hundred() {
    run(async {
        let (scene, value) = scene_with(|_| {}).await;
        // The newest come first, so the oldest is on the last page.
        let before = make_by_hand(&scene).await;
        for number in 0..250 {
            let name = format!("OTHER_{number}");
            scene
                .account
                .foreign_write(None, &name, "foreign")
                .expect("written");
        }
        scene.object("far", &[("TOKEN", "source", "a")]).await;
        scene.wait_ready("far").await;
        let after = held(&scene, "TOKEN");
        assert_eq!((&after.id, &after.kind), (&before.id, &before.kind));
        assert_eq!(after.secret.as_ref(), Some(&value));
        assert_eq!(requests(&scene, "PATCH").len(), 1);
        let others = scene.held();
        assert!(
            others
                .iter()
                .all(|(name, value)| name == "TOKEN" || value == "foreign")
        );
        scene.finish().await;
    });
}

/// Cases: P-04, P-36
#[test]
fn a_secret_deleted_by_hand_is_made_again_by_the_next_write() {
    run(async {
        for missing in [MissingId::NotFound, MissingId::BadRequest] {
            let (scene, _) = scene_with(|variants| variants.missing_id = missing).await;
            scene.object("gone", &[("TOKEN", "source", "a")]).await;
            scene.wait_ready("gone").await;
            scene
                .account
                .foreign_delete(None, "TOKEN")
                .expect("deleted");
            let rotated = scene.value("two");
            scene.secret("source", &[("a", &rotated)]).await;
            scene.wait_held(&[("TOKEN", &rotated)]).await;
            scene.wait_ready("gone").await;
            assert!(requests(&scene, "POST").is_empty());
            scene.finish().await;
        }
    });
}

#[test]
fn a_refusal_as_text_or_json_is_not_quoted() {
    run(async {
        for errors in [ErrorBody::Text, ErrorBody::Json] {
            let (scene, value) = scene_with(|variants| variants.errors = errors).await;
            let quoted = format!("{value} {}", scene.key);
            let body = match errors {
                ErrorBody::Text => quoted,
                ErrorBody::Json => json!({"error": {"message": quoted}}).to_string(),
            };
            scene
                .account
                .add_fault(Fault::status(400).method("PUT").forever().body(&body));
            scene.object("refused", &[("TOKEN", "source", "a")]).await;
            let object = scene.wait_reason("refused", "Rejected").await;
            assert_stalled(&object, "Rejected", "answered 400 for entry TOKEN");
            scene.finish().await;
        }
    });
}
