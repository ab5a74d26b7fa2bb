//! Image pull secrets of Pipecat Cloud: a set that is one credential for one registry.
//!
//! Such a set cannot be read by itself, so everything that is known of it comes from the list. Some
//! servers do not update one that exists (docs/vendors.md#pc-6): that is distinguished from any other
//! refusal by the list, which showed it, and by the body of the answer.

use std::{fmt::Write as _, time::Duration};

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::sets::{delete, inventory, put, refused, sets, settled};
use crate::{
    api::{ProviderKind, Reason},
    http::{ApiClient, Body, Call, Detail, ErrorClass, ProviderError, Scheme},
    provider::{
        DeleteAnswer, DeleteRequest, Form, Listing, ListingNeed, NamedSet, Provider, Rules,
        Settled, Unit, Write, Written, wire,
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
    name_rule: "holds 3 to 63 characters",
    check_name,
};

/// How long the provider may take to apply a trial; it usually takes seconds (docs/vendors.md#pc-2). The reconcile
/// waits so long, and holds its slot and the name meanwhile.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The wait between two looks at a trial.
const TRIAL_POLL: Duration = Duration::from_secs(1);

/// An image pull secret at Pipecat Cloud.
pub(super) struct ImagePull {
    pub(super) client: ApiClient,
    pub(super) set: String,
    pub(super) region: Option<String>,
}

impl ImagePull {
    /// Writes a credential under the name of a set.
    async fn put(&self, set: &str, entry: &Write<'_>) -> Result<Written, ProviderError> {
        let Some(host) = entry.options.host.as_deref() else {
            return Err(ProviderError::config(Reason::InvalidSpec));
        };
        let call = Call {
            operation: "upsert",
            method: Method::PUT,
            path: &["v1", "secrets", set],
            body: Some(Body::json(&Put {
                is_image_pull_secret: true,
                host,
                secret_value: entry.value.expose_secret(),
                region: entry.region.or(self.region.as_deref()),
            })?),
            recognises: Some(refuses_updates),
            ..Call::default()
        };
        put(&self.client, call).await
    }

    async fn remove(&self, set: &str) -> Result<DeleteAnswer, ProviderError> {
        delete(&self.client, &["v1", "secrets", set]).await
    }

    /// Where a set is on its way, as the list shows it.
    async fn state(&self, name: &str) -> Result<Settled, ProviderError> {
        let sets = sets(&self.client).await?;
        let set = sets.iter().find(|set| set.name == name);
        Ok(set.map_or(Settled::Absent, |set| settled(set.status.as_deref())))
    }

    /// Waits until the provider has applied a trial: what it accepts may fail later (docs/vendors.md#pc-2).
    async fn wait_applied(&self, trial: &str) -> Result<(), ProviderError> {
        let not_applied = ProviderError::not_applied;
        let until = Instant::now() + TRIAL_TIMEOUT;
        loop {
            match self.state(trial).await? {
                Settled::Ready => return Ok(()),
                Settled::Failed => return Err(not_applied(ErrorClass::Config, Reason::Rejected)),
                Settled::Pending | Settled::Absent if Instant::now() < until => {
                    sleep(TRIAL_POLL).await;
                }
                Settled::Pending | Settled::Absent => {
                    return Err(not_applied(
                        ErrorClass::Transient,
                        Reason::ProviderUnavailable,
                    ));
                }
            }
        }
    }
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
        match self.put(&self.set, entry).await {
            // The list showed the set, so this is an update.
            Err(error) if is_refusal_of_updates(&error) && entry.id.is_some() => {
                Err(error.with(ErrorClass::Config, Reason::Immutable))
            }
            Err(error) if error.is(StatusCode::CONFLICT) => {
                Err(refused(&self.client, &self.set, error).await)
            }
            answer => answer,
        }
    }

    /// By a set of another name, which is deleted once it is applied, or is not. If one is left of a try that was
    /// cut short, it is replaced.
    async fn rehearse(&self, entry: &Write<'_>) -> Result<(), ProviderError> {
        let name = trial_name(&self.set);
        let tried = match self.put(&name, entry).await {
            Err(error) if is_refusal_of_updates(&error) => {
                self.remove(&name).await?;
                self.put(&name, entry).await
            }
            tried => tried,
        };
        tried?;
        let applied = self.wait_applied(&name).await;
        let deleted = self.remove(&name).await;
        applied?;
        deleted.map(drop)
    }

    async fn delete(&self, _entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        self.remove(&self.set).await
    }

    async fn settled(&self) -> Result<Settled, ProviderError> {
        self.state(&self.set).await
    }

    fn set(&self) -> Option<NamedSet<'_>> {
        Some(NamedSet {
            name: &self.set,
            region: self.region.as_deref(),
        })
    }
}

fn is_refusal_of_updates(error: &ProviderError) -> bool {
    error.detail() == Some(&Detail::Recognised)
}

/// Whether the body of a refusal says that an image pull secret that exists is not updated, by its text
/// or its code (docs/vendors.md#pc-6). A refusal of the value has the same status and code, and must
/// never cost the credential that works.
fn refuses_updates(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        error: String,
        #[serde(default)]
        code: String,
    }
    let Ok(Refusal { error, code }) = serde_json::from_slice(body) else {
        return false;
    };
    let (text, code) = (error.to_ascii_lowercase(), code.to_ascii_lowercase());
    let says = |words: &[&str]| words.iter().all(|word| text.contains(word));
    says(&["cannot update", "image pull secret"])
        || says(&["image pull secret", "delete and recreate"])
        || (code.contains("image_pull") && code.contains("update"))
}

/// The name of the set that a credential is tried under. It is the same for each try, so that what one
/// leaves behind is found by the next.
fn trial_name(set: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, set.as_bytes());
    let mut name = "provider-secrets-trial-".to_owned();
    for byte in &digest.as_ref()[..8] {
        // Writing to a String does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        r#"{"error": "Cannot update existing image pull secrets. Delete and recreate instead.", "code": "GENERIC_BAD_REQUEST"}"#,
        true
    )]
    #[case(r#"{"error": "cannot update existing Image Pull Secrets"}"#, true)]
    #[case(r#"{"code": "IMAGE_PULL_SECRET_UPDATE_NOT_ALLOWED"}"#, true)]
    #[case(
        r#"{"error": "Invalid request format", "code": "GENERIC_BAD_REQUEST"}"#,
        false
    )]
    #[case(
        r#"{"error": "The host of the image pull secret is not a URL"}"#,
        false
    )]
    #[case(r#"{"error": "Secret set already exists in region us-west"}"#, false)]
    #[case(r#"{"error": null}"#, false)]
    #[case("<html>Cannot update existing image pull secrets</html>", false)]
    #[case("", false)]
    fn only_the_refusal_of_updates_is_one(#[case] body: &str, #[case] expected: bool) {
        assert_eq!(refuses_updates(body.as_bytes()), expected);
    }

    #[test]
    fn a_trial_has_a_name_that_sets_may_have_and_that_is_always_the_same() {
        let longest = "a".repeat(63);
        let name = trial_name(&longest);
        assert_eq!(check_name(&name), Ok(()));
        assert_eq!(name, trial_name(&longest));
        assert_ne!(name, trial_name("regcred"));
    }
}
