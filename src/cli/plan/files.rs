//! The plans of the objects in files: thin reading around [`plans`](super::proposed::plans).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _, api::PostParams};
use serde_json::Value;

use super::{
    Flags, Plan,
    document::{Document, Wanted},
    proposed,
};
use crate::{
    account::{Credential, DigestKey},
    api::{GROUP, ProviderSecret, Reason, SecretKeyRef},
    cli::{
        answer::Refusal,
        flags::Scope,
        manifests::{self, Manifest},
        peer::Peer,
        read::{Known, Reader, SecretValues, Visible, bounded, is_of_kind},
        view::{namespaced_name, path_name},
    },
    controller::{
        Failure, SecretData, Sources, credential_failure, desired_state, is_power, source_refused,
        unread_sources,
    },
    provider,
    validation::is_of_the_group,
};

/// The plans of all ProviderSecrets in the files of the flags.
pub(super) async fn plans(reader: &Reader, flags: &Flags) -> Result<Vec<Plan>, Refusal> {
    let manifests = manifests::read(&flags.files, flags.recursive)?;
    let namespaces = namespaces(&manifests);
    let mut run = Vec::new();
    for manifest in manifests.iter().filter(|of| is_of_the_group(&of.object)) {
        let read = document(reader, &manifest.object, &namespaces, flags.read_secrets);
        run.push(read.await?);
    }
    let places: Vec<_> = run
        .iter()
        .map(|document| namespaced_name(&document.wanted))
        .collect();
    let others = others(reader, &places).await;
    Ok(proposed::plans(&run, &others, Timestamp::now()))
}

/// The objects that none of the files replaces: of all namespaces, else of those of the files where the user may not list
/// all.
async fn others(reader: &Reader, places: &[(String, String)]) -> Visible<Peer> {
    let to_peer = |object: ProviderSecret| Peer::of(&object);
    let unread = |refusal: Refusal| Visible::whole(Known::Unread(refusal.text));
    let (mut peers, narrowed) = match reader.each(&Scope::everywhere(), to_peer).await {
        Ok(all) => (all, None),
        Err(refusal) if refusal.is_forbidden => (Vec::new(), Some(refusal.text)),
        Err(refusal) => return unread(refusal),
    };
    if narrowed.is_some() {
        let namespaces: BTreeSet<&str> = places.iter().map(|(of, _)| &**of).collect();
        for namespace in namespaces {
            let reader = reader.within(namespace);
            match reader.each(&Scope::default(), to_peer).await {
                Ok(found) => peers.extend(found),
                Err(refusal) => return unread(refusal),
            }
        }
    }
    peers.retain(|peer| !places.contains(&(peer.namespace.clone(), peer.name.clone())));
    Visible {
        found: Known::Read(peers),
        narrowed,
    }
}

/// The names of the namespaces that the files make.
fn namespaces(manifests: &[Manifest]) -> BTreeSet<&str> {
    let objects = manifests.iter().map(|manifest| &manifest.object);
    let namespaces = objects.filter(|of| of["apiVersion"] == "v1" && of["kind"] == "Namespace");
    namespaces
        .filter_map(|of| of["metadata"]["name"].as_str())
        .collect()
}

async fn document(
    reader: &Reader,
    object: &Value,
    namespaces: &BTreeSet<&str>,
    reads_secrets: bool,
) -> Result<Document, Refusal> {
    let namespace = object["metadata"]["namespace"].as_str();
    let namespace = namespace.filter(|namespace| !namespace.is_empty());
    let reader = reader.within(path_name(namespace.unwrap_or(&reader.namespace))?);
    let name = object["metadata"]["name"].as_str();
    let name = name.ok_or_else(|| Refusal::usage("an object without metadata.name has no plan"))?;
    let name = path_name(name)?;
    let live = reader.find(&reader.namespace, name).await?;
    let is_made = namespaces.contains(&*reader.namespace);
    let Some(wanted) = reader.dry_run(object, name, live.as_ref(), is_made).await? else {
        let note = format!(
            "namespace {} is not there yet: what the API server refuses of the object is not known, nor what its Secrets give",
            reader.namespace
        );
        let mut object = object.clone();
        object["metadata"]["namespace"] = reader.namespace.into();
        return Ok(Document {
            notes: vec![note],
            ..Document::new(decoded(object)?, None)
        });
    };
    let document = Document::new(wanted, live);
    let document = if reads_secrets {
        reader.with_values(document).await?
    } else {
        document.refused_by_spec()
    };
    Ok(match reader.not_allowed(&document.wanted).await {
        Some(failure) => document.refused(&failure),
        None => document,
    })
}

fn unfit() -> Refusal {
    Refusal::failed("an object in the files does not fit the resource")
}

fn decoded(object: Value) -> Result<ProviderSecret, Refusal> {
    serde_json::from_value(object).map_err(|_| unfit())
}

impl Reader {
    /// The object as the API server would store it if it became what the file says, with all that it checks; none where
    /// its namespace is not there and the files make it. Not an apply: what that removes depends on who applied the
    /// object before.
    async fn dry_run(
        &self,
        file: &Value,
        name: &str,
        live: Option<&ProviderSecret>,
        is_namespace_made: bool,
    ) -> Result<Option<ProviderSecret>, Refusal> {
        let resource =
            kube::core::Request::new(ProviderSecret::url_path(&(), Some(&self.namespace)));
        let parameters = PostParams {
            dry_run: true,
            field_manager: Some(format!("{GROUP}-cli")),
        };
        let mut object = file.clone();
        let (verb, request) = if let Some(live) = live {
            let known = serde_json::to_value(&live.metadata).map_err(|_| unfit())?;
            for (field, value) in known.as_object().into_iter().flatten() {
                object["metadata"][field] = value.clone();
            }
            let body = object.to_string().into_bytes();
            ("update", resource.replace(name, &parameters, body))
        } else {
            let body = object.to_string().into_bytes();
            ("create", resource.create(&parameters, body))
        };
        let mut request = request.map_err(|_| unfit())?;
        // As kubectl apply does it: else the API server drops fields that it does not know.
        let strict = format!("{}&fieldValidation=Strict", request.uri());
        *request.uri_mut() = strict.parse().map_err(|_| unfit())?;
        let call = async {
            match self.client.request::<Value>(request).await {
                Err(kube::Error::Api(status))
                    if status.code == 404 && is_namespace_made && !is_of_kind(&status.message) =>
                {
                    Ok(None)
                }
                answered => answered.map(Some),
            }
        };
        let what = format!("{verb} providersecret {name}");
        let stored = bounded(&what, Some(&self.namespace), call).await?;
        stored.map(decoded).transpose()
    }

    /// Why the namespace does not allow the object to use its provider; none where that cannot be seen.
    async fn not_allowed(&self, object: &ProviderSecret) -> Option<Failure> {
        let choice = object.spec.provider.choice()?;
        let allowed = self.allowed_providers().await.ok()?;
        let refusal = allowed.refusal(choice, &self.namespace);
        refusal.filter(|_| !object.spec.is_suspended())
    }

    /// The same with what the Secrets of the object give. Values leave this function as digests.
    async fn with_values(&self, document: Document) -> Result<Document, Refusal> {
        let wanted = &document.wanted;
        let Some(choice) = wanted.spec.provider.choice() else {
            return Ok(document);
        };
        let (mut sources, mut versions) = (Sources::new(), BTreeMap::new());
        for name in wanted.spec.secret_names() {
            if let Some(secret) = self.secret_values(&self.namespace, name).await? {
                versions.insert(name.to_owned(), secret.version.clone());
                sources.insert(name.to_owned(), source(name, secret));
            }
        }
        let reference = choice.api_key_secret_ref();
        if matches!(sources.get(&reference.name), Some(Err(_))) {
            let failure = credential_failure(Reason::SourceRefused, reference);
            return Ok(document.refused(&failure));
        }
        let former = document.former_key();
        if let Some(SecretKeyRef { name, .. }) = former
            && let Ok(Some(secret)) = self.secret_values(&self.namespace, name).await
        {
            sources.insert(name.clone(), source(name, secret));
        }
        let key = digest_key(&sources, reference);
        let mut notes = document.notes.clone();
        if key.is_none() {
            notes.push(format!(
                "there is no API key in Secret {} key {}",
                reference.name, reference.key
            ));
        }
        let former = former.and_then(|former| digest_key(&sources, former));
        let made_with = document.key_fingerprint();
        let is_of_records =
            |key: &DigestKey| made_with.is_none_or(|made_with| made_with == key.key_id());
        let has_key = key.is_some();
        let key = key.into_iter().chain(former).find(is_of_records);
        if has_key && key.is_none() {
            let note = "the API key is another one than at the last write: whether a value differs is not known";
            notes.push(note.to_owned());
        }
        let (uid, target) = (wanted.uid().unwrap_or_default(), choice.target());
        let rules = provider::rules(choice.kind());
        let name = wanted.name_any();
        sources.extend(unread_sources(&wanted.spec));
        match desired_state(&wanted.spec, &name, &sources, rules) {
            Ok(desired) => {
                let unread: BTreeSet<usize> = desired.unread.keys().copied().collect();
                notes.extend(desired.unread.into_values().map(|failure| failure.message));
                let entries = desired.entries.into_iter().map(|entry| {
                    let wanted = if let Err(failure) = &entry.value {
                        Wanted::Refused(failure.reason)
                    } else {
                        let key = key.as_ref();
                        Wanted::Digest(key.and_then(|key| entry.digest(key, &uid, &target)))
                    };
                    (entry.name, wanted)
                });
                Ok(Document {
                    values: Some(entries.collect()),
                    versions,
                    is_blocked: !unread.is_empty(),
                    unread,
                    notes,
                    ..document
                })
            }
            Err(failure) => {
                let document = Document { notes, ..document };
                Ok(document.refused(&failure))
            }
        }
    }
}

/// A Secret as a source, or why it is none, as the operator judges it.
fn source(name: &str, secret: SecretValues) -> SecretData {
    if is_power(&secret.kind) {
        Err(source_refused(name, &secret.kind))
    } else {
        Ok(Arc::new(secret.data))
    }
}

/// What digests are made with under the API key that a reference names; none where there is no usable one.
fn digest_key(sources: &Sources, reference: &SecretKeyRef) -> Option<DigestKey> {
    let data = sources.get(&reference.name)?.as_ref().ok()?;
    let credential = Credential::new(data.get(&reference.key)?).ok()?;
    Some(credential.digest_key())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::cli::tests::samples::{answering, object, provider};

    /// The types of the Secrets of the API key and of the value.
    #[rstest]
    #[case::api_key(["kubernetes.io/service-account-token", "Opaque"], true)]
    #[case::value(["Opaque", "helm.sh/release.v1"], false)]
    #[tokio::test]
    async fn a_secret_that_the_operator_sends_nowhere_gives_no_value(
        #[case] kinds: [&str; 2],
        #[case] is_blocked: bool,
    ) {
        let secret = |kind: &str| {
            let metadata = json!({"namespace": "ml", "name": "any"});
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": kind,
                "metadata": metadata, "data": {"token": "a2V5"},
            });
            (200, secret)
        };
        let spec = json!({
            "provider": provider("baseten", "api"),
            "data": [{"name": "A", "secretKeyRef": {"name": "values", "key": "token"}}],
        });
        let document = Document::new(object("ml/object", spec, json!({})), None);
        let reader = answering(Vec::from(kinds.map(secret)));
        let document = reader.with_values(document).await.unwrap();
        let refused = Wanted::Refused(Reason::SourceRefused);
        let expected = BTreeMap::from([("A".to_owned(), refused)]);
        assert_eq!(document.values, Some(expected));
        assert_eq!(document.is_blocked, is_blocked);
    }
}
