//! Writes and deletions of all providers: what an answer proves. Answers are canned.

use std::sync::atomic::Ordering;

use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    canned::{answering, answering_each, image_pull, spec_of, specs, with},
    *,
};
use crate::{
    api::Reason,
    http::{ErrorClass, ProviderError},
};

const NAME: &str = "A_NAME";
const ID: Option<&str> = Some("an-id");
const JSON: &str = "application/json";
const PAGE: &str = "<html><body>Please log in</body></html>";
/// Those that change a secret by its id.
const BY_ID: [ProviderKind; 2] = [ProviderKind::PrimeIntellect, ProviderKind::Braintrust];

/// Why something failed, as far as it decides anything.
type Why = Option<(ErrorClass, Reason)>;

const STRANGE: Why = Some((ErrorClass::Protocol, Reason::UnexpectedResponse));
const BUSY: Why = Some((ErrorClass::Transient, Reason::ProviderUnavailable));
const REFUSED: Why = Some((ErrorClass::Config, Reason::Rejected));
const ELSEWHERE: Why = Some((ErrorClass::Config, Reason::TargetNotFound));
const OTHER_SCOPE: Why = Some((ErrorClass::Config, Reason::InvalidSpec));
const REFERENCED: Why = Some((ErrorClass::Config, Reason::Unsupported));

fn why<T>(outcome: Result<T, ProviderError>) -> Why {
    outcome.err().map(|error| (error.class, error.reason))
}

async fn write(provider: &dyn Provider, id: Option<&str>) -> Result<Written, ProviderError> {
    let value = SecretString::from("value");
    let options = Options {
        host: Some("https://ghcr.io".to_owned()),
        ..Options::default()
    };
    let entry = Write {
        name: NAME,
        value: &value,
        options: &options,
        id,
        region: None,
    };
    provider.write(&[entry]).await
}

async fn delete(provider: &dyn Provider, id: Option<&str>) -> Result<DeleteAnswer, ProviderError> {
    let request = DeleteRequest {
        name: NAME,
        id,
        shown: None,
    };
    provider.delete(&request).await
}

/// Cases: P-23
#[rstest]
#[case(200, "text/html", PAGE, STRANGE)]
#[case(200, JSON, PAGE, STRANGE)]
#[case(200, "text/plain", "OK", STRANGE)]
#[case(200, JSON, r#"{"error": "It is busy", "code": "INTERNAL"}"#, STRANGE)]
#[case(
    202,
    JSON,
    r#"{"errors": [{"param": "", "details": "It is busy"}]}"#,
    STRANGE
)]
#[case(200, JSON, r#"{"detail": "It is busy"}"#, STRANGE)]
#[case(
    200,
    JSON,
    r#"{"error": null, "errors": [], "detail": "", "code": "OK"}"#,
    None
)]
#[case(200, JSON, "{}", None)]
#[case(200, JSON, "null", None)]
#[case(200, "text/html", "", None)]
#[case(204, JSON, "", None)]
#[tokio::test(start_paused = true)]
async fn a_deletion_is_done_only_if_its_answer_shows_no_failure(
    #[case] status: u16,
    #[case] content_type: &'static str,
    #[case] body: &str,
    #[case] expected: Why,
) {
    for spec in specs() {
        let (provider, asked) = answering(&spec, (status, content_type, body));
        assert_eq!(why(delete(&*provider, ID).await), expected, "{spec} {body}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        if provider.rules().unit == Unit::Set {
            assert_eq!(why(provider.delete_set().await), expected, "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_by_id_without_an_id_is_never_done() {
    for kind in BY_ID {
        assert!(!rules(kind).deletes_by_name);
        let (provider, asked) = answering(&spec_of(kind), (200, JSON, "{}"));
        assert_eq!(why(delete(&*provider, None).await), STRANGE, "{kind}");
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{kind}");
    }
}

/// An answer that each provider takes for a success.
fn success() -> Value {
    json!({"id": "an-id", "name": NAME, "org_id": "org", "data": null, "status": "OK"})
}

/// Cases: P-23
#[rstest]
#[case(json!({"error": "It is busy", "code": "INTERNAL"}), STRANGE)]
#[case(json!({"error": {"message": "It is busy"}}), STRANGE)]
#[case(json!({"errors": [{"param": "", "details": "It is busy"}]}), STRANGE)]
#[case(json!({"detail": [{"loc": ["body"], "msg": "It is busy"}]}), STRANGE)]
#[case(json!({"error": null, "errors": [], "detail": {}}), None)]
#[case(json!({"error": false, "errors": 0, "detail": ""}), None)]
#[tokio::test(start_paused = true)]
async fn a_write_is_done_only_if_its_answer_shows_no_failure(
    #[case] members: Value,
    #[case] expected: Why,
) {
    let body = with(success(), &members).to_string();
    for spec in specs() {
        for (status, id) in [(200, None), (200, ID), (202, ID)] {
            let (provider, _) = answering(&spec, (status, JSON, body.as_str()));
            let outcome = write(&*provider, id).await;
            assert_eq!(why(outcome), expected, "{spec} {id:?} {members}");
        }
    }
}

/// Cases: P-23
#[rstest]
#[case("text/html", PAGE)]
#[case(JSON, "")]
#[case(JSON, "null")]
#[case(JSON, "[null]")]
#[case(JSON, r#"{"error": "It is busy", "code": "INTERNAL"}"#)]
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_secret_and_no_acknowledgement_is_no_write(
    #[case] content_type: &'static str,
    #[case] body: &str,
) {
    for spec in specs() {
        for id in [None, ID] {
            let (provider, _) = answering(&spec, (200, content_type, body));
            assert_eq!(why(write(&*provider, id).await), STRANGE, "{spec} {body}");
        }
    }
}

/// docs/vendors.md#pc-2
#[tokio::test(start_paused = true)]
async fn a_put_that_is_answered_without_content_is_accepted() {
    for spec in [spec_of(ProviderKind::Pipecat), image_pull()] {
        let (provider, _) = answering(&spec, (204, JSON, ""));
        assert_eq!(write(&*provider, None).await, Ok(Written::default()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_answer_tells_of_an_error_is_not_ready() {
    let body = json!({"error": "It is busy", "code": "INTERNAL"}).to_string();
    let spec = spec_of(ProviderKind::Pipecat);
    let (provider, _) = answering(&spec, (200, JSON, body.as_str()));
    assert_eq!(why(provider.settled().await), STRANGE);
    assert_eq!(why(provider.set_keys().await), STRANGE);
}

/// The secret could be neither changed nor deleted, and would be created by each write.
#[rstest]
#[case(json!("sec_1"), true)]
#[case(json!("a.b~c=="), true)]
#[case(json!(null), false)]
#[case(json!("a/b"), false)]
#[case(json!(".."), false)]
#[case(json!("i".repeat(70)), false)]
#[tokio::test(start_paused = true)]
async fn a_write_without_an_id_that_can_be_kept_is_not_done(
    #[case] id: Value,
    #[case] is_kept: bool,
) {
    for kind in BY_ID {
        let secret = json!({"id": id, "name": NAME, "org_id": "org"});
        let body = with(secret.clone(), &json!({"data": secret})).to_string();
        for known in [None, ID] {
            let (provider, _) = answering(&spec_of(kind), (200, JSON, body.as_str()));
            let outcome = write(&*provider, known).await;
            if is_kept {
                assert_eq!(outcome.unwrap().id.as_deref(), id.as_str(), "{kind}");
            } else {
                assert_eq!(why(outcome), STRANGE, "{kind} {known:?} {id}");
            }
        }
    }
}

/// A user has renamed it.
#[rstest]
#[case(NAME, ID, None)]
#[case("B_NAME", ID, ELSEWHERE)]
#[case("B_NAME", None, None)]
#[tokio::test(start_paused = true)]
async fn an_update_that_shows_another_name_has_not_written_the_name(
    #[case] shown: &str,
    #[case] id: Option<&str>,
    #[case] expected: Why,
) {
    for kind in BY_ID {
        let secret = json!({"id": "an-id", "name": shown, "org_id": "org"});
        let body = with(secret.clone(), &json!({"data": secret})).to_string();
        let (provider, _) = answering(&spec_of(kind), (200, JSON, body.as_str()));
        assert_eq!(why(write(&*provider, id).await), expected, "{kind}");
    }
}

/// docs/vendors.md#pc-7, docs/vendors.md#bt-8
#[tokio::test(start_paused = true)]
async fn a_conflict_heals_by_itself_where_a_change_is_under_way() {
    for spec in specs() {
        let (provider, _) = answering(&spec, (409, JSON, "{}"));
        let expected = match provider.rules().kind {
            ProviderKind::Pipecat | ProviderKind::Braintrust => BUSY,
            ProviderKind::Baseten | ProviderKind::PrimeIntellect => REFUSED,
        };
        assert_eq!(why(write(&*provider, None).await), expected, "{spec}");
        assert_eq!(why(write(&*provider, ID).await), expected, "{spec}");
        assert_eq!(why(delete(&*provider, ID).await), expected, "{spec}");
    }
}

/// A set that a user refers to may not be told from one that is busy by the answer to the write.
/// docs/vendors.md#pc-14
#[rstest]
#[case(409, json!({"source": "referenced", "secrets": []}), REFERENCED)]
#[case(400, json!({"source": "referenced"}), REFERENCED)]
#[case(409, json!({"source": "managed", "secrets": []}), BUSY)]
#[case(409, json!({"secrets": []}), BUSY)]
#[case(400, json!({"secrets": []}), REFUSED)]
#[case(409, json!({"error": "It is busy"}), BUSY)]
#[tokio::test(start_paused = true)]
async fn a_refused_write_of_a_set_shows_whether_it_is_a_reference(
    #[case] status: u16,
    #[case] shown: Value,
    #[case] expected: Why,
) {
    let shown = shown.to_string();
    for spec in [spec_of(ProviderKind::Pipecat), image_pull()] {
        let (read, refusal) = ((200, JSON, shown.as_str()), (status, JSON, "{}"));
        let (provider, asked) = answering_each(&spec, read, refusal);
        let outcome = write(&*provider, ID).await;
        // An image pull secret cannot be read by itself, so that only what nothing else tells is asked.
        let is_asked = provider.rules().unit == Unit::Set || status == 409;
        let expected = if is_asked { expected } else { REFUSED };
        assert_eq!(why(outcome), expected, "{spec} {status} {shown}");
        assert_eq!(asked.load(Ordering::SeqCst), 1 + usize::from(is_asked));
    }
}

/// docs/vendors.md#pi-2
#[rstest]
#[case(Some("team"), json!({"teamId": "team"}), None)]
#[case(Some("team"), json!({}), None)]
#[case(Some("team"), json!({"teamId": null}), OTHER_SCOPE)]
#[case(Some("team"), json!({"teamId": "other"}), OTHER_SCOPE)]
#[case(None, json!({"teamId": null}), None)]
#[case(None, json!({}), None)]
#[case(None, json!({"teamId": "team"}), OTHER_SCOPE)]
#[tokio::test(start_paused = true)]
async fn a_write_that_shows_another_team_is_not_the_objects(
    #[case] team: Option<&str>,
    #[case] members: Value,
    #[case] expected: Why,
) {
    let mut spec = spec_of(ProviderKind::PrimeIntellect);
    if let Some(team) = team {
        spec["primeIntellect"]["teamId"] = team.into();
    }
    let secret = with(
        json!({"id": "an-id", "name": NAME, "userId": "user"}),
        &members,
    );
    let body = json!({"data": secret}).to_string();
    for id in [None, ID] {
        let (provider, _) = answering(&spec, (200, JSON, body.as_str()));
        match write(&*provider, id).await {
            Ok(written) => {
                assert_eq!(written.scope.as_deref(), team.or(Some("user")));
                assert_eq!(expected, None, "{spec} {members}");
            }
            refused => assert_eq!(why(refused), expected, "{spec} {members}"),
        }
    }
}
