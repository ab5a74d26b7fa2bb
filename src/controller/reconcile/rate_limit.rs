//! A provider that asks for patience for long: a user is told once.

use jiff::{SignedDuration, Timestamp};

use super::Reconcile;
use crate::{
    api::{ProviderKind, ProviderSecret, Reason},
    controller::{
        object::ready_condition,
        report::{conditions::Readiness, messages::Remark, outcome::Outcome},
    },
    provider::Choice,
};

/// How long an object may not be Ready until a user is told that the provider's limit keeps it so.
const RATE_LIMIT_WARNING_AFTER: SignedDuration = SignedDuration::from_mins(5);

impl Reconcile<'_> {
    /// Warns once of a limit that lasts: a pause of some seconds is no event.
    pub(super) fn warn_of_rate_limit(&self, readiness: &mut Readiness, outcome: &mut Outcome) {
        let kind = self.object.spec.provider.choice().map(Choice::kind);
        let Some(kind) = kind.filter(|_| readiness.reason == Reason::RateLimited) else {
            return;
        };
        let remark = limited(kind);
        // What was said stays while it is so, whatever the clock shows meanwhile.
        if self.has_remark(&remark.text) || is_limited_long(&self.object, crate::clock::now()) {
            readiness.message = format!("{} {}", readiness.message, remark.text);
            self.remark(outcome, remark);
        }
    }
}

/// The provider's limit keeps an object from being Ready.
fn limited(kind: ProviderKind) -> Remark {
    Remark {
        reason: Reason::RateLimited,
        text: format!(
            "The object has not been Ready for 5 minutes, and {kind} still asks for patience. It is tried again whenever {kind} allows; see who else calls the account."
        ),
    }
}

/// Whether an object has not been Ready for long, and said before that the provider's limit keeps it so.
fn is_limited_long(object: &ProviderSecret, now: Timestamp) -> bool {
    ready_condition(object).is_some_and(|ready| {
        let since = now.duration_since(ready.last_transition_time.0);
        ready.reason == Reason::RateLimited.as_str() && since >= RATE_LIMIT_WARNING_AFTER
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// Cases: P-09, S-07
    #[rstest]
    #[case::a_pause("RateLimited", 299, false)]
    #[case::for_long("RateLimited", 300, true)]
    #[case::before_the_first_429("SecretNotFound", 3600, false)]
    #[case::by_a_clock_that_went_back("RateLimited", -3600, false)]
    fn a_limit_is_told_after_five_minutes(
        #[case] reason: &str,
        #[case] seconds: i64,
        #[case] is_long: bool,
    ) {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"namespace": "ml", "name": "object"},
            "spec": {"provider": {}},
            "status": {"conditions": [{
                "type": "Ready",
                "status": "False",
                "reason": reason,
                "message": "",
                "lastTransitionTime": (now - SignedDuration::from_secs(seconds)).to_string(),
            }]},
        });
        let object: ProviderSecret = serde_json::from_value(object).unwrap();
        assert_eq!(is_limited_long(&object, now), is_long);
    }
}
