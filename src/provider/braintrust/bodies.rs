//! The bodies of requests and answers, under the names of the vendor's API document.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    http::ProviderError,
    provider::{
        Remote,
        wire::{self, Rest},
    },
};

/// `CreateAISecret`, also the body of PUT and, with fewer fields, of PATCH. `secret` is never left
/// out: without it the request would succeed and change nothing (docs/vendors.md#bt-3).
#[derive(Serialize)]
pub(super) struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<&'a Map<String, Value>>,
    pub(super) secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) org_name: Option<&'a str>,
}

/// `AISecret`; `secret_updated_at` is absent on older servers (docs/vendors.md#bt-7).
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are Braintrust's")]
pub(super) struct Secret {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) org_id: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) secret_updated_at: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) objects: Vec<Secret>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

impl TryFrom<Secret> for Remote {
    type Error = ProviderError;

    fn try_from(secret: Secret) -> Result<Self, ProviderError> {
        let version = secret
            .secret_updated_at
            .as_deref()
            .or(secret.updated_at.as_deref());
        Ok(Self {
            id: Some(wire::required_id(secret.id)?),
            version: wire::version(version),
            name: secret.name,
            ..Self::default()
        })
    }
}
