//! Why a Secret cannot be used, in words for the user who named it.

use crate::{
    api::{ALLOW, Reason, SecretKeyRef},
    controller::{error::Failure, kubernetes::KubernetesError, resolve::desired::missing},
};

/// The values of an object are too large together.
pub(super) fn too_much() -> Failure {
    let message = "The values that this object names have more than 32 MiB together. Split the object into several.";
    Failure::config(Reason::ValueTooLarge, message)
}

/// A Secret that the watch shows and that is gone. It may be back in a moment; else the watch says so.
pub(super) fn vanishing(secret: &str) -> Failure {
    Failure {
        is_passing: true,
        ..missing(secret)
    }
}

/// A Secret that lacks the label. What was made from it stays at the provider, and its records stay.
pub(super) fn not_allowed(secret: &str) -> Failure {
    let message = format!(
        "Secret {secret} has no label {ALLOW}=true, without which this operator reads and sends no Secret. Set it if the values may leave the cluster; what was sent before stays at the provider."
    );
    Failure::config(Reason::SourceNotAllowed, message)
}

/// A source of a type that is sent nowhere.
pub(crate) fn source_refused(secret: &str, kind: &str) -> Failure {
    let message = format!(
        "Secret {secret} has the type {kind}, and such Secrets are not sent anywhere. Copy what is needed into another Secret."
    );
    Failure::config(Reason::SourceRefused, message)
}

/// A Secret that could not be read.
pub(super) fn unreadable(secret: &str, error: KubernetesError) -> Failure {
    if error == KubernetesError::Forbidden {
        let message = format!(
            "The operator may not read Secret {secret}. Grant its ServiceAccount the verb get on Secrets in this namespace."
        );
        Failure::transient(Reason::Forbidden, message)
    } else {
        let message =
            format!("The Kubernetes API did not give Secret {secret}. It is tried again.");
        Failure::transient(Reason::SecretUnavailable, message)
    }
}

/// Why a Secret gives no API key.
pub(crate) fn credential_failure(reason: Reason, reference: &SecretKeyRef) -> Failure {
    let SecretKeyRef { name, key } = reference;
    match reason {
        Reason::CredentialNotFound => Failure::waiting(
            reason,
            format!(
                "Secret {name} with the API key does not exist. It is used as soon as it does."
            ),
        ),
        Reason::CredentialKeyMissing => Failure::waiting(
            reason,
            format!(
                "Secret {name} has no key {key} with the API key. It is used as soon as it has."
            ),
        ),
        Reason::SourceRefused => Failure::config(
            reason,
            format!(
                "Secret {name} holds a power over this cluster and no API key, so it is sent nowhere. Keep the API key in a Secret of its own."
            ),
        ),
        Reason::SourceNotAllowed => Failure::config(
            reason,
            format!(
                "Secret {name} with the API key has no label {ALLOW}=true, without which this operator reads and sends no Secret. Set it if the key may be sent to the provider."
            ),
        ),
        Reason::EmptyValue => Failure::waiting(
            reason,
            format!(
                "The API key in Secret {name} key {key} is empty. It is used as soon as it is filled."
            ),
        ),
        _ => Failure::config(
            reason,
            format!(
                "The API key in Secret {name} key {key} is too long or holds a character that no header may hold. Store the key alone."
            ),
        ),
    }
}
