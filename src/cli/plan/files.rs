//! The plans of the objects in files: thin reading around [`Proposal`].

use std::{collections::BTreeMap, sync::Arc};

use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::Value;

use super::{
    Flags, Plan,
    proposed::{Proposal, Wanted},
};
use crate::{
    account::Credential,
    api::{GROUP, ProviderSecret},
    cli::{
        answer::Refusal,
        manifests,
        read::{Reader, bounded},
    },
    controller::{Sources, desired_state},
    provider,
    validation::is_of_the_group,
};

/// The plans of all ProviderSecrets in the files of the flags.
pub(super) async fn plans(reader: &Reader, flags: &Flags) -> Result<Vec<Plan>, Refusal> {
    let mut plans = Vec::new();
    for manifest in manifests::read(&flags.files, flags.recursive)? {
        if is_of_the_group(&manifest.object) {
            plans.push(plan(reader, &manifest.object, flags.read_secrets).await?);
        }
    }
    Ok(plans)
}

async fn plan(reader: &Reader, object: &Value, reads_secrets: bool) -> Result<Plan, Refusal> {
    let namespace = object["metadata"]["namespace"].as_str();
    let reader = reader.within(namespace.unwrap_or(&reader.namespace));
    let namespace = reader.namespace.clone();
    let name = object["metadata"]["name"].as_str();
    let name = name.ok_or_else(|| Refusal::usage("an object without metadata.name has no plan"))?;
    let live = reader.find(&namespace, name).await?;
    let wanted = reader.dry_run(object, live.as_ref()).await?;
    let peers = reader.peers(&namespace, name).await;
    let read = if reads_secrets {
        reader.values(&wanted).await?
    } else {
        Read::default()
    };
    let proposal = Proposal {
        wanted: &wanted,
        live: live.as_ref(),
        peers: &peers,
        values: read.values.as_ref(),
        is_unread: read.is_unread,
        notes: &read.notes,
    };
    Ok(proposal.plan())
}

/// What the Secrets of an object give.
#[derive(Default)]
struct Read {
    /// By name at the provider; none where they were not read.
    values: Option<BTreeMap<String, Wanted>>,
    /// Whether a source could not be read, or gives nothing.
    is_unread: bool,
    /// What has to be said of them.
    notes: Vec<String>,
}

impl Reader {
    /// The object as the API server would store it if it became what the file says, with all that it checks. Not an
    /// apply: what that removes depends on who applied the object before.
    async fn dry_run(
        &self,
        file: &Value,
        live: Option<&ProviderSecret>,
    ) -> Result<ProviderSecret, Refusal> {
        let unfit = || Refusal::failed("an object in the files does not fit the resource");
        let mut object: DynamicObject =
            serde_json::from_value(file.clone()).map_err(|_| unfit())?;
        let resource = ApiResource::erase::<ProviderSecret>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let parameters = PostParams {
            dry_run: true,
            field_manager: Some(format!("{GROUP}-cli")),
        };
        let name = object.name_any();
        let stored = if let Some(live) = live {
            object.metadata = live.metadata.clone();
            let what = format!("update providersecret {name}");
            let call = api.replace(&name, &parameters, &object);
            bounded(&what, Some(&self.namespace), call).await?
        } else {
            let what = format!("create providersecret {name}");
            let call = api.create(&parameters, &object);
            bounded(&what, Some(&self.namespace), call).await?
        };
        let stored = serde_json::to_value(stored).map_err(|_| unfit())?;
        serde_json::from_value(stored).map_err(|_| unfit())
    }

    /// What the Secrets of an object give. Values leave this function as digests.
    async fn values(&self, wanted: &ProviderSecret) -> Result<Read, Refusal> {
        let Some(choice) = wanted.spec.provider.choice() else {
            return Ok(Read::default());
        };
        let is_unread;
        let mut sources = Sources::new();
        for name in wanted.spec.secret_names() {
            if let Some(data) = self.secret_values(&self.namespace, name).await? {
                sources.insert(name.to_owned(), Ok(Arc::new(data)));
            }
        }
        let reference = choice.api_key_secret_ref();
        let key = sources.get(&reference.name).and_then(|data| {
            let data = data.as_ref().ok()?;
            Credential::new(data.get(&reference.key)?).ok()
        });
        let mut notes = Vec::new();
        if key.is_none() {
            notes.push(format!(
                "there is no API key in Secret {} key {}",
                reference.name, reference.key
            ));
        }
        let key = key.map(|key| key.digest_key());
        let (uid, target) = (wanted.uid().unwrap_or_default(), choice.target());
        let rules = provider::rules(choice.kind());
        let name = wanted.name_any();
        let values = match desired_state(&wanted.spec, &name, &sources, rules) {
            Ok(desired) => {
                is_unread = !desired.unread.is_empty();
                notes.extend(desired.unread.into_iter().map(|failure| failure.message));
                let entries = desired.entries.into_iter().map(|entry| {
                    let wanted = if let Err(failure) = &entry.value {
                        Wanted::Refused(failure.reason)
                    } else {
                        let key = key.as_ref();
                        Wanted::Digest(key.and_then(|key| entry.digest(key, &uid, &target)))
                    };
                    (entry.name, wanted)
                });
                entries.collect()
            }
            Err(failure) => {
                let names = wanted.spec.explicit_names(&name).into_iter();
                let refused = names.map(|name| (name.to_owned(), Wanted::Refused(failure.reason)));
                let refused = refused.collect();
                is_unread = true;
                notes.push(failure.message);
                refused
            }
        };
        Ok(Read {
            values: Some(values),
            is_unread,
            notes,
        })
    }
}
