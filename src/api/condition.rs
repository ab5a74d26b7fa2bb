//! Conditions and reasons.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The condition that sums up: every entry is acknowledged for this generation and the newest Secrets.
pub const READY: &str = "Ready";
/// The condition that is present while the operator works, retries or waits for a Secret.
pub const RECONCILING: &str = "Reconciling";
/// The condition that is present while a person must act.
pub const STALLED: &str = "Stalled";

/// The condition that is present while `spec.suspend` is true.
pub const SUSPENDED: &str = "Suspended";

/// A condition as in `metav1.Condition`, with the bounds its schema lacks.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The type of the condition: Ready, Reconciling, Stalled or Suspended.
    #[schemars(length(min = 1, max = 316))]
    pub r#type: String,

    /// Whether the condition holds: True that it does, False that it does not, Unknown that the
    /// operator cannot tell.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,

    /// A stable word for the cause.
    #[schemars(
        length(min = 1, max = 1024),
        regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    )]
    pub reason: String,

    /// One sentence: what happened, to what, and what to do.
    #[schemars(length(max = 32768))]
    pub message: String,

    /// When status last changed.
    pub last_transition_time: Time,

    /// The generation of the spec that this condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

macro_rules! reasons {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        /// A stable word for the cause of a state. It is the reason of conditions, entries and
        /// events and a metric label; words are added, never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$meta])* $name),+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word itself.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

reasons! {
    /// Every entry is acknowledged.
    Synced,
    /// The operator is at work, or the provider is still applying what it accepted.
    Progressing,
    /// As Progressing, after a failure.
    ProgressingWithRetry,
    /// `spec.suspend` is true.
    Suspended,
    /// `spec.suspend` is false again, and everything is as it was synced; the reason of an event only.
    Resumed,
    /// What would be done waits for a person's approval.
    AwaitingApproval,
    /// A source Secret does not exist.
    SecretNotFound,
    /// A key is not in its source Secret.
    KeyNotFound,
    /// The Secret of the API key does not exist.
    CredentialNotFound,
    /// The key is not in the Secret of the API key.
    CredentialKeyMissing,
    /// The API key cannot be sent: it is longer than 8,192 bytes or has a character no header may hold.
    CredentialInvalid,
    /// The provider does not accept the API key (401).
    AuthenticationFailed,
    /// The API key may not do this (403).
    PermissionDenied,
    /// The team, organization or region does not exist at the provider.
    TargetNotFound,
    /// The provider does not take this name.
    InvalidKeyName,
    /// The value, or the API key, is empty.
    EmptyValue,
    /// The value is larger than the provider takes.
    ValueTooLarge,
    /// The value is not UTF-8 text and the provider takes text only.
    InvalidEncoding,
    /// The template of an entry holds what templates may not hold.
    InvalidTemplate,
    /// The value ends in a newline, which is sent as it is; the reason of an event only.
    TrailingNewline,
    /// The value begins with a byte order mark, which is sent as it is; the reason of an event only.
    ByteOrderMark,
    /// Two entries, or an entry and something at the provider, claim one name.
    Conflict,
    /// The provider shows several secrets of this name.
    Ambiguous,
    /// The provider cannot do what the spec asks for.
    Unsupported,
    /// The spec cannot be acted on.
    InvalidSpec,
    /// The object asks for more than 500 entries, or for more than its status holds beside those that are to go.
    TooManyEntries,
    /// A Secret of this type is not sent anywhere.
    SourceRefused,
    /// A Secret lacks the label that the operator asks for.
    SourceNotAllowed,
    /// The namespace does not allow its objects to use this provider, or this endpoint of it.
    ProviderNotAllowed,
    /// The provider refused the request (400, 402, 409, 422).
    Rejected,
    /// The provider does not change what is there, and it may not be deleted and created.
    Immutable,
    /// The operator may not read a Secret or the namespace.
    Forbidden,
    /// The provider asked to slow down (429).
    RateLimited,
    /// The provider answered that it cannot (5xx).
    ProviderUnavailable,
    /// The provider did not answer in time.
    Timeout,
    /// The provider could not be reached.
    NetworkError,
    /// The endpoint shows a certificate that is not trusted, has expired or is for another host.
    CertificateNotTrusted,
    /// The provider's answer could not be understood.
    UnexpectedResponse,
    /// The Kubernetes API did not give a Secret.
    SecretUnavailable,
    /// The provider took the values and then failed to apply them.
    ProviderFailed,
    /// Another writer keeps changing what the object wrote.
    Contended,
    /// The API key belongs to another account than the one that was written to.
    AccountChanged,
    /// Another writer changed or deleted what the object wrote. It was written again.
    DriftDetected,
    /// Sources took away much of what the object wrote. Nothing is deleted until a user confirms it.
    RemovalHeld,
    /// A deleted object waits for what it wrote to be deleted.
    DeletionBlocked,
    /// Something that the object wrote, or may have written, was left at the provider.
    DeletionSkipped,
    /// What the object wrote was deleted at the provider.
    RemoteDeleted,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
