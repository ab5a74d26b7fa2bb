//! Facts beside the objects: metadata of Secrets, and events. Values are asked for only where a flag says so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Namespace, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, PartialObjectMeta},
    core::ObjectMeta,
};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Known, Reader, bounded};
use crate::{
    api::ALLOWED_PROVIDERS, cli::answer::Refusal, controller::AllowedProviders, telemetry::visible,
};

/// What the API server says of a Secret without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct SecretFact {
    /// The resource version.
    pub(in crate::cli) version: String,
    /// When it was last written.
    pub(in crate::cli) changed: Option<Timestamp>,
    /// The names of its keys, as far as their writers are recorded; sorted.
    pub(in crate::cli) keys: Vec<String>,
}

impl SecretFact {
    fn new(metadata: ObjectMeta) -> Self {
        let managed = metadata.managed_fields.unwrap_or_default();
        let times = managed
            .iter()
            .filter_map(|of| of.time.as_ref())
            .map(|time| time.0);
        let written = managed.iter().filter_map(|of| of.fields_v1.as_ref());
        // The API server notes of server-side apply what was applied, and not what it made of that.
        let maps = written.flat_map(|fields| [&fields.0["f:data"], &fields.0["f:stringData"]]);
        let keys = maps
            .filter_map(Value::as_object)
            .flat_map(serde_json::Map::keys)
            .filter_map(|key| key.strip_prefix("f:"));
        let mut keys: Vec<String> = keys.map(str::to_owned).collect();
        keys.sort_unstable();
        keys.dedup();
        let created = metadata.creation_timestamp.map(|time| time.0);
        Self {
            version: metadata.resource_version.unwrap_or_default(),
            changed: times.chain(created).max(),
            keys,
        }
    }
}

/// The values of a Secret. They are erased when they are dropped.
pub(in crate::cli) struct SecretValues {
    /// The resource version.
    pub(in crate::cli) version: String,
    /// The type of the Secret.
    pub(in crate::cli) kind: String,
    pub(in crate::cli) data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// One event of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct EventFact {
    /// When it was last seen.
    pub(in crate::cli) time: Option<Timestamp>,
    /// Normal or Warning.
    pub(in crate::cli) r#type: String,
    /// The reason.
    pub(in crate::cli) reason: String,
    /// How often it was seen.
    pub(in crate::cli) count: i32,
    /// What it says.
    pub(in crate::cli) note: String,
}

impl From<Event> for EventFact {
    fn from(event: Event) -> Self {
        let series = event.series;
        let in_series = series.as_ref().and_then(|series| series.count);
        let last = series.and_then(|series| series.last_observed_time);
        let last = last.or(event.event_time).map(|time| time.0);
        let last = last.or_else(|| event.last_timestamp.map(|time| time.0));
        Self {
            time: last.or_else(|| event.metadata.creation_timestamp.map(|time| time.0)),
            // Every user who may create events writes them, and a terminal acts on control characters.
            r#type: visible(&event.type_.unwrap_or_default()),
            reason: visible(&event.reason.unwrap_or_default()),
            count: in_series.or(event.count).unwrap_or(1),
            note: visible(&event.message.unwrap_or_default()),
        }
    }
}

impl Reader {
    /// A Secret without its values, as far as it may be read.
    pub(in crate::cli) async fn secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Known<Option<SecretFact>> {
        known(self.find_secret(namespace, name).await)
    }

    /// A Secret without its values; none if there is none.
    ///
    /// # Errors
    /// It could not be read.
    pub(in crate::cli) async fn find_secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<SecretFact>, Refusal> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let call = async {
            match api.get_metadata(name).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
                read => read.map(|secret: PartialObjectMeta<Secret>| Some(secret.metadata)),
            }
        };
        let metadata = bounded(&format!("get secret {name}"), Some(namespace), call).await?;
        Ok(metadata.map(SecretFact::new))
    }

    /// The values of a Secret; none if there is none.
    pub(in crate::cli) async fn secret_values(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<SecretValues>, Refusal> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let what = format!("get secret {name}");
        let secret = bounded(&what, Some(namespace), api.get_opt(name)).await?;
        let values = |secret: Secret| {
            let data = secret.data.unwrap_or_default().into_iter();
            SecretValues {
                version: secret.metadata.resource_version.unwrap_or_default(),
                kind: secret.type_.unwrap_or_default(),
                data: data
                    .map(|(key, value)| (key, Zeroizing::new(value.0)))
                    .collect(),
            }
        };
        Ok(secret.map(values))
    }

    /// Which providers the reader's namespace allows, by its annotation.
    ///
    /// # Errors
    /// The namespace could not be read.
    pub(in crate::cli) async fn allowed_providers(&self) -> Result<AllowedProviders, Refusal> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let read = namespaces.get_metadata(&self.namespace);
        let read = bounded("get the namespace", Some(&self.namespace), read).await?;
        let annotation = read.annotations().get(ALLOWED_PROVIDERS);
        Ok(AllowedProviders::of(annotation.map(String::as_str), false))
    }

    /// The events of an object, the newest first.
    pub(in crate::cli) async fn events(
        &self,
        namespace: &str,
        name: &str,
    ) -> Known<Vec<EventFact>> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let of = format!("involvedObject.kind=ProviderSecret,involvedObject.name={name}");
        let parameters = ListParams::default().fields(&of);
        let listed = bounded("list events", Some(namespace), api.list(&parameters)).await;
        known(listed).map(|events| {
            let mut events: Vec<EventFact> = events.items.into_iter().map(Into::into).collect();
            events.sort_by_key(|event| std::cmp::Reverse(event.time));
            events
        })
    }
}

/// What was read, or why not.
pub(in crate::cli) fn known<T>(read: Result<T, Refusal>) -> Known<T> {
    match read {
        Ok(read) => Known::Read(read),
        Err(refusal) => Known::Unread(refusal.text),
    }
}

impl<T> Known<T> {
    /// The same with what `change` makes of it.
    pub(in crate::cli) fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Read(read) => Known::Read(change(read)),
            Self::Unread(why) => Known::Unread(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_keys_of_every_writer_of_a_secret_are_known() {
        let fields = |fields: Value| json!({"fieldsType": "FieldsV1", "fieldsV1": fields});
        let metadata = json!({"managedFields": [
            fields(json!({"f:stringData": {"f:APPLIED": {}}, "f:type": {}})),
            fields(json!({"f:data": {".": {}, "f:WRITTEN": {}, "f:APPLIED": {}}})),
            {"manager": "other"},
        ]});
        let fact = SecretFact::new(serde_json::from_value(metadata).unwrap());
        assert_eq!(fact.keys, ["APPLIED", "WRITTEN"]);
    }
}
