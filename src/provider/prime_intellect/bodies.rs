//! The bodies of requests and answers, under the names of the vendor's API document.

use serde::{Deserialize, Serialize};

use crate::provider::{Form, Remote, wire};

/// What is needed of whoami.
#[derive(Deserialize)]
pub(super) struct WhoAmI {
    pub(super) data: Person,
}

#[derive(Deserialize)]
pub(super) struct Person {
    pub(super) id: Option<String>,
}

/// `SecretCreateRequest`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) team_id: Option<&'a str>,
    pub(super) is_file: bool,
}

/// `SecretUpdateRequest`; a field that is absent stays as it is.
#[derive(Serialize)]
pub(super) struct Update<'a> {
    pub(super) value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
}

/// `SecretResponse`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secret {
    pub(super) id: Option<String>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) is_file: bool,
    pub(super) user_id: Option<String>,
    pub(super) team_id: Option<String>,
    pub(super) updated_at: Option<String>,
}

/// `GenericResponse[SecretResponse]`.
#[derive(Deserialize)]
pub(super) struct Wrapped {
    pub(super) data: Option<Secret>,
}

/// A page; the vendor's schema says `total_count`, its own client expects `totalCount`.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Secret>,
    pub(super) total_count: Option<usize>,
    #[serde(rename = "totalCount")]
    pub(super) total_count_camel: Option<usize>,
}

impl Page {
    pub(super) fn total(&self) -> Option<usize> {
        self.total_count.or(self.total_count_camel)
    }
}

impl From<Secret> for Remote {
    fn from(secret: Secret) -> Self {
        Self {
            name: secret.name,
            id: wire::id(secret.id),
            version: wire::version(secret.updated_at.as_deref()),
            form: Some(if secret.is_file {
                Form::File
            } else {
                Form::Text
            }),
            ..Self::default()
        }
    }
}
