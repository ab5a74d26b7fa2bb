//! Sets, as Pipecat Cloud lists and takes them.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    http::{ApiClient, Call, Concerns, ProviderError},
    provider::{
        DeleteAnswer, Form, Listing, Remote, Settled, Written,
        wire::{self, Pages, Rest},
    },
};

/// Every set of the organization.
pub(super) async fn sets(client: &ApiClient) -> Result<Vec<Set>, ProviderError> {
    let call = Call {
        operation: "list",
        path: &["v1", "secrets"],
        ..Call::default()
    };
    let mut pages = Pages::of(client);
    let Listed { sets, rest } = pages.read(call).await?;
    pages.end(&rest, sets.len())?;
    Ok(sets)
}

pub(super) async fn inventory(client: &ApiClient) -> Result<Listing, ProviderError> {
    Ok(Listing {
        remotes: sets(client).await?.into_iter().map(Remote::from).collect(),
        ..Listing::default()
    })
}

/// A set by itself; none if it does not exist.
pub(super) async fn get(client: &ApiClient, set: &str) -> Result<Option<SetAnswer>, ProviderError> {
    let call = Call {
        operation: "get",
        path: &["v1", "secrets", set],
        concerns: Concerns::Entry,
        ..Call::default()
    };
    let mut pages = Pages::of(client);
    match pages.read::<SetAnswer>(call).await {
        Ok(answer) => {
            let keys = answer.secrets.as_ref().map_or(0, Vec::len);
            pages.end(&answer.rest, keys)?;
            Ok(Some(answer))
        }
        Err(error) if error.is(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a PUT to a set was refused: one to a reference is answered as one to a set that is busy (docs/vendors.md#pc-14), so
/// the set is looked at once. Where that tells nothing, it is the error that there was.
pub(super) async fn refused(client: &ApiClient, set: &str, error: ProviderError) -> ProviderError {
    match get(client, set).await {
        Ok(Some(shown)) if is_referenced(shown.source.as_deref()) => ProviderError::referenced(),
        Ok(_) | Err(_) => error,
    }
}

/// Sends a PUT.
pub(super) async fn put(client: &ApiClient, call: Call<'_>) -> Result<Written, ProviderError> {
    let answer = client.call(call).await.map_err(wire::unless_busy)?;
    // 200 or 202, whose members differ, or 204 without any (docs/vendors.md#pc-2). A page of a proxy in
    // between is not JSON and no answer of Pipecat's.
    if answer.status() != StatusCode::NO_CONTENT || answer.length() > 0 {
        wire::decoded::<Map<String, Value>>(&answer)?;
    }
    Ok(Written::default())
}

/// Deletes a set, or a key of one.
pub(super) async fn delete(
    client: &ApiClient,
    path: &[&str],
) -> Result<DeleteAnswer, ProviderError> {
    let gone = wire::delete(client, path, &[]).await;
    gone.map_err(wire::unless_busy)
}

/// `RegularSecretsRequest`, with the region of the newer documents.
#[derive(Serialize)]
pub(super) struct Put<'a> {
    pub(super) secrets: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pair<'a> {
    pub(super) secret_key: &'a str,
    pub(super) secret_value: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) sets: Vec<Set>,
    #[serde(flatten)]
    rest: Rest,
}

/// A set in the list.
#[derive(Deserialize)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) r#type: Option<String>,
    pub(super) source: Option<String>,
    pub(super) region: Option<String>,
    pub(super) status: Option<String>,
}

/// A set by itself.
#[derive(Deserialize)]
pub(super) struct SetAnswer {
    pub(super) source: Option<String>,
    pub(super) status: Option<String>,
    /// Absent where the keys are not shown (docs/vendors.md#pc-14).
    pub(super) secrets: Option<Vec<Field>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Field {
    pub(super) field_name: String,
}

/// Where a set is on its way, by its `status`.
pub(super) fn settled(status: Option<&str>) -> Settled {
    match status {
        // An older server has no status: what it accepted is there.
        None | Some("ready") => Settled::Ready,
        Some("failed") => Settled::Failed,
        Some(_) => Settled::Pending,
    }
}

/// Whether a set refers to a store of the user's own, by its `source` (docs/vendors.md#pc-14).
pub(super) fn is_referenced(source: Option<&str>) -> bool {
    source == Some("referenced")
}

impl From<Set> for Remote {
    fn from(set: Set) -> Self {
        let form = if is_referenced(set.source.as_deref()) {
            Form::Reference
        } else if set.r#type.as_deref() == Some("imagePullSecret") {
            Form::ImagePull
        } else {
            Form::Text
        };
        Self {
            // A set has no id but its name, which no other set of the organization has.
            id: Some(set.name.clone()).filter(|name| is_set_name(name)),
            name: set.name,
            form: Some(form),
            region: set.region,
            ..Self::default()
        }
    }
}

/// Whether a name is one that sets have: labels joined by dots, 1 to 63 characters
/// (docs/vendors.md#pc-8).
pub(super) fn is_set_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=63).contains(&name.len()) && name.bytes().all(is_plain)
}
