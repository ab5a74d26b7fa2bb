//! Trouble: why an entry, or a whole object, is not as wanted. One type for what Kubernetes, the
//! spec and the provider can do to us, so that conditions and retries are decided in one place.

use std::time::Duration;

use crate::{
    api::{Choice, ProviderKind, Reason},
    http::{Class, ProviderError},
};

/// What kind of trouble it is; see the error table of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A Secret or a key in it is missing; its appearance heals it and nothing else need be tried.
    Waiting,
    /// It may work next time.
    Transient,
    /// The provider asked to slow down.
    Throttled,
    /// The write may have been carried out.
    UnknownOutcome,
    /// The provider's answer is not one its documents allow.
    Protocol,
    /// The credential is not accepted; a new one heals it.
    Auth,
    /// The spec or a Secret must change.
    Config,
}

/// Why something is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    pub(crate) reason: Reason,
    /// One sentence or two: what happened, to what, and what to do. Our own words and names of
    /// Kubernetes objects only.
    pub(crate) message: String,
    /// How long the provider asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Trouble {
    /// A Secret or key that is missing.
    pub(crate) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Waiting,
            reason,
            message: message.into(),
            retry_after: None,
        }
    }

    /// Something that a person must change.
    pub(crate) fn config(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Config,
            ..Self::waiting(reason, message)
        }
    }

    /// Something that may work next time.
    pub(crate) fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Transient,
            ..Self::waiting(reason, message)
        }
    }

    /// A failed call, in the words for the person who wrote `choice`.
    pub(crate) fn provider(error: &ProviderError, choice: Choice<'_>, entry: Option<&str>) -> Self {
        let kind = match error.class {
            Class::Config => Kind::Config,
            Class::Auth => Kind::Auth,
            Class::Throttled => Kind::Throttled,
            Class::Transient => Kind::Transient,
            Class::UnknownOutcome => Kind::UnknownOutcome,
            Class::Protocol => Kind::Protocol,
        };
        let provider = choice.kind();
        let subject = match (kind, entry) {
            (Kind::Auth, _) => {
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
            kind,
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
        matches!(self.kind, Kind::Auth | Kind::Config)
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
