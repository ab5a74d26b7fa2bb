//! Braintrust: what POST does not do, what PUT blanks and PATCH keeps, organizations and pages.

mod options;

use provider_secrets::api::ProviderSecret;
use serde_json::json;
use simulator::{
    Fault, Provider,
    braintrust::{ErrorBody, MissingId, NewAccount, Secret, Variants},
};

use super::{assert_stalled, bodies, by_hand, case, entry, requests, spec};
use crate::harness::{Target, TestCase, run};

/// A test case whose vendor differs in these points, with Secret `source`.
pub(super) async fn case_with(change: impl FnOnce(&mut Variants)) -> (TestCase<'static>, String) {
    let case = case(Target::Braintrust).await;
    let vendor = case.env.simulator().braintrust();
    vendor.set_variants(&case.account, change);
    let value = case.value("one");
    case.secret("source", &[("a", &value)]).await;
    (case, value)
}

/// A secret of the first organization.
pub(super) fn held(case: &TestCase<'_>, name: &str) -> Secret {
    let secrets = case
        .env
        .simulator()
        .braintrust()
        .secrets(&case.account, None);
    let mut secrets = secrets.into_iter();
    secrets
        .find(|secret| secret.name == name)
        .expect("it is held")
}

/// Makes `TOKEN` with a type and metadata, as a person would.
pub(super) async fn make_by_hand(case: &TestCase<'_>) -> Secret {
    let metadata = json!({"api_base": "https://example.com", "nested": {"a": 1}});
    let body =
        json!({"name": "TOKEN", "type": "openai", "metadata": metadata, "secret": "foreign"});
    by_hand(case, Provider::Braintrust, "PUT", "/v1/ai_secret", &body).await;
    held(case, "TOKEN")
}

#[test]
fn an_existing_secret_is_really_changed_and_keeps_what_is_not_managed() {
    run(async {
        for absent in [false, true] {
            let (case, value) =
                case_with(|variants| variants.secret_updated_at_absent = absent).await;
            let before = make_by_hand(&case).await;
            case.object("taken", &[("TOKEN", "source", "a")]).await;
            let status = case.wait_ready("taken").await.status.expect("a status");
            assert_eq!(
                status.entries[0].remote_id.as_deref(),
                Some(before.id.as_str())
            );
            assert!(status.entries[0].remote_version.is_some());
            let rotated = case.value("two");
            for value in [&value, &rotated] {
                case.secret("source", &[("a", value)]).await;
                case.wait_held(&[("TOKEN", value)]).await;
                case.wait_ready("taken").await;
                let after = held(&case, "TOKEN");
                assert_eq!((&after.id, &after.kind), (&before.id, &before.kind));
                assert_eq!(after.metadata, before.metadata);
            }
            assert_eq!(
                bodies(&case, "PATCH"),
                [json!({"secret": value}), json!({"secret": rotated})]
            );
            assert!(requests(&case, "POST").is_empty());
            case.finish().await;
        }
    });
}

/// Cases: P-24
#[test]
fn an_old_server_without_the_time_of_the_secret_will_do() {
    run(async {
        let (case, _) = case_with(|variants| variants.secret_updated_at_absent = true).await;
        case.object("old", &[("TOKEN", "source", "a")]).await;
        let version = |object: &ProviderSecret| {
            let status = object.status.as_ref().expect("a status");
            status.entries[0].remote_version.clone()
        };
        let mut before = version(&case.wait_ready("old").await);
        assert!(before.is_some());
        for rotation in ["two", "three"] {
            let value = case.value(rotation);
            case.secret("source", &[("a", &value)]).await;
            case.wait_held(&[("TOKEN", &value)]).await;
            // The time of the last change of anything stands in for it.
            let is_newer = |object: &ProviderSecret| version(object) > before;
            before = version(&case.wait("old", "newer", is_newer).await);
        }
        assert_eq!(case.writes().len(), 3);
        case.finish().await;
    });
}

/// The second organization of a key that has two; without a name the vendor takes the first.
const SECOND: &str = "Second & Söhne";

/// A test case whose key has two organizations, with Secret `source`.
async fn with_two_organizations() -> (TestCase<'static>, String) {
    let mut case = case(Target::Braintrust).await;
    case.key = format!("{}-organizations", case.key);
    let name = format!("{}-organizations", case.namespace);
    let account = NewAccount::new(name, case.key.as_str());
    let account = account.organization("First Inc.").organization(SECOND);
    let vendor = case.env.simulator().braintrust();
    case.account = vendor.add_account(account).expect("an account is added");
    case.secret("credential", &[("api-key", &case.key)]).await;
    let value = case.value("one");
    case.secret("source", &[("a", &value)]).await;
    (case, value)
}

/// docs/vendors.md#bt-5
#[test]
fn nothing_is_written_to_one_of_several_organizations_that_are_listed() {
    run(async {
        let (case, _) = with_two_organizations().await;
        for (organization, name) in [(None, "FIRST"), (Some(SECOND), "TOKEN")] {
            let written = case.account.foreign_write(organization, name, "foreign");
            written.expect("written");
        }
        let entries = [("TOKEN", "source", "a"), ("OTHER", "source", "a")];
        case.object("several", &entries).await;
        let object = case.wait_reason("several", "InvalidSpec").await;
        assert_stalled(&object, "InvalidSpec", "orgName has to name one");
        assert_eq!(case.writes(), Vec::<String>::new());
        case.finish().await;
    });
}

/// The listing shows one of them alone, so that only the answer to a write tells of the other.
/// docs/vendors.md#bt-5
#[test]
fn what_lands_in_another_organization_than_the_listed_one_is_no_success() {
    run(async {
        let (case, value) = with_two_organizations().await;
        let written = case.account.foreign_write(Some(SECOND), "TOKEN", "foreign");
        written.expect("written");
        let entries = [("TOKEN", "source", "a"), ("OTHER", "source", "a")];
        case.object("astray", &entries).await;
        let object = case.wait_reason("astray", "InvalidSpec").await;
        assert_stalled(
            &object,
            "InvalidSpec",
            "took another team or organization than the one that is meant for entry OTHER",
        );
        let status = object.status.expect("a status");
        assert_eq!(status.summary.as_deref(), Some("1/2"));
        assert_eq!(case.account.values(Some(SECOND))["TOKEN"], value);
        case.finish().await;
    });
}

#[test]
fn the_organization_is_named_wherever_it_can_be() {
    run(async {
        let (case, value) = with_two_organizations().await;
        let vendor = case.env.simulator().braintrust();
        let rotated = case.value("two");
        case.account
            .foreign_write(None, "TOKEN", "foreign")
            .expect("written");
        let second = Some(SECOND);
        let mut spec = spec(&case, &json!([entry("TOKEN")]));
        spec["provider"]["braintrust"]["orgName"] = json!(second);
        case.apply("organization", spec).await.expect("applied");
        let status = case
            .wait_ready("organization")
            .await
            .status
            .expect("a status");
        assert_eq!(
            status.scope,
            vendor.organization_id(&case.account, "Second & Söhne")
        );
        case.secret("source", &[("a", &rotated)]).await;
        let is_rotated = |_: &_| case.account.values(second)["TOKEN"] == rotated;
        case.wait("organization", "rotated", is_rotated).await;
        assert_eq!(case.account.values(None)["TOKEN"], "foreign");
        let sent = json!({"name": "TOKEN", "secret": value, "org_name": second});
        assert_eq!(bodies(&case, "PUT"), [sent]);
        assert_eq!(bodies(&case, "PATCH"), [json!({"secret": rotated})]);
        for listing in requests(&case, "GET /v1/ai_secret") {
            let query = listing.query.unwrap_or_default();
            let query = query.replace("%20", "+");
            assert!(query.contains("org_name=Second+%26+S%C3%B6hne"), "{query}");
        }
        case.finish().await;
    });
}

/// Cases: P-25
#[test]
fn an_existing_secret_is_found_behind_the_first_hundred() {
    run(async {
        let (case, value) = case_with(|_| {}).await;
        // The newest come first, so the oldest is on the last page.
        let before = make_by_hand(&case).await;
        for number in 0..250 {
            let name = format!("OTHER_{number}");
            case.account
                .foreign_write(None, &name, "foreign")
                .expect("written");
        }
        case.object("far", &[("TOKEN", "source", "a")]).await;
        case.wait_ready("far").await;
        let after = held(&case, "TOKEN");
        assert_eq!((&after.id, &after.kind), (&before.id, &before.kind));
        assert_eq!(after.secret.as_ref(), Some(&value));
        assert_eq!(requests(&case, "PATCH").len(), 1);
        let others = case.held();
        assert!(
            others
                .iter()
                .all(|(name, value)| name == "TOKEN" || value == "foreign")
        );
        case.finish().await;
    });
}

/// Cases: P-04, P-36
#[test]
fn a_secret_deleted_by_hand_is_made_again_by_the_next_write() {
    run(async {
        for missing in [MissingId::NotFound, MissingId::BadRequest] {
            let (case, _) = case_with(|variants| variants.missing_id = missing).await;
            case.object("gone", &[("TOKEN", "source", "a")]).await;
            case.wait_ready("gone").await;
            case.account.foreign_delete(None, "TOKEN").expect("deleted");
            let rotated = case.value("two");
            case.secret("source", &[("a", &rotated)]).await;
            case.wait_held(&[("TOKEN", &rotated)]).await;
            case.wait_ready("gone").await;
            assert!(requests(&case, "POST").is_empty());
            case.finish().await;
        }
    });
}

#[test]
fn a_refusal_as_text_or_json_is_not_quoted() {
    run(async {
        for errors in [ErrorBody::Text, ErrorBody::Json] {
            let (case, value) = case_with(|variants| variants.errors = errors).await;
            let quoted = format!("{value} {}", case.key);
            let body = match errors {
                ErrorBody::Text => quoted,
                ErrorBody::Json => json!({"error": {"message": quoted}}).to_string(),
            };
            case.account
                .add_fault(Fault::status(400).method("PUT").forever().body(&body));
            case.object("refused", &[("TOKEN", "source", "a")]).await;
            let object = case.wait_reason("refused", "Rejected").await;
            assert_stalled(&object, "Rejected", "answered 400 for entry TOKEN");
            case.finish().await;
        }
    });
}
