//! Failure: why an entry, or a whole object, is not as wanted. Kubernetes, the spec and the provider
//! cause failures of one type, so that conditions and retries are decided in one place.

use std::time::Duration;

use crate::{
    api::Reason,
    http::{Detail, ErrorClass, ProviderError},
    provider::Choice,
};

/// Why something is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: ErrorClass,
    pub(crate) reason: Reason,
    /// One sentence or two: what happened, to what, and what to do. The operator's own words and
    /// names of Kubernetes objects only, no text of the provider.
    pub(crate) message: String,
    /// How long the provider asked to wait: 1 s to 15 min.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the provider answered so.
    pub(crate) is_answer: bool,
    /// Whether it is over in a moment, one way or the other, and need not be said before.
    pub(crate) is_passing: bool,
}

impl Failure {
    /// A Secret or key that is missing.
    pub(crate) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            class: ErrorClass::Waiting,
            reason,
            message: message.into(),
            retry_after: None,
            is_answer: false,
            is_passing: false,
        }
    }

    /// Something that a person must change.
    pub(crate) fn config(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            class: ErrorClass::Config,
            ..Self::waiting(reason, message)
        }
    }

    /// Something that may work next time.
    pub(crate) fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            class: ErrorClass::Transient,
            ..Self::waiting(reason, message)
        }
    }

    /// A failed call, in the words for the person who wrote `choice`.
    pub(crate) fn provider(error: &ProviderError, choice: Choice<'_>, entry: Option<&str>) -> Self {
        let provider = choice.kind();
        let of_detail = match error.detail() {
            Some(Detail::Certificate(refused)) => Some(refused.advice()),
            Some(Detail::Way(way)) => Some(way.advice()),
            _ => None,
        };
        let subject = match (error.class, entry) {
            (ErrorClass::Auth, _) => {
                let reference = choice.api_key_secret_ref();
                let of = entry.map_or_else(String::new, |entry| format!(" for entry {entry}, and"));
                format!(
                    "{of} for the API key in Secret {} key {}",
                    reference.name, reference.key
                )
            }
            (_, Some(entry)) if of_detail.is_none() => format!(" for entry {entry}"),
            _ => String::new(),
        };
        let advice = of_detail.or_else(|| provider.descriptor().advice(error.reason));
        let advice = advice.unwrap_or_else(|| advice_for_all(error.reason));
        let message = format!("{provider} {}{subject}. {advice}", error.what());
        Self {
            class: error.class,
            reason: error.reason,
            message,
            retry_after: error.retry_after,
            is_answer: error.status.is_some() || error.detail() == Some(&Detail::NotApplied),
            is_passing: false,
        }
    }

    /// Whether the Kubernetes API caused it, and not the provider.
    pub(crate) fn is_of_kubernetes(&self) -> bool {
        matches!(self.reason, Reason::SecretUnavailable | Reason::Forbidden)
    }

    /// Whether a person must act.
    pub(crate) fn is_stalling(&self) -> bool {
        matches!(self.class, ErrorClass::Auth | ErrorClass::Config)
    }
}

/// What a user can do about a failure at any provider.
fn advice_for_all(reason: Reason) -> &'static str {
    match reason {
        Reason::AuthenticationFailed => "Check that it is an active key.",
        Reason::PermissionDenied => "Check that the key may write secrets here.",
        Reason::TargetNotFound | Reason::InvalidSpec => {
            "Check the scope fields under spec.provider."
        }
        Reason::ValueTooLarge => "The value is larger than the provider takes.",
        Reason::Rejected => "Check the name, the value and the options of the entry.",
        Reason::Unsupported => "The provider does not offer this.",
        Reason::UnexpectedResponse => "Check that the endpoint is the provider's API.",
        _ => "It is tried again.",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::{
        api::ProviderSpec,
        http::{
            CertificateFault::{self, Expired, NotAccepted, NotTrusted, NotYetValid, OtherHost},
            TransportError,
        },
    };

    /// Cases: R-26
    #[rstest]
    #[case(NotTrusted, ["no CA that the operator knows has signed it", "--ca-bundle"])]
    #[case(Expired, ["it has expired", "renewed"])]
    #[case(NotYetValid, ["it is not valid yet", "clock"])]
    #[case(OtherHost, ["it is for another host", "--endpoint"])]
    #[case(NotAccepted, ["it is that of a CA", "Have a CA sign one for this host"])]
    fn a_refused_certificate_is_told_with_its_host_and_what_to_do(
        #[case] fault: CertificateFault,
        #[case] parts: [&str; 2],
    ) {
        let spec = json!({"baseten": {"apiKeySecretRef": {"name": "s", "key": "k"}}});
        let spec: ProviderSpec = serde_json::from_value(spec).unwrap();
        let error = TransportError::Certificate(fault);
        for is_write in [true, false] {
            let error = ProviderError::from_transport(error, is_write, "ai.corp.example");
            let failure = Failure::provider(&error, spec.choice().unwrap(), Some("A_KEY"));
            assert_eq!(failure.reason, Reason::CertificateNotTrusted);
            assert!(!failure.is_stalling() && failure.class == ErrorClass::Transient);
            let shown = "Baseten shows a certificate at ai.corp.example that is not trusted: ";
            assert!(failure.message.starts_with(shown), "{}", failure.message);
            for part in parts {
                assert!(failure.message.contains(part), "{}", failure.message);
            }
        }
    }
}
