//! What can go wrong between us and a provider, classed once (docs/architecture.md#error-classes).
//!
//! A [`ProviderError`] holds our own words only. Whatever a server or a library said is dropped
//! here, because error bodies have been seen to quote the request.

mod detail;

use std::time::Duration;

use http::{HeaderMap, StatusCode};

pub use self::detail::{BrokenWay, Detail, RefusedCertificate};
use super::{TransportError, WayFault, retry_after};
use crate::api::Reason;

/// What kind of failure it is. The class decides condition, retry and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorClass {
    /// A Secret or a key in it is missing. Its appearance heals it, and nothing is tried before; no
    /// answer of a provider has this class.
    Waiting,
    /// The request is wrong and stays wrong until the spec or a Secret changes.
    Config,
    /// The credential is not accepted or not allowed to do this.
    Auth,
    /// The provider asked to slow down.
    Throttled,
    /// It may work next time. Nothing was written.
    Transient,
    /// The request left and no answer came: it may have been carried out.
    UnknownOutcome,
    /// The answer is not one the provider's documents allow.
    Protocol,
}

impl ErrorClass {
    /// The word for it in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Protocol => "protocol",
        }
    }
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ProviderError {
    /// What to do about it.
    pub class: ErrorClass,
    /// The stable word for it.
    pub reason: Reason,
    /// The HTTP status, where there was an answer.
    pub status: Option<StatusCode>,
    /// How long the provider asked to wait: 1 s to 15 min. Only where the class is
    /// [`ErrorClass::Throttled`].
    pub retry_after: Option<Duration>,
    /// What more is known of it.
    pub detail: Option<Box<Detail>>,
}

impl ProviderError {
    fn new(class: ErrorClass, reason: Reason) -> Self {
        Self {
            class,
            reason,
            status: None,
            retry_after: None,
            detail: None,
        }
    }

    /// An answer that the provider's documents do not allow: [`ErrorClass::Protocol`].
    pub fn protocol() -> Self {
        Self::new(ErrorClass::Protocol, Reason::UnexpectedResponse)
    }

    /// A listing that tells of more than it shows: [`ErrorClass::Protocol`]. What it lacks is not absent.
    pub fn not_whole() -> Self {
        Self {
            detail: Some(Box::new(Detail::NotWhole)),
            ..Self::protocol()
        }
    }

    /// An answer that is larger than is read: [`ErrorClass::Protocol`].
    pub fn too_large() -> Self {
        Self {
            detail: Some(Box::new(Detail::TooLarge)),
            ..Self::protocol()
        }
    }

    /// A listing whose pages together take longer than is waited: [`ErrorClass::Transient`].
    pub fn too_slow() -> Self {
        Self {
            detail: Some(Box::new(Detail::TooSlow)),
            ..Self::timeout(false)
        }
    }

    /// A value that the provider accepted, and then failed to apply or did not apply in time.
    pub fn not_applied(class: ErrorClass, reason: Reason) -> Self {
        Self {
            detail: Some(Box::new(Detail::NotApplied)),
            ..Self::new(class, reason)
        }
    }

    /// A listing of several teams or organizations where the spec names none: [`ErrorClass::Config`]. A write would go to
    /// one of them that the user has not chosen.
    pub fn several_scopes() -> Self {
        Self {
            detail: Some(Box::new(Detail::SeveralScopes)),
            ..Self::config(Reason::InvalidSpec)
        }
    }

    /// An answer of another team or organization than the one that is meant: [`ErrorClass::Config`]. What it tells of is not
    /// the object's.
    pub fn other_scope() -> Self {
        Self {
            detail: Some(Box::new(Detail::OtherScope)),
            ..Self::config(Reason::InvalidSpec)
        }
    }

    /// A write to a set that the provider does not keep itself: [`ErrorClass::Config`].
    pub fn referenced() -> Self {
        Self {
            detail: Some(Box::new(Detail::Referenced)),
            ..Self::config(Reason::Unsupported)
        }
    }

    /// The same error, of which the body is the one that the provider's file looked for.
    pub(super) fn recognised(self) -> Self {
        Self {
            detail: Some(Box::new(Detail::Recognised)),
            ..self
        }
    }

    /// What more is known of it.
    pub fn detail(&self) -> Option<&Detail> {
        self.detail.as_deref()
    }

    /// A listing of several pages that changed while it was read: [`ErrorClass::Transient`], because
    /// the next one may not.
    pub fn moved() -> Self {
        Self {
            detail: Some(Box::new(Detail::Moved)),
            ..Self::new(ErrorClass::Transient, Reason::ProviderUnavailable)
        }
    }

    /// A request that is wrong as it stands: [`ErrorClass::Config`]. Nothing was sent.
    pub fn config(reason: Reason) -> Self {
        Self::new(ErrorClass::Config, reason)
    }

    /// Nothing was sent, because another process leads or may soon: [`ErrorClass::Transient`].
    pub(super) fn not_leading() -> Self {
        Self {
            detail: Some(Box::new(Detail::NotLeading)),
            ..Self::new(ErrorClass::Transient, Reason::ProviderUnavailable)
        }
    }

    /// No answer in time. Only a write can have had an effect.
    pub fn timeout(is_write: bool) -> Self {
        let class = if is_write {
            ErrorClass::UnknownOutcome
        } else {
            ErrorClass::Transient
        };
        Self::new(class, Reason::Timeout)
    }

    /// No answer at all. `host` is that of the endpoint.
    pub fn from_transport(error: TransportError, is_write: bool, host: &str) -> Self {
        match error {
            TransportError::Cut if is_write => {
                Self::new(ErrorClass::UnknownOutcome, Reason::NetworkError)
            }
            TransportError::Connect | TransportError::Cut => {
                Self::new(ErrorClass::Transient, Reason::NetworkError)
            }
            TransportError::Way(fault) => Self {
                detail: Some(Box::new(Detail::Way(BrokenWay {
                    host: host.to_owned(),
                    fault,
                }))),
                ..Self::new(
                    ErrorClass::Transient,
                    match fault {
                        WayFault::ProxyCertificate(_) => Reason::CertificateNotTrusted,
                        _ => Reason::NetworkError,
                    },
                )
            },
            TransportError::Certificate(fault) => Self {
                detail: Some(Box::new(Detail::Certificate(RefusedCertificate {
                    host: host.to_owned(),
                    fault,
                }))),
                ..Self::new(ErrorClass::Transient, Reason::CertificateNotTrusted)
            },
            TransportError::TooLarge => Self::too_large(),
        }
    }

    /// An answer that is not 2xx. Its body is not looked at.
    pub fn from_status(status: StatusCode, headers: &HeaderMap) -> Self {
        let wait = retry_after(headers);
        let (class, reason) = match status.as_u16() {
            401 => (ErrorClass::Auth, Reason::AuthenticationFailed),
            403 => (ErrorClass::Auth, Reason::PermissionDenied),
            404 | 410 => (ErrorClass::Config, Reason::TargetNotFound),
            408 => (ErrorClass::Transient, Reason::Timeout),
            413 | 414 => (ErrorClass::Config, Reason::ValueTooLarge),
            429 => (ErrorClass::Throttled, Reason::RateLimited),
            503 if wait.is_some() => (ErrorClass::Throttled, Reason::ProviderUnavailable),
            501 => (ErrorClass::Config, Reason::Unsupported),
            425 | 500..=599 => (ErrorClass::Transient, Reason::ProviderUnavailable),
            100..=399 => (ErrorClass::Protocol, Reason::UnexpectedResponse),
            _ => (ErrorClass::Config, Reason::Rejected),
        };
        Self {
            class,
            reason,
            status: Some(status),
            retry_after: wait.filter(|_| class == ErrorClass::Throttled),
            detail: None,
        }
    }

    /// The same error under another class and reason, for an answer whose meaning only the
    /// provider's file knows.
    pub fn with(self, class: ErrorClass, reason: Reason) -> Self {
        Self {
            class,
            reason,
            ..self
        }
    }

    /// Whether there was an answer with this status, for those to whom it has a meaning of its own.
    pub fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status)
    }

    /// Whether it may heal by itself, as far as is known.
    pub fn is_passing(&self) -> bool {
        let is_of_moment = match self.class {
            ErrorClass::Throttled | ErrorClass::Transient | ErrorClass::UnknownOutcome => true,
            ErrorClass::Auth | ErrorClass::Config | ErrorClass::Protocol | ErrorClass::Waiting => {
                false
            }
        };
        is_of_moment && self.detail() != Some(&Detail::TooSlow)
    }

    /// Whether the failure is the account's and not one entry's: the reconcile ends here.
    pub fn is_of_account(&self) -> bool {
        match self.class {
            ErrorClass::Auth | ErrorClass::Throttled => true,
            ErrorClass::Transient | ErrorClass::UnknownOutcome => self.status.is_none(),
            ErrorClass::Waiting | ErrorClass::Config | ErrorClass::Protocol => false,
        }
    }

    /// Our own words for it, without a subject: "answered 401", "did not answer in time".
    pub fn what(&self) -> String {
        if let Some(what) = self.detail().and_then(Detail::what) {
            return what;
        }
        match (self.status, self.reason) {
            (Some(status), _) => format!("answered {}", status.as_u16()),
            (None, Reason::Timeout) => "did not answer in time".to_owned(),
            (None, Reason::NetworkError) if self.class == ErrorClass::UnknownOutcome => {
                "closed the connection before it answered".to_owned()
            }
            (None, Reason::NetworkError) => "could not be reached".to_owned(),
            (None, Reason::UnexpectedResponse) => {
                "gave an answer that was not understood".to_owned()
            }
            (None, reason) => format!("refused ({reason})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Cases: P-01, P-02, P-03, P-07, P-08, P-39
    #[rstest]
    #[case(400, ErrorClass::Config, Reason::Rejected)]
    #[case(401, ErrorClass::Auth, Reason::AuthenticationFailed)]
    #[case(402, ErrorClass::Config, Reason::Rejected)]
    #[case(403, ErrorClass::Auth, Reason::PermissionDenied)]
    #[case(404, ErrorClass::Config, Reason::TargetNotFound)]
    #[case(410, ErrorClass::Config, Reason::TargetNotFound)]
    #[case(408, ErrorClass::Transient, Reason::Timeout)]
    #[case(409, ErrorClass::Config, Reason::Rejected)]
    #[case(413, ErrorClass::Config, Reason::ValueTooLarge)]
    #[case(414, ErrorClass::Config, Reason::ValueTooLarge)]
    #[case(422, ErrorClass::Config, Reason::Rejected)]
    #[case(425, ErrorClass::Transient, Reason::ProviderUnavailable)]
    #[case(429, ErrorClass::Throttled, Reason::RateLimited)]
    #[case(500, ErrorClass::Transient, Reason::ProviderUnavailable)]
    #[case(501, ErrorClass::Config, Reason::Unsupported)]
    #[case(503, ErrorClass::Transient, Reason::ProviderUnavailable)]
    #[case(302, ErrorClass::Protocol, Reason::UnexpectedResponse)]
    fn a_status_has_one_class(
        #[case] status: u16,
        #[case] class: ErrorClass,
        #[case] reason: Reason,
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let error = ProviderError::from_status(status, &HeaderMap::new());
        assert_eq!((error.class, error.reason), (class, reason));
    }

    #[test]
    fn a_503_with_retry_after_is_throttling() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "9".parse().unwrap());
        let error = ProviderError::from_status(StatusCode::SERVICE_UNAVAILABLE, &headers);
        assert_eq!(error.class, ErrorClass::Throttled);
        assert_eq!(error.retry_after, Some(Duration::from_secs(9)));
    }

    #[test]
    fn only_a_write_has_an_unknown_outcome() {
        assert_eq!(
            ProviderError::timeout(true).class,
            ErrorClass::UnknownOutcome
        );
        assert_eq!(ProviderError::timeout(false).class, ErrorClass::Transient);
        let cut = ProviderError::from_transport(TransportError::Cut, true, "host");
        assert_eq!(cut.class, ErrorClass::UnknownOutcome);
        let refused = ProviderError::from_transport(TransportError::Connect, true, "host");
        assert_eq!(refused.class, ErrorClass::Transient);
    }

    /// Both are ProviderUnavailable without a status, and only one of them is of the provider.
    #[rstest]
    #[case(ProviderError::moved(), "changed while it was listed")]
    #[case(
        ProviderError::not_leading(),
        "was not called: another process leads, or may soon"
    )]
    fn what_was_not_answered_is_told_apart(#[case] error: ProviderError, #[case] expected: &str) {
        assert_eq!(error.what(), expected);
    }
}
