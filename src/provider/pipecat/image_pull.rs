//! Image pull secrets of Pipecat Cloud: a set that is one credential for one registry.
//!
//! Such a set cannot be read by itself, so everything that is known of it comes from the list. Some
//! servers do not update one that exists (docs/vendors.md#pc-6): that is distinguished from any other
//! refusal by the list, which showed it.

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::sets::{inventory, put, sets, settled, unless_busy};
use crate::{
    api::{ProviderKind, Reason},
    http::{ApiClient, Body, Call, ErrorClass, ProviderError, Scheme},
    provider::{
        DeleteRequest, Form, Listing, ListingNeed, NamedSet, Provider, Rules, Settled, Unit, Write,
        Written, wire,
    },
};

/// The rules of image pull secrets. The set is the one entry, under its own name.
pub(crate) const RULES: Rules = Rules {
    kind: ProviderKind::Pipecat,
    scheme: Scheme::Bearer,
    unit: Unit::Each,
    listing: ListingNeed::Create,
    form: Some(Form::ImagePull),
    files: None,
    deletes_by_name: true,
    names_scope: false,
    fold: wire::unfolded,
    check_name,
};
    name_rule: "holds 3 to 63 characters",

/// An image pull secret at Pipecat Cloud.
pub(super) struct ImagePull {
    pub(super) client: ApiClient,
    pub(super) set: String,
    pub(super) region: Option<String>,
}

#[async_trait]
impl Provider for ImagePull {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        inventory(&self.client).await
    }

    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        let [entry] = entries else {
            return Err(ProviderError::config(Reason::InvalidSpec));
        };
        let Some(host) = entry.options.host.as_deref() else {
            return Err(ProviderError::config(Reason::InvalidSpec));
        };
        let call = Call {
            operation: "upsert",
            method: Method::PUT,
            path: &["v1", "secrets", &self.set],
            body: Some(Body::json(&Put {
                is_image_pull_secret: true,
                host,
                secret_value: entry.value.expose_secret(),
                region: self.region.as_deref(),
            })?),
            ..Call::default()
        };
        match put(&self.client, call).await {
            // The list showed the set, so this is an update.
            Err(error) if error.is(StatusCode::BAD_REQUEST) && entry.id.is_some() => {
                Err(error.with(ErrorClass::Config, Reason::Immutable))
            }
            answer => answer,
        }
    }

    async fn delete(&self, _entry: &DeleteRequest<'_>) -> Result<(), ProviderError> {
        wire::delete(&self.client, &["v1", "secrets", &self.set], &[])
            .await
            .map_err(unless_busy)
    }

    async fn settled(&self) -> Result<Settled, ProviderError> {
        let sets = sets(&self.client).await?;
        let set = sets.iter().find(|set| set.name == self.set);
        Ok(set.map_or(Settled::Absent, |set| settled(set.status.as_deref())))
    }

    fn set(&self) -> Option<NamedSet<'_>> {
        Some(NamedSet {
            name: &self.set,
            region: self.region.as_deref(),
        })
    }
}

/// `ImagePullSecretRequest`, with the region of the newer documents.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Put<'a> {
    is_image_pull_secret: bool,
    host: &'a str,
    secret_value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
}

/// The name of a set: 3 to 63 characters (docs/vendors.md#pc-8). What they may be is up to the schema.
fn check_name(name: &str) -> Result<(), Reason> {
    if (3..=63).contains(&name.len()) {
        Ok(())
    } else {
        Err(Reason::InvalidKeyName)
    }
}
