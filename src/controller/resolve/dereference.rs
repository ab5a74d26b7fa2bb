//! Dereference: reads what a pass needs, the credential first.
//!
//! A Secret that the metadata watch does not show costs no call. A credential is read once for each
//! version of its Secret, however many objects name it.

use std::sync::Arc;

use futures::future::join_all;

use super::desired::{SecretData, Sources, missing};
use crate::{
    account::{Credential, Versioned},
    api::{ProviderSecretSpec, Reason, SecretKeyRef},
    controller::{
        context::Context,
        error::Failure,
        kubernetes::{KubernetesError, read_secret},
        object::{Versions, is_newer},
    },
};

/// Types of Secrets that are sent nowhere: they are powers over this cluster, and no user means to
/// give those to a SaaS (docs/architecture.md#secrets-that-are-sent-nowhere).
const REFUSED: [&str; 3] = [
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
];

/// The credential of an object and the version of its Secret; the version also where the key in it
/// is missing or unusable.
pub(crate) async fn credential(
    context: &Context,
    namespace: &str,
    reference: &SecretKeyRef,
) -> (Result<Arc<Credential>, Failure>, Option<String>) {
    let Some(seen) = context.secrets.get(namespace, &reference.name) else {
        return (
            Err(credential_failure(Reason::CredentialNotFound, reference)),
            None,
        );
    };
    let slot = context.credentials.slot(namespace, reference);
    let mut slot = slot.lock().await;
    if slot
        .as_ref()
        .is_none_or(|known| is_newer(&seen, &known.version))
    {
        match read_secret(&context.client, namespace, &reference.name).await {
            Ok(secret) => {
                let credential = match secret.data.get(&reference.key) {
                    Some(bytes) => Credential::new(bytes).map(Arc::new),
                    None => Err(Reason::CredentialKeyMissing),
                };
                *slot = Some(Versioned {
                    credential,
                    version: secret.version,
                });
            }
            Err(KubernetesError::NotFound) => {
                return (
                    Err(credential_failure(Reason::CredentialNotFound, reference)),
                    None,
                );
            }
            Err(error) => return (Err(unreadable(&reference.name, error)), None),
        }
    }
    match slot.as_ref() {
        Some(known) => {
            let credential = known
                .credential
                .clone()
                .map_err(|reason| credential_failure(reason, reference));
            (credential, Some(known.version.clone()))
        }
        None => (
            Err(credential_failure(Reason::CredentialNotFound, reference)),
            None,
        ),
    }
}

/// Every source Secret that the spec names, and the versions of those that were read.
pub(crate) async fn sources(
    context: &Context,
    namespace: &str,
    spec: &ProviderSecretSpec,
) -> (Sources, Versions) {
    let credential = spec
        .provider
        .choice()
        .map(|choice| choice.api_key_secret_ref().name.as_str());
    let read = join_all(spec.source_names().into_iter().map(|name| async move {
        let is_credential = credential == Some(name);
        let (data, version) = source(context, namespace, name, is_credential).await;
        (name.to_owned(), data, version)
    }))
    .await;
    let (mut sources, mut versions) = (Sources::default(), Versions::new());
    for (name, data, version) in read {
        versions.extend(version.map(|version| (name.clone(), version)));
        sources.insert(name, data);
    }
    (sources, versions)
}

async fn source(
    context: &Context,
    namespace: &str,
    name: &str,
    is_credential: bool,
) -> (SecretData, Option<String>) {
    if context.secrets.get(namespace, name).is_none() {
        return (Err(missing(name)), None);
    }
    if is_credential {
        let message = format!(
            "Secret {name} holds the API key of this object and is not sent to the provider. Keep the values in another Secret."
        );
        return (Err(Failure::config(Reason::SourceRefused, message)), None);
    }
    match read_secret(&context.client, namespace, name).await {
        Ok(secret) if REFUSED.contains(&secret.kind.as_str()) => {
            let message = format!(
                "Secret {name} has the type {}, and such Secrets are not sent anywhere. Copy what is needed into another Secret.",
                secret.kind
            );
            (
                Err(Failure::config(Reason::SourceRefused, message)),
                Some(secret.version),
            )
        }
        Ok(secret) => (Ok(secret.data), Some(secret.version)),
        Err(KubernetesError::NotFound) => (Err(missing(name)), None),
        Err(error) => (Err(unreadable(name, error)), None),
    }
}

fn unreadable(secret: &str, error: KubernetesError) -> Failure {
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

fn credential_failure(reason: Reason, reference: &SecretKeyRef) -> Failure {
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
        _ => Failure::config(
            reason,
            format!(
                "The API key in Secret {name} key {key} is empty, too long or holds a character that no header may hold. Store the key alone."
            ),
        ),
    }
}
