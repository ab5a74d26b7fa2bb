//! Dereference: reads what a reconcile needs, the credential first.
//!
//! A Secret that the metadata watch does not show costs no call. A credential is read once for each
//! version of its Secret, however many objects name it.

mod failures;
mod named;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::join_all;
use zeroize::Zeroizing;

pub(crate) use self::failures::{credential_failure, source_refused};
use self::{
    failures::{not_allowed, too_much, unreadable, vanishing},
    named::{Named, named, named_together},
};
use super::desired::{MOST_VALUES, SecretData, Sources, missing, own_api_key};
use crate::{
    account::{Credential, ObjectName, Versioned},
    api::{ProviderSecretSpec, Reason, SecretKeyRef},
    controller::{
        cache::{NamedKeys, SharedSecret},
        context::Context,
        error::Failure,
        kubernetes::KubernetesError,
        object::{Versions, is_newer, object_ref},
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
    reader: &ObjectName,
    reference: &SecretKeyRef,
) -> (Result<Arc<Credential>, Failure>, Option<String>) {
    let Some(seen) = context.secrets.get(&reader.0, &reference.name) else {
        return (
            Err(credential_failure(Reason::CredentialNotFound, reference)),
            None,
        );
    };
    if !may_leave(context, &reader.0, &reference.name) {
        let failure = credential_failure(Reason::SourceNotAllowed, reference);
        return (Err(failure), None);
    }
    let slot = context.credentials.slot(&reader.0, reference);
    let mut slot = slot.lock().await;
    if slot
        .as_ref()
        .is_none_or(|known| is_newer(&seen, &known.version))
    {
        let keys = Some([reference.key.clone()].into());
        match read(context, reader, &reference.name, &keys, &seen).await {
            Ok(secret) => {
                let credential = match secret.data.get(&reference.key) {
                    _ if is_power(&secret.kind) => Err(Reason::SourceRefused),
                    _ if was_closed(context, &secret) => Err(Reason::SourceNotAllowed),
                    Some(bytes) => Credential::new(bytes).map(Arc::new),
                    None => Err(Reason::CredentialKeyMissing),
                };
                *slot = Some(Versioned {
                    credential,
                    version: secret.version.clone(),
                });
            }
            Err(KubernetesError::NotFound) => {
                let failure = Failure {
                    is_passing: true,
                    ..credential_failure(Reason::CredentialNotFound, reference)
                };
                return (Err(failure), None);
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
    reader: &ObjectName,
    spec: &ProviderSecretSpec,
) -> (Sources, Versions) {
    let credential = spec
        .provider
        .choice()
        .map(|choice| choice.api_key_secret_ref().name.as_str());
    let (held, named) = (AtomicUsize::new(0), named(spec));
    let read = join_all(spec.source_names().into_iter().map(|name| {
        let (held, named) = (&held, named.get(name));
        async move {
            let is_credential = credential == Some(name);
            let (data, version) = source(context, reader, named, name, is_credential).await;
            let size = data.as_ref().map_or(0, |data| size(data));
            let is_too_much = held.fetch_add(size, Ordering::Relaxed) + size > MOST_VALUES;
            let data = if is_too_much { Err(too_much()) } else { data };
            (name.to_owned(), data, version)
        }
    }))
    .await;
    let (mut sources, mut versions) = (Sources::default(), Versions::new());
    for (name, data, version) in read {
        versions.extend(version.map(|version| (name.clone(), version)));
        sources.insert(name, data);
    }
    (sources, versions)
}

/// How many bytes of values were read, each once, however many entries name it.
pub(crate) fn bytes_read(sources: &Sources) -> usize {
    let read = sources.values().filter_map(|data| data.as_ref().ok());
    read.map(|data| size(data)).sum()
}

/// How many bytes the values of a Secret have.
fn size(data: &BTreeMap<String, Zeroizing<Vec<u8>>>) -> usize {
    data.values().map(|value| value.len()).sum()
}

async fn source(
    context: &Context,
    reader: &ObjectName,
    named: Option<&Named>,
    name: &str,
    is_credential: bool,
) -> (SecretData, Option<String>) {
    let Some(seen) = context.secrets.get(&reader.0, name) else {
        return (Err(missing(name)), None);
    };
    if is_credential {
        return (Err(own_api_key(name)), None);
    }
    if !may_leave(context, &reader.0, name) {
        return (Err(not_allowed(name)), None);
    }
    let keys = named.and_then(Named::keys);
    match read(context, reader, name, &keys, &seen).await {
        Ok(secret) if was_closed(context, &secret) => (Err(not_allowed(name)), None),
        Ok(secret) if is_power(&secret.kind) => (
            Err(source_refused(name, &secret.kind)),
            Some(secret.version.clone()),
        ),
        Ok(secret) => {
            let data =
                named.map_or_else(|| Arc::clone(&secret.data), |named| named.of(&secret.data));
            (Ok(data), Some(secret.version.clone()))
        }
        Err(KubernetesError::NotFound) => (Err(vanishing(name)), None),
        Err(error) => (Err(unreadable(name, error)), None),
    }
}

/// Reads a Secret of the reader's namespace, or takes it as another reader has just read it.
async fn read(
    context: &Context,
    reader: &ObjectName,
    name: &str,
    keys: &NamedKeys,
    seen: &str,
) -> Result<Arc<SharedSecret>, KubernetesError> {
    let secret = (reader.0.clone(), name.to_owned());
    let readers = || context.reverse_index.objects_of(&secret);
    let named = |readers: &[ObjectName]| {
        let stored = readers.iter().map(object_ref);
        let stored = stored.filter_map(|reader| context.stored.get(&reader));
        named_together(stored.filter_map(|stored| stored.object()), name)
    };
    let (client, reads) = (&context.client, &context.secret_reads);
    reads
        .read(client, &secret, (reader, keys), seen, readers, named)
        .await
}

/// Whether the watch shows that a Secret may leave the cluster. The API key is a value like any other: it is
/// sent to whom the object names.
fn may_leave(context: &Context, namespace: &str, name: &str) -> bool {
    !context.opt_in.sources || context.secrets.is_labelled(namespace, name)
}

/// Whether a Secret was read that has lost its label since the watch showed it.
fn was_closed(context: &Context, secret: &SharedSecret) -> bool {
    context.opt_in.sources && !secret.is_labelled
}

/// Whether Secrets of a type are powers over this cluster.
pub(crate) fn is_power(kind: &str) -> bool {
    REFUSED.contains(&kind)
}
