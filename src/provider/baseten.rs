//! Baseten: <https://docs.baseten.co/reference/management-api>. What is known of it beyond that is
//! in docs/vendors.md#baseten.
//!
//! The write is an upsert by name. Baseten folds names: every character that is not a letter or a
//! digit is the same one (docs/vendors.md#ba-1).

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    AccountSpec, Choice, DeleteAnswer, DeleteRequest, Descriptor, Listing, ListingNeed,
    OtherScheme, Provider, Remote, Rules, Unit, Write, Written,
    wire::{self, Pages, Rest},
};
use crate::{
    api::{self, ProviderKind, Reason, SecretKeyRef},
    http::{ApiClient, Body, Call, Concerns, ErrorClass, ProviderError, Scheme},
};

/// The descriptor of Baseten.
pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    kind: ProviderKind::Baseten,
    name: "Baseten",
    flag: "baseten",
    endpoints: &[(Choice::DEFAULT_ENDPOINT, "https://api.baseten.co")],
    // The vendor's newer clients send it and call the other legacy (docs/vendors.md#ba-11).
    other_scheme: Some(OtherScheme {
        flag: "baseten-authorization",
        variable: "PROVIDER_SECRETS_BASETEN_AUTHORIZATION",
        scheme: Scheme::Bearer,
    }),
    rules: &RULES,
    advice: &[(
        Reason::TargetNotFound,
        "Check that teamId is right and that the key belongs to that team.",
    )],
    after_rotation: None,
    managed: &[],
    account: |spec| Some(spec.baseten.as_deref()?),
};

/// The rules of Baseten.
const RULES: Rules = Rules {
    kind: ProviderKind::Baseten,
    scheme: Scheme::ApiKey,
    unit: Unit::Each,
    listing: ListingNeed::Never,
    form: None,
    files: None,
    deletes_by_name: true,
    names_scope: true,
    fold,
    name_rule: "holds letters, digits, `-`, `.` and `_` only, 1 to 253 of them, and is not `.` or `..`",
    check_name,
};

impl AccountSpec for api::Baseten {
    fn api_key_secret_ref(&self) -> &SecretKeyRef {
        &self.api_key_secret_ref
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn scope_field(&self) -> Option<&str> {
        self.team_id.as_deref()
    }

    fn connect(&self, _object: &str, client: ApiClient) -> Box<dyn Provider> {
        Box::new(Baseten {
            client,
            team_id: self.team_id.clone(),
            teams: OnceCell::new(),
        })
    }
}

/// A workspace or a team at Baseten.
struct Baseten {
    client: ApiClient,
    team_id: Option<String>,
    /// What came of the question for the teams, which all deletions of a reconcile share.
    teams: OnceCell<Result<Vec<Team>, ProviderError>>,
}

impl Baseten {
    fn collection(&self) -> Vec<&str> {
        match &self.team_id {
            Some(team) => vec!["v1", "teams", team, "secrets"],
            None => vec!["v1", "secrets"],
        }
    }

    /// Every team that the key sees.
    async fn teams(&self, call: Call<'_>) -> Result<Vec<Team>, ProviderError> {
        let mut pages = Pages::of(&self.client);
        let Teams { teams, rest } = pages.read(call).await?;
        pages.end(&rest, teams.len())?;
        Ok(teams)
    }

    /// The id of the only team of this name: names are not unique (docs/vendors.md#ba-4).
    async fn team_named(&self, name: &str) -> Result<String, ProviderError> {
        let call = Call {
            operation: "teams",
            path: &["v1", "teams"],
            concerns: Concerns::Question,
            ..Call::default()
        };
        let teams = self.teams.get_or_init(|| self.teams(call)).await;
        let teams = teams.as_ref().map_err(|error| match error.status {
            // The key may write and delete all the same: only what needs the name of a team fails.
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                error.clone().with(ErrorClass::Config, Reason::Rejected)
            }
            _ => error.clone(),
        })?;
        let mut named = teams.iter().filter(|team| team.name == name);
        match (
            named
                .next()
                .and_then(|team| wire::id(wire::text(team.id.clone()))),
            named.next(),
        ) {
            (Some(id), None) => Ok(id),
            _ => Err(ProviderError::config(Reason::Ambiguous)),
        }
    }
}

#[async_trait]
impl Provider for Baseten {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        let call = Call {
            operation: "list",
            path: &self.collection(),
            ..Call::default()
        };
        let mut pages = Pages::of(&self.client);
        let Listed { secrets, rest } = pages.read(call).await?;
        pages.end(&rest, secrets.len())?;
        Ok(Listing {
            remotes: secrets.into_iter().map(Remote::from).collect(),
            scope: self.team_id.clone(),
            ..Listing::default()
        })
    }

    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        let Some(entry) = entries.first() else {
            return Ok(Written::default());
        };
        let call = Call {
            operation: "upsert",
            method: Method::POST,
            path: &self.collection(),
            body: Some(Body::json(&Upsert::new(entry.name, entry.value))?),
            ..Call::default()
        };
        let secret: Secret = wire::decoded(&self.client.call(call).await?)?;
        let remote = Remote::from(secret);
        Ok(Written {
            id: remote.id,
            version: remote.version,
            scope: self.team_id.clone(),
        })
    }

    /// Without a team, a write goes to the primary team and a deletion by name to the default team,
    /// which may be another (docs/vendors.md#ba-3). So the team that the listing shows is
    /// named; where it shows none, the name must be the only one of all teams (see the caller).
    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        let team = match (
            &self.team_id,
            entry.shown.and_then(|shown| shown.team.as_deref()),
        ) {
            (Some(team), _) => Some(team.clone()),
            (None, Some(name)) => Some(self.team_named(name).await?),
            (None, None) => None,
        };
        let path = match &team {
            Some(team) => vec!["v1", "teams", team, "secrets", entry.name],
            None => vec!["v1", "secrets", entry.name],
        };
        wire::delete(&self.client, &path, &[]).await
    }

    /// Without a team (docs/vendors.md#ba-2).
    fn spans_teams(&self) -> bool {
        self.team_id.is_none()
    }

    async fn scope(&self) -> Result<Option<String>, ProviderError> {
        if self.team_id.is_some() {
            return Ok(self.team_id.clone());
        }
        let call = Call {
            operation: "teams",
            path: &["v1", "teams"],
            concerns: Concerns::Nothing,
            ..Call::default()
        };
        let teams = self.teams(call).await?;
        Ok(match <[Team; 1]>::try_from(teams) {
            Ok([only]) => wire::id(wire::text(only.id)),
            // Which of several is the primary one is not said.
            Err(_) => None,
        })
    }
}

/// `UpsertSecretRequestV1`.
#[derive(Serialize)]
struct Upsert<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Upsert<'a> {
    fn new(name: &'a str, value: &'a SecretString) -> Self {
        Self {
            name,
            value: value.expose_secret(),
        }
    }
}

/// `SecretV1`; `id` and `team_name` may be absent, and no document says what they are (docs/vendors.md#ba-10).
#[derive(Deserialize)]
struct Secret {
    name: String,
    created_at: Option<Value>,
    id: Option<Value>,
    team_name: Option<Value>,
}

#[derive(Deserialize)]
struct Teams {
    teams: Vec<Team>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct Team {
    id: Option<Value>,
    name: String,
}

#[derive(Deserialize)]
struct Listed {
    secrets: Vec<Secret>,
    #[serde(flatten)]
    rest: Rest,
}

impl From<Secret> for Remote {
    fn from(secret: Secret) -> Self {
        Self {
            name: secret.name,
            id: wire::id(wire::text(secret.id)),
            version: wire::version(wire::text(secret.created_at).as_deref()),
            team: wire::text(secret.team_name),
            ..Self::default()
        }
    }
}

fn fold(name: &str) -> String {
    name.chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect()
}

/// The rule for names that are used at build time, held for all (docs/vendors.md#ba-9).
fn check_name(name: &str) -> Result<(), Reason> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_name = (1..=253).contains(&name.len())
        && name.bytes().all(is_plain)
        && !matches!(name, "." | "..");
    if is_name {
        Ok(())
    } else {
        Err(Reason::InvalidKeyName)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("hf-token", "hf_token")]
    #[case("hf.token", "hf_token")]
    #[case("HF_TOKEN", "HF_TOKEN")]
    fn names_fold_as_baseten_folds_them(#[case] name: &str, #[case] folded: &str) {
        assert_eq!(fold(name), folded);
    }

    #[rstest]
    #[case("a", true)]
    #[case("..", false)]
    #[case("a/b", false)]
    #[case("", false)]
    fn names_are_checked(#[case] name: &str, #[case] accepted: bool) {
        assert_eq!(check_name(name).is_ok(), accepted);
    }
}
