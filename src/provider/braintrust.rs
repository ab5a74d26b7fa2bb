//! Braintrust: <https://www.braintrust.dev/docs/reference/api/AiSecrets>. What is known of it beyond
//! that is in docs/vendors.md#braintrust.
//!
//! POST returns an existing secret unmodified, so it is never used (docs/vendors.md#bt-1). An
//! existing secret is changed by PATCH, which leaves the fields that are not sent; a new one, or one
//! whose metadata is managed, by PUT, which replaces all (docs/vendors.md#bt-2).

mod bodies;

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;

use self::bodies::{Fields, Listed, Secret};
use super::{
    AccountSpec, Choice, DeleteAnswer, DeleteRequest, Descriptor, Listing, ListingNeed,
    ManagedOption, Provider, Remote, Rules, Unit, Write, Written,
    wire::{self, Pages},
};
use crate::{
    api::{self, ProviderKind, Reason, SecretKeyRef},
    http::{ApiClient, Body, Call, Concerns, ProviderError, Scheme},
};

/// The descriptor of Braintrust.
pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    kind: ProviderKind::Braintrust,
    name: "Braintrust",
    flag: "braintrust",
    endpoints: &[
        (Choice::DEFAULT_ENDPOINT, "https://api.braintrust.dev"),
        ("eu", "https://api-eu.braintrust.dev"),
    ],
    other_scheme: None,
    rules: &RULES,
    advice: &[
        (
            Reason::Rejected,
            "Check orgName, the name and the options of the entry.",
        ),
        (
            Reason::InvalidSpec,
            "Where the API key belongs to several organizations, orgName has to name one. It cannot change: make the object anew with it.",
        ),
    ],
    after_rotation: None,
    managed: &[
        ManagedOption {
            name: "type",
            value: |options| Some(options.braintrust.r#type.clone().into()),
        },
        ManagedOption {
            name: "metadata",
            value: |options| Some(options.braintrust.metadata.clone().into()),
        },
    ],
    account: |spec| Some(spec.braintrust.as_deref()?),
};

/// The rules of Braintrust.
const RULES: Rules = Rules {
    kind: ProviderKind::Braintrust,
    scheme: Scheme::Bearer,
    unit: Unit::Each,
    listing: ListingNeed::FirstWrite,
    form: None,
    files: None,
    deletes_by_name: false,
    names_scope: true,
    fold: wire::unfolded,
    name_rule: "holds no control characters, and 1 to 255 bytes",
    check_name,
};

/// Secrets a page.
const PAGE: usize = 100;

impl AccountSpec for api::Braintrust {
    fn api_key_secret_ref(&self) -> &SecretKeyRef {
        &self.api_key_secret_ref
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn scope_field(&self) -> Option<&str> {
        self.org_name.as_deref()
    }

    fn connect(&self, _object: &str, client: ApiClient) -> Box<dyn Provider> {
        Box::new(Braintrust {
            client,
            org_name: self.org_name.clone(),
        })
    }
}

/// An organization at Braintrust.
struct Braintrust {
    client: ApiClient,
    org_name: Option<String>,
}

impl Braintrust {
    async fn page(
        &self,
        pages: &mut Pages<'_>,
        after: Option<&str>,
    ) -> Result<Listed, ProviderError> {
        let limit = PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(self.org_name.iter().map(|org| ("org_name", org.as_str())));
        query.extend(after.map(|id| ("starting_after", id)));
        let call = Call {
            operation: "list",
            path: &["v1", "ai_secret"],
            query: &query,
            ..Call::default()
        };
        let page: Listed = pages.read(call).await?;
        page.rest.no_error()?;
        Ok(page)
    }

    /// Replaces all of a secret, or creates it. A type that is not managed is kept by sending it.
    async fn replace(&self, entry: &Write<'_>) -> Result<Secret, ProviderError> {
        let options = &entry.options.braintrust;
        let kept = match entry.id {
            Some(id) if options.r#type.is_none() => self.get(id).await?.r#type,
            _ => None,
        };
        let body = Fields {
            name: Some(entry.name),
            r#type: options.r#type.as_deref().or(kept.as_deref()),
            metadata: options.metadata.as_ref(),
            secret: entry.value.expose_secret(),
            org_name: self.org_name.as_deref(),
        };
        let call = Call {
            operation: "replace",
            method: Method::PUT,
            path: &["v1", "ai_secret"],
            body: Some(Body::json(&body)?),
            ..Call::default()
        };
        let answer = self.client.call(call).await.map_err(wire::unless_busy)?;
        wire::decoded(&answer)
    }

    async fn get(&self, id: &str) -> Result<Secret, ProviderError> {
        let call = Call {
            operation: "get",
            path: &["v1", "ai_secret", id],
            concerns: Concerns::Entry,
            ..Call::default()
        };
        wire::decoded(&self.client.call(call).await?)
    }

    async fn update(&self, id: &str, entry: &Write<'_>) -> Result<Secret, ProviderError> {
        let body = Fields {
            name: None,
            r#type: entry.options.braintrust.r#type.as_deref(),
            metadata: None,
            secret: entry.value.expose_secret(),
            org_name: None,
        };
        let call = Call {
            operation: "update",
            method: Method::PATCH,
            path: &["v1", "ai_secret", id],
            body: Some(Body::json(&body)?),
            ..Call::default()
        };
        let answer = self.client.call(call).await.map_err(wire::unless_busy)?;
        let secret: Secret = wire::decoded(&answer)?;
        wire::still_named(entry.name, &secret.name)?;
        Ok(secret)
    }
}

#[async_trait]
impl Provider for Braintrust {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        let mut listing = Listing::default();
        let mut after: Option<String> = None;
        let mut pages = Pages::of(&self.client);
        loop {
            let page = match self.page(&mut pages, after.as_deref()).await {
                // What the last page ended with was deleted meanwhile, so it is no cursor any
                // more (docs/vendors.md#bt-6).
                Err(error)
                    if after.is_some()
                        && (error.is(StatusCode::BAD_REQUEST)
                            || error.is(StatusCode::NOT_FOUND)) =>
                {
                    return Err(ProviderError::moved());
                }
                page => page?,
            };
            let Some(last) = page.objects.last() else {
                pages.was_empty();
                pages.end(&page.rest, listing.remotes.len())?;
                // It says neither which of them a first write goes to nor whose a name is.
                listing.scope = listing.scope.filter(|_| !listing.has_several_scopes);
                return Ok(listing);
            };
            let last = wire::required_id(last.id.clone())?;
            // The same page again would never end.
            if after.as_ref() == Some(&last) {
                return Err(ProviderError::protocol());
            }
            after = Some(last);
            for secret in page.objects {
                let org = wire::id(secret.org_id.clone());
                let is_other = org.is_some() && listing.scope.is_some() && org != listing.scope;
                // Where one was asked for, no document allows such an answer.
                if is_other && self.org_name.is_some() {
                    return Err(ProviderError::protocol());
                }
                listing.has_several_scopes |= is_other;
                listing.scope = listing.scope.or(org);
                listing.remotes.push(Remote::try_from(secret)?);
            }
        }
    }

    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        let Some(entry) = entries.first() else {
            return Ok(Written::default());
        };
        let secret = match entry.id {
            Some(id) if entry.options.braintrust.metadata.is_none() => {
                self.update(id, entry).await?
            }
            _ => self.replace(entry).await?,
        };
        let scope = wire::id(secret.org_id.clone());
        let remote = Remote::try_from(secret)?;
        Ok(Written {
            id: remote.id,
            version: remote.version,
            scope,
        })
    }

    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        // By id and not by name: some proxies drop the body of a DELETE (docs/vendors.md#bt-12). A
        // secret that we wrote has an id: without one it is not deleted.
        let id = entry.id.or_else(|| entry.shown?.id.as_deref());
        let id = id.ok_or_else(ProviderError::protocol)?;
        let gone = wire::delete(&self.client, &["v1", "ai_secret", id], &[]).await;
        match gone.map_err(wire::unless_busy) {
            // An id that is gone may answer 400 (docs/vendors.md#bt-13): the listing decides, unless it is empty
            // (docs/vendors.md#bt-9).
            Err(error) if error.is(StatusCode::BAD_REQUEST) => {
                let listing = self.list().await?.remotes;
                let is_there = |remote: &Remote| remote.id.as_deref() == Some(id);
                if listing.is_empty() || listing.iter().any(is_there) {
                    Err(error)
                } else {
                    Ok(DeleteAnswer::NotThere)
                }
            }
            gone => gone,
        }
    }
}

/// Any text without control characters; Braintrust states no rule, the bound is the schema's.
fn check_name(name: &str) -> Result<(), Reason> {
    let is_name = (1..=255).contains(&name.len()) && !name.chars().any(char::is_control);
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
    #[case("OPENAI_API_KEY", true)]
    #[case("my key", true)]
    #[case("a\nb", false)]
    #[case("", false)]
    fn names_are_checked(#[case] name: &str, #[case] accepted: bool) {
        assert_eq!(check_name(name).is_ok(), accepted);
    }
}
