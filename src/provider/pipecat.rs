//! Pipecat Cloud: <https://docs.pipecat.ai/deployment/pipecat-cloud/rest-reference> (seed
//! pipecat-put).
//!
//! One object writes one secret set. PUT merges keys (very likely, not stated), so all wanted keys
//! are sent each time: right under merge and under replace. What is accepted is applied later: the
//! set is `pending` until it is `ready` (providers.md 3.2, traps 1 and 2).

mod image_pull;

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::image_pull::ImagePull;
#[cfg(test)]
pub(crate) use self::image_pull::RULES as IMAGE_PULL_RULES;
use super::{
    AccountSpec, Choice, DeleteRequest, Descriptor, Form, Listing, ListingNeed, ManagedOption,
    NamedSet, Provider, Remote, Rules, Settled, Unit, Write, Written, wire,
};
use crate::{
    api::{self, ImagePullSecret, ProviderKind, Reason, ReplaceImagePullSecret, SecretKeyRef},
    http::{Body, Call, ErrorClass, ProviderError, Scheme, Session},
};

/// The descriptor of Pipecat Cloud.
pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    kind: ProviderKind::Pipecat,
    name: "Pipecat",
    flag: "pipecat",
    endpoints: &[(Choice::DEFAULT_ENDPOINT, "https://api.pipecat.daily.co")],
    rules: &RULES,
    advice: &[
        (
            Reason::AuthenticationFailed,
            "Check that it is an active private key; a public key only starts sessions.",
        ),
        (
            Reason::Rejected,
            "Check region, the name and the value of the entry.",
        ),
        (
            Reason::Immutable,
            "It does not change an image pull secret that exists: set replaceImagePullSecret to Recreate, or use another setName.",
        ),
    ],
    managed: &[ManagedOption {
        name: "host",
        value: |options| options.host.clone().map(Value::from),
    }],
    account: |spec| Some(&**spec.pipecat.as_ref()?),
};

/// The rules of Pipecat Cloud.
const RULES: Rules = Rules {
    kind: ProviderKind::Pipecat,
    scheme: Scheme::Bearer,
    unit: Unit::Set,
    listing: ListingNeed::FirstWrite,
    form: Some(Form::Text),
    files: None,
    deletes_by_name: true,
    names_scope: false,
    fold: wire::unfolded,
    check_name,
};

impl AccountSpec for api::Pipecat {
    fn api_key_secret_ref(&self) -> &SecretKeyRef {
        &self.api_key_secret_ref
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn scope_field(&self) -> Option<&str> {
        // The key decides on the organization. A set is a name in it and no scope.
        None
    }

    fn connect(&self, object: &str, session: Session) -> Box<dyn Provider> {
        let (set, region) = (name_of_set(self, object).to_owned(), self.region.clone());
        if self.image_pull_secret.is_some() {
            Box::new(ImagePull {
                session,
                set,
                region,
            })
        } else {
            Box::new(Pipecat {
                session,
                set,
                region,
            })
        }
    }

    fn set_name<'a>(&'a self, object: &'a str) -> Option<&'a str> {
        Some(name_of_set(self, object))
    }

    fn image_pull_secret(&self) -> Option<&ImagePullSecret> {
        self.image_pull_secret.as_ref()
    }

    fn may_recreate(&self) -> bool {
        self.replace_image_pull_secret == Some(ReplaceImagePullSecret::Recreate)
    }
}

/// The name of the set that the object named `object` writes to.
fn name_of_set<'a>(spec: &'a api::Pipecat, object: &'a str) -> &'a str {
    spec.set_name.as_deref().unwrap_or(object)
}

/// A secret set at Pipecat Cloud.
struct Pipecat {
    session: Session,
    set: String,
    region: Option<String>,
}

impl Pipecat {
    /// The set by itself; none if it does not exist.
    async fn get(&self) -> Result<Option<Set>, ProviderError> {
        let call = Call {
            operation: "get",
            path: &["v1", "secrets", &self.set],
            ..Call::default()
        };
        match self.session.call(call).await {
            Ok(answer) => answer.json().map(Some),
            Err(error) if error.is(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Provider for Pipecat {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        inventory(&self.session).await
    }

    async fn members(&self) -> Result<Option<Vec<String>>, ProviderError> {
        let Some(set) = self.get().await? else {
            return Ok(None);
        };
        // An answer without the list tells nothing: least of all that there are no keys.
        let fields = set.secrets.ok_or_else(ProviderError::protocol)?.into_iter();
        Ok(Some(fields.map(|field| field.field_name).collect()))
    }

    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        let secrets = entries
            .iter()
            .map(|entry| Pair {
                secret_key: entry.name,
                secret_value: entry.value.expose_secret(),
            })
            .collect();
        let call = Call {
            operation: "upsert",
            method: Method::PUT,
            path: &["v1", "secrets", &self.set],
            body: Some(Body::json(&Put {
                secrets,
                region: self.region.as_deref(),
            })?),
            ..Call::default()
        };
        put(&self.session, call).await
    }

    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<(), ProviderError> {
        let path = ["v1", "secrets", &self.set, entry.name];
        let gone = wire::delete(&self.session, &path, &[]).await;
        gone.map_err(unless_busy)
    }

    async fn delete_set(&self) -> Result<(), ProviderError> {
        let gone = wire::delete(&self.session, &["v1", "secrets", &self.set], &[]).await;
        gone.map_err(unless_busy)
    }

    async fn settled(&self) -> Result<Settled, ProviderError> {
        // Accepted and not yet shown, or gone since: either way it is not ready.
        let Some(set) = self.get().await? else {
            return Ok(Settled::Pending);
        };
        Ok(set.settled())
    }

    fn set(&self) -> Option<NamedSet<'_>> {
        Some(NamedSet {
            name: &self.set,
            region: self.region.as_deref(),
        })
    }
}

/// Every set of the organization.
async fn sets(session: &Session) -> Result<Vec<Set>, ProviderError> {
    let call = Call {
        operation: "list",
        path: &["v1", "secrets"],
        ..Call::default()
    };
    let listed: Listed = session.call(call).await?.json()?;
    Ok(listed.sets)
}

async fn inventory(session: &Session) -> Result<Listing, ProviderError> {
    Ok(Listing {
        remotes: sets(session).await?.into_iter().map(Remote::from).collect(),
        scope: None,
    })
}

/// Sends a PUT.
async fn put(session: &Session, call: Call<'_>) -> Result<Written, ProviderError> {
    match session.call(call).await {
        // 200 in the seed and 202 in newer documents, whose members differ. A page of somebody in
        // between is no answer of Pipecat's.
        Ok(answer) => answer
            .json()
            .map(|_: Map<String, Value>| Written::default()),
        Err(error) => Err(unless_busy(error)),
    }
}

/// A change of the same set is under way; it ends by itself (providers.md 3.2, trap 7).
fn unless_busy(error: ProviderError) -> ProviderError {
    if error.is(StatusCode::CONFLICT) {
        error.with(ErrorClass::Transient, Reason::ProviderUnavailable)
    } else {
        error
    }
}

/// `RegularSecretsRequest`, with the region of the newer documents.
#[derive(Serialize)]
struct Put<'a> {
    secrets: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pair<'a> {
    secret_key: &'a str,
    secret_value: &'a str,
}

#[derive(Deserialize)]
struct Listed {
    sets: Vec<Set>,
}

/// A set in the list (with a name and a type) or by itself (without).
#[derive(Deserialize)]
struct Set {
    #[serde(default)]
    name: String,
    r#type: Option<String>,
    region: Option<String>,
    status: Option<String>,
    secrets: Option<Vec<Field>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    field_name: String,
}

impl Set {
    fn settled(&self) -> Settled {
        match self.status.as_deref() {
            // An older server has no status: what it accepted is there.
            None | Some("ready") => Settled::Ready,
            Some("failed") => Settled::Failed,
            Some(_) => Settled::Pending,
        }
    }
}

impl From<Set> for Remote {
    fn from(set: Set) -> Self {
        let is_image_pull = set.r#type.as_deref() == Some("imagePullSecret");
        Self {
            // A set has no id but its name, which no other set of the organization has.
            id: Some(set.name.clone()).filter(|name| is_set_name(name)),
            name: set.name,
            form: Some(if is_image_pull {
                Form::ImagePull
            } else {
                Form::Text
            }),
            region: set.region,
            ..Self::default()
        }
    }
}

/// Whether a name is one that Pipecat gives sets: lower-case labels joined by dots, at most 63
/// characters (providers.md 3.2, trap 8).
fn is_set_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=63).contains(&name.len()) && name.bytes().all(is_plain)
}

/// `[A-Za-z0-9_-]`, at most 64 characters (providers.md 3.2, trap 8).
fn check_name(name: &str) -> Result<(), Reason> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(is_plain);
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
    #[case("API_KEY", true)]
    #[case("api-key", true)]
    #[case("api.key", false)]
    #[case("", false)]
    fn names_are_checked(#[case] name: &str, #[case] accepted: bool) {
        assert_eq!(check_name(name).is_ok(), accepted);
        assert_eq!(check_name(&"A".repeat(64)), Ok(()));
        assert_eq!(check_name(&"A".repeat(65)), Err(Reason::InvalidKeyName));
    }
}
