//! Pipecat Cloud: <https://docs.pipecat.ai/deployment/pipecat-cloud/rest-reference>. What is known of
//! it beyond that is in docs/vendors.md#pipecat-cloud.
//!
//! One object writes one secret set. Whether PUT merges keys or replaces them is not stated, so all
//! wanted keys are sent each time (docs/vendors.md#pc-1). What is accepted is applied later: the set
//! is `pending` until it is `ready` (docs/vendors.md#pc-2).

mod image_pull;
mod sets;

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;

#[cfg(test)]
pub(crate) use self::image_pull::RULES as IMAGE_PULL_RULES;
use self::{
    image_pull::ImagePull,
    sets::{Pair, Put, delete, get, inventory, is_referenced, put, refused, settled},
};
use super::{
    AccountSpec, Choice, DeleteAnswer, DeleteRequest, Descriptor, Form, Listing, ListingNeed,
    ManagedOption, NamedSet, Provider, Rules, SetKeys, Settled, Unit, Write, Written, wire,
};
use crate::{
    api::{self, ImagePullSecret, ProviderKind, Reason, ReplaceImagePullSecret, SecretKeyRef},
    http::{ApiClient, Body, Call, ProviderError, Scheme},
};

/// The descriptor of Pipecat Cloud.
pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    kind: ProviderKind::Pipecat,
    name: "Pipecat",
    flag: "pipecat",
    endpoints: &[(Choice::DEFAULT_ENDPOINT, "https://api.pipecat.daily.co")],
    other_scheme: None,
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
    // docs/vendors.md#pc-3
    after_rotation: Some(
        "an agent at Pipecat Cloud takes a new value with its next forced deployment.",
    ),
    managed: &[ManagedOption {
        name: "host",
        value: |options| options.host.clone().map(Value::from),
    }],
    account: |spec| Some(spec.pipecat.as_deref()?),
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
    name_rule: "holds letters, digits, `-` and `_` only, at most 64",
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

    fn connect(&self, object: &str, client: ApiClient) -> Box<dyn Provider> {
        let (set, region) = (name_of_set(self, object).to_owned(), self.region.clone());
        if self.image_pull_secret.is_some() {
            Box::new(ImagePull {
                client,
                set,
                region,
            })
        } else {
            Box::new(Pipecat {
                client,
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
    client: ApiClient,
    set: String,
    region: Option<String>,
}

#[async_trait]
impl Provider for Pipecat {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        inventory(&self.client).await
    }

    async fn set_keys(&self) -> Result<SetKeys, ProviderError> {
        let Some(set) = get(&self.client, &self.set).await? else {
            return Ok(SetKeys::NoSet);
        };
        if is_referenced(set.source.as_deref()) {
            return Ok(SetKeys::Referenced);
        }
        // An answer without the list tells nothing: least of all that there are no keys.
        Ok(set.secrets.map_or(SetKeys::NotShown, |fields| {
            SetKeys::Shown(fields.into_iter().map(|field| field.field_name).collect())
        }))
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
        match put(&self.client, call).await {
            Err(error) if error.is(StatusCode::CONFLICT) || error.is(StatusCode::BAD_REQUEST) => {
                Err(refused(&self.client, &self.set, error).await)
            }
            answer => answer,
        }
    }

    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        delete(&self.client, &["v1", "secrets", &self.set, entry.name]).await
    }

    async fn delete_set(&self) -> Result<DeleteAnswer, ProviderError> {
        delete(&self.client, &["v1", "secrets", &self.set]).await
    }

    async fn settled(&self) -> Result<Settled, ProviderError> {
        let set = get(&self.client, &self.set).await?;
        Ok(set.map_or(Settled::Absent, |set| settled(set.status.as_deref())))
    }

    fn set(&self) -> Option<NamedSet<'_>> {
        Some(NamedSet {
            name: &self.set,
            region: self.region.as_deref(),
        })
    }
}

/// `[A-Za-z0-9_-]`, 1 to 64 characters (docs/vendors.md#pc-8).
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
