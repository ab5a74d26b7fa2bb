//! Whether an outcome is sane.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use provider_secrets::{http::ProviderError, provider::Remote};

use super::{
    CANARY,
    scenario::{Operation, Outcome, Scenario},
};

/// A hundred pages of a hundred, and one answer more.
const MOST_REMOTES: usize = 10_000 + super::LONGEST_BODY / r#"{"name":""},"#.len();

/// `is_bodyless` says whether the answers had no body.
pub(super) fn judge(scenario: &Scenario, is_bodyless: bool, outcome: &Outcome) {
    let is_taken = match outcome {
        Outcome::Listed(outcome) => {
            if let Ok(listed) = taken(scenario, outcome) {
                assert!(listed.remotes.len() <= MOST_REMOTES, "a list without end");
                listed.remotes.iter().for_each(judge_remote);
                judge_id(listed.scope.as_deref());
            }
            outcome.is_ok()
        }
        Outcome::SetKeys(outcome) => taken(scenario, outcome).is_ok(),
        Outcome::Written(outcome) => {
            if let Ok(written) = taken(scenario, outcome) {
                assert!(!format!("{written:?}").contains(CANARY), "a body in status");
                judge_id(written.id.as_deref());
                judge_id(written.scope.as_deref());
                judge_version(written.version.as_deref());
            }
            outcome.is_ok()
        }
        Outcome::Deleted(outcome) => taken(scenario, outcome).is_ok(),
        Outcome::Scope(outcome) => {
            let _ = taken(scenario, outcome);
            // Some know their scope without a call.
            return;
        }
        Outcome::Settled(outcome) => taken(scenario, outcome).is_ok(),
    };
    if is_taken && scenario.asks() {
        judge_taken(scenario, is_bodyless);
    }
}

/// An error holds our own words only.
fn taken<'a, T>(scenario: &Scenario, outcome: &'a Result<T, ProviderError>) -> Result<&'a T, ()> {
    let error = match outcome {
        Ok(taken) => return Ok(taken),
        Err(error) => error,
    };
    for text in [format!("{error}"), format!("{error:?}"), error.what()] {
        assert!(!text.contains(CANARY), "a body in an error: {scenario:?}");
        assert!(text.len() < 256, "an error of {} bytes", text.len());
    }
    let bounds = Duration::from_secs(1)..=Duration::from_mins(15);
    assert!(error.retry_after.is_none_or(|wait| bounds.contains(&wait)));
    Err(())
}

/// What was taken for success was one: a status of success and JSON, or no body where nothing is read from it.
fn judge_taken(scenario: &Scenario, is_bodyless: bool) {
    let provider = scenario.provider();
    let is_gone = matches!(scenario.first, StatusCode::NOT_FOUND | StatusCode::GONE);
    let (may_be_gone, reads) = match scenario.operation {
        Operation::Delete | Operation::DeleteShown | Operation::DeleteSet => (true, false),
        Operation::SetKeys | Operation::Settled => (is_gone, true),
        _ => (false, true),
    };
    // An id that is gone answers 400 at Braintrust, and only the listing after it tells.
    let is_confirmed = scenario.operation != Operation::List
        && !reads
        && scenario.first == StatusCode::BAD_REQUEST
        && provider.get("braintrust").is_some();
    let is_success = scenario.first.is_success() || (may_be_gone && is_gone) || is_confirmed;
    let asks_nothing =
        scenario.operation == Operation::DeleteSet && provider.get("pipecat").is_none();
    assert!(
        is_success || asks_nothing,
        "taken for success: {scenario:?}"
    );
    let needs_no_body = !reads || scenario.first == StatusCode::NO_CONTENT;
    let is_read = scenario.is_json()
        || (is_bodyless && needs_no_body)
        || asks_nothing
        || (may_be_gone && is_gone);
    assert!(is_read, "not JSON and taken for success: {scenario:?}");
}

/// What a name, a team and a region are is the provider's; an id and a version have forms of ours.
fn judge_remote(remote: &Remote) {
    judge_id(remote.id.as_deref());
    judge_version(remote.version.as_deref());
}

fn judge_id(id: Option<&str>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:.~=".contains(&byte);
    let is_id = |id: &str| (1..=64).contains(&id.len()) && id.bytes().all(is_plain);
    assert!(id.is_none_or(is_id), "an id that is none");
}

fn judge_version(version: Option<&str>) {
    let is_version = |version: &str| version.parse::<Timestamp>().is_ok();
    assert!(version.is_none_or(is_version), "a version that is none");
}
