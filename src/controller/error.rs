//! Failure: why an entry, or a whole object, is not as wanted. One type for what Kubernetes, the
//! spec and the provider can do to us, so that conditions and retries are decided in one place.

use std::time::Duration;

use crate::{
    api::{Choice, ProviderKind, Reason},
    http::{ErrorClass, ProviderError},
};

/// Why something is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: ErrorClass,
    pub(crate) reason: Reason,
    /// One sentence or two: what happened, to what, and what to do. Our own words and names of
    /// Kubernetes objects only.
    pub(crate) message: String,
    /// How long the provider asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    /// A Secret or key that is missing.
    pub(crate) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            class: ErrorClass::Waiting,
            reason,
            message: message.into(),
            retry_after: None,
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
        let subject = match (error.class, entry) {
            (ErrorClass::Auth, _) => {
                let reference = choice.api_key_secret_ref();
                format!(
                    " for the API key in Secret {} key {}",
                    reference.name, reference.key
                )
            }
            (_, Some(entry)) => format!(" for entry {entry}"),
            (_, None) => String::new(),
        };
        let advice = advice(error.reason, provider);
        let message = format!("{provider} {}{subject}. {advice}", error.what());
        Self {
            class: error.class,
            reason: error.reason,
            message,
            retry_after: error.retry_after,
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

/// What to do.
fn advice(reason: Reason, provider: ProviderKind) -> &'static str {
    match (reason, provider) {
        (Reason::AuthenticationFailed, ProviderKind::Pipecat) => {
            "Check that it is an active private key; a public key only starts sessions."
        }
        (Reason::AuthenticationFailed, _) => "Check that it is an active key.",
        (Reason::PermissionDenied, _) => "Check that the key may write secrets here.",
        (Reason::TargetNotFound, ProviderKind::Baseten | ProviderKind::PrimeIntellect) => {
            "Check that teamId is right and that the key belongs to that team."
        }
        (Reason::TargetNotFound, _) => "Check the scope fields under spec.provider.",
        (Reason::ValueTooLarge, _) => "The value is larger than the provider takes.",
        (Reason::Rejected, ProviderKind::Braintrust) => {
            "Check orgName, the name and the options of the entry."
        }
        (Reason::Rejected, ProviderKind::Pipecat) => {
            "Check region, the name and the value of the entry."
        }
        (Reason::Rejected, _) => "Check the name, the value and the options of the entry.",
        (Reason::Immutable, _) => {
            "It does not change an image pull secret that exists: set replaceImagePullSecret to Recreate, or use another setName."
        }
        (Reason::Unsupported, _) => "The provider does not offer this.",
        (Reason::UnexpectedResponse, _) => "Check that the endpoint is the provider's API.",
        _ => "It is tried again.",
    }
}
