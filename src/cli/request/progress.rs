//! Whether the operator has acted on a request. Pure.

use std::time::Duration;

use super::Verb;
use crate::{
    api::ProviderSecret,
    cli::view::{Standing, is_paused},
    controller::{request_order, requested},
};

/// After which time an object that a person must act on is not waited for any more: its account makes no call,
/// so that the request may be open for an hour.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// What was asked of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The request, as status will echo it.
    pub(super) token: String,
    /// The request that status echoed before.
    pub(super) handled_before: Option<String>,
    /// The generation that the operator must have acted on.
    pub(super) generation: Option<i64>,
}

impl Asked {
    /// Whether the operator has handled it, or one that came after it: another user, Flux or `rotated --wait` may have asked
    /// too. Status echoes one of them alone, the later one (docs/reference.md#requests), and a clock that is behind
    /// writes an earlier one over a later one.
    fn is_handled(&self, object: &ProviderSecret) -> bool {
        let status = object.status.as_ref();
        let handled = status.and_then(|status| status.last_handled_sync_request.as_ref());
        let is_later = |handled: &str| request_order(handled) >= request_order(&self.token);
        let is_covered = |handled: &String| is_later(handled) || requested(object).is_none();
        handled != self.handled_before.as_ref() && handled.is_some_and(is_covered)
    }
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The operator has not acted on it.
    Waiting,
    /// It has.
    Done {
        /// Whether everything is as it was asked for.
        is_ready: bool,
        /// What a line says of it.
        text: String,
    },
}

/// How far the request is at an object, `waited` after it was made.
pub(super) fn progress(
    verb: Verb,
    object: &ProviderSecret,
    asked: &Asked,
    waited: Duration,
) -> Progress {
    let standing = Standing::of(object);
    let status = object.status.as_ref();
    let observed = status.and_then(|status| status.observed_generation);
    let is_acted_on = observed >= asked.generation && observed.is_some();
    let is_done = match verb {
        Verb::Sync => asked.is_handled(object),
        Verb::Suspend => is_acted_on && is_paused(object),
        Verb::Resume => is_acted_on && !is_paused(object) && standing.reason != "Progressing",
    };
    let is_stalled = is_acted_on && standing.is_stalled && waited >= STALLED_AFTER;
    if !is_done && !is_stalled {
        return Progress::Waiting;
    }
    let synced = status
        .and_then(|status| status.summary.as_deref())
        .unwrap_or("0/0");
    if verb == Verb::Suspend {
        let text = format!("is suspended with {synced} synced");
        return Progress::Done {
            is_ready: true,
            text,
        };
    }
    let is_ready = standing.is_ready();
    let text = if is_ready {
        format!("synced {synced}")
    } else {
        format!("is not Ready ({}), {synced} synced,", standing.reason)
    };
    Progress::Done { is_ready, text }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::SYNC_REQUESTED_AT;

    const TOKEN: &str = "2026-11-29T12:00:00.000000000Z";
    /// Handled before the request.
    const BEFORE: &str = "2026-11-29T11:00:00Z";
    /// Written over the request, with a clock that is behind.
    const SLOW: &str = "2026-11-29T11:58:00Z";

    fn object(ready: &str, reason: &str, more: &Value) -> ProviderSecret {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-11-29T12:00:00Z"});
        let mut conditions = vec![condition("Ready", ready)];
        if let Some(other) = more["also"].as_str() {
            conditions.push(condition(other, "True"));
        }
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
            "metadata": {
                "name": "object", "namespace": "ml", "generation": 2,
                "annotations": {SYNC_REQUESTED_AT: more["requested"].as_str().unwrap_or(TOKEN)},
            },
            "spec": {"provider": {"baseten": {"apiKeySecretRef": {"name": "api", "key": "key"}}}},
            "status": {
                "observedGeneration": more["observed"].as_i64().unwrap_or(2),
                "lastHandledSyncRequest": more["handled"], "summary": "1/1", "conditions": conditions,
            },
        });
        serde_json::from_value(object).unwrap()
    }

    #[rstest]
    #[case(Verb::Sync, "True", "Synced", json!({}), 1, None)]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": "2026-11-29T11:59:59Z"}), 1, None)]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": "2026-11-29T13:30:00+02:00"}), 1, None)]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": "2026-11-29T11:30:00-01:00"}), 1, Some((true, "synced 1/1")))]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": "2026-11-29T12:00:01Z"}), 1, Some((true, "synced 1/1")))]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": BEFORE}), 1, None)]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": SLOW, "requested": SLOW}), 1, Some((true, "synced 1/1")))]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": TOKEN, "requested": "2026-11-29T12:00:02Z"}), 1, Some((true, "synced 1/1")))]
    #[case(Verb::Sync, "True", "Synced", json!({"handled": TOKEN}), 1, Some((true, "synced 1/1")))]
    #[case(Verb::Sync, "False", "Conflict", json!({"handled": TOKEN, "also": "Stalled"}), 1, Some((false, "is not Ready (Conflict), 1/1 synced,")))]
    #[case(Verb::Sync, "False", "AuthenticationFailed", json!({"also": "Stalled"}), 1, None)]
    #[case(Verb::Sync, "False", "AuthenticationFailed", json!({"also": "Stalled"}), 11, Some((false, "is not Ready (AuthenticationFailed), 1/1 synced,")))]
    #[case(Verb::Sync, "False", "RateLimited", json!({"also": "Reconciling"}), 99, None)]
    #[case(Verb::Suspend, "True", "Synced", json!({}), 1, None)]
    #[case(Verb::Suspend, "True", "Suspended", json!({"also": "Suspended", "observed": 1}), 1, None)]
    #[case(Verb::Suspend, "True", "Suspended", json!({"also": "Suspended"}), 1, Some((true, "is suspended with 1/1 synced")))]
    #[case(Verb::Resume, "True", "Suspended", json!({"also": "Suspended"}), 1, None)]
    #[case(Verb::Resume, "False", "Progressing", json!({"also": "Reconciling"}), 1, None)]
    #[case(Verb::Resume, "True", "Synced", json!({}), 1, Some((true, "synced 1/1")))]
    #[case(Verb::Resume, "False", "SecretNotFound", json!({"also": "Reconciling"}), 1, Some((false, "is not Ready (SecretNotFound), 1/1 synced,")))]
    fn a_request_is_done_when_the_operator_has_acted_on_it(
        #[case] verb: Verb,
        #[case] ready: &str,
        #[case] reason: &str,
        #[case] more: Value,
        #[case] seconds: u64,
        #[case] expected: Option<(bool, &str)>,
    ) {
        let object = object(ready, reason, &more);
        let waited = Duration::from_secs(seconds);
        let asked = Asked {
            token: TOKEN.to_owned(),
            handled_before: Some(BEFORE.to_owned()),
            generation: Some(2),
        };
        let found = progress(verb, &object, &asked, waited);
        let expected = expected.map_or(Progress::Waiting, |(is_ready, text)| Progress::Done {
            is_ready,
            text: text.to_owned(),
        });
        assert_eq!(found, expected);
    }
}
