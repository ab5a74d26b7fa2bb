//! The bodies of requests and answers, under the names of the vendor's API document.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    http::ProviderError,
    provider::{
        Form, Remote,
        wire::{self, Rest},
    },
};

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
    #[serde(default)]
    pub(super) team_id: Team,
    pub(super) updated_at: Option<String>,
}

/// What an answer says of a secret's team.
#[derive(Default)]
pub(super) enum Team {
    /// The field is not there (docs/vendors.md#pi-2): it is of the scope that was asked for.
    #[default]
    NotSaid,
    /// Null: it is a personal secret.
    Personal,
    /// The id of the team.
    Of(String),
}

impl<'de> Deserialize<'de> for Team {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let team = Option::deserialize(deserializer)?;
        Ok(team.map_or(Self::Personal, Self::Of))
    }
}

impl Secret {
    /// Whether it is in the scope that was asked for: a team, or the user where there is none.
    pub(super) fn is_of(&self, team: Option<&str>) -> bool {
        match &self.team_id {
            Team::NotSaid => true,
            Team::Personal => team.is_none(),
            Team::Of(id) => team == Some(id),
        }
    }
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
    #[serde(default)]
    limit: Value,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

impl Page {
    pub(super) fn total(&self) -> Option<usize> {
        self.total_count.or(self.total_count_camel)
    }

    /// How many secrets the server shows on a page at most, where it says so.
    pub(super) fn limit(&self) -> Option<usize> {
        usize::try_from(self.limit.as_u64()?).ok()
    }
}

impl TryFrom<Secret> for Remote {
    type Error = ProviderError;

    fn try_from(secret: Secret) -> Result<Self, ProviderError> {
        Ok(Self {
            name: secret.name,
            id: Some(wire::required_id(secret.id)?),
            version: wire::version(secret.updated_at.as_deref()),
            form: Some(if secret.is_file {
                Form::File
            } else {
                Form::Text
            }),
            ..Self::default()
        })
    }
}
