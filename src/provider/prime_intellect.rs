//! PrimeIntellect: <https://docs.primeintellect.ai/api-reference/secrets>. What is known of it beyond
//! that is in docs/vendors.md#primeintellect.
//!
//! There is no upsert: POST creates, PATCH changes by id, so the listing decides which it is
//! (docs/vendors.md#pi-1). The team is a body field on POST and a query parameter elsewhere
//! (docs/vendors.md#pi-2).

mod bodies;

use std::collections::HashSet;

use async_trait::async_trait;
use http::Method;
use secrecy::ExposeSecret;

use self::bodies::{Create, Page, Update, WhoAmI, Wrapped};
use super::{
    AccountSpec, Choice, DeleteAnswer, DeleteRequest, Descriptor, Files, Listing, ListingNeed,
    ManagedOption, Options, Provider, Remote, Rules, Unit, Write, Written,
    wire::{self, Pages},
};
use crate::{
    api::{self, ProviderKind, Reason, SecretKeyRef},
    http::{ApiClient, Body, Call, Concerns, ProviderError, Scheme},
};

/// The descriptor of PrimeIntellect.
pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    kind: ProviderKind::PrimeIntellect,
    name: "PrimeIntellect",
    flag: "primeintellect",
    endpoints: &[(Choice::DEFAULT_ENDPOINT, "https://api.primeintellect.ai")],
    other_scheme: None,
    rules: &RULES,
    advice: &[(
        Reason::TargetNotFound,
        "Check that teamId is right and that the key belongs to that team.",
    )],
    after_rotation: None,
    managed: &[
        ManagedOption {
            name: "description",
            value: |options| Some(options.prime_intellect.description.clone().into()),
        },
        ManagedOption {
            name: "isFile",
            value: |options| Some(is_file(options).into()),
        },
    ],
    account: |spec| Some(spec.prime_intellect.as_deref()?),
};

/// The rules of PrimeIntellect.
const RULES: Rules = Rules {
    kind: ProviderKind::PrimeIntellect,
    scheme: Scheme::Bearer,
    unit: Unit::Each,
    listing: ListingNeed::Create,
    form: None,
    files: Some(Files {
        is_file,
        max_base64: MAX_FILE,
    }),
    deletes_by_name: false,
    names_scope: true,
    fold: wire::unfolded,
    name_rule: "starts with an upper-case letter and holds upper-case letters, digits and `_` only, at most 255",
    check_name,
};

/// The longest file, in bytes of base64 (docs/vendors.md#pi-4).
const MAX_FILE: usize = 64 * 1024;
/// Secrets a page: the server's own default (docs/vendors.md#pi-3).
const PAGE: usize = 100;

impl AccountSpec for api::PrimeIntellect {
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
        Box::new(PrimeIntellect {
            client,
            team_id: self.team_id.clone(),
        })
    }
}

/// The personal secrets of a user, or those of a team.
struct PrimeIntellect {
    client: ApiClient,
    team_id: Option<String>,
}

impl PrimeIntellect {
    fn team_query(&self) -> Vec<(&str, &str)> {
        let team = self.team_id.as_deref();
        team.map(|team| ("teamId", team)).into_iter().collect()
    }

    async fn page(&self, pages: &mut Pages<'_>, offset: usize) -> Result<Page, ProviderError> {
        let (offset, limit) = (offset.to_string(), PAGE.to_string());
        let mut query = self.team_query();
        query.extend([("offset", offset.as_str()), ("limit", limit.as_str())]);
        let call = Call {
            operation: "list",
            path: &["api", "v1", "secrets", ""],
            query: &query,
            ..Call::default()
        };
        let page: Page = pages.read(call).await?;
        page.rest.no_error()?;
        Ok(page)
    }

    async fn create(&self, entry: &Write<'_>) -> Result<Wrapped, ProviderError> {
        let body = Create {
            name: entry.name,
            value: entry.value.expose_secret(),
            description: entry.options.prime_intellect.description.as_deref(),
            team_id: self.team_id.as_deref(),
            is_file: is_file(entry.options),
        };
        let call = Call {
            operation: "create",
            method: Method::POST,
            path: &["api", "v1", "secrets", ""],
            body: Some(Body::json(&body)?),
            ..Call::default()
        };
        wire::decoded(&self.client.call(call).await?)
    }

    async fn update(&self, id: &str, entry: &Write<'_>) -> Result<Wrapped, ProviderError> {
        let body = Update {
            value: entry.value.expose_secret(),
            description: entry.options.prime_intellect.description.as_deref(),
        };
        let call = Call {
            operation: "update",
            method: Method::PATCH,
            path: &["api", "v1", "secrets", id],
            query: &self.team_query(),
            body: Some(Body::json(&body)?),
            ..Call::default()
        };
        let answer: Wrapped = wire::decoded(&self.client.call(call).await?)?;
        if let Some(secret) = &answer.data {
            wire::still_named(entry.name, &secret.name)?;
        }
        Ok(answer)
    }
}

#[async_trait]
impl Provider for PrimeIntellect {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    /// Each page but the first is asked for at the last secret of the page before. Where it does not show that one, secrets
    /// have moved up, and one of them may be on neither page (docs/vendors.md#pi-3).
    async fn list(&self) -> Result<Listing, ProviderError> {
        let mut listing = Listing::default();
        listing.scope.clone_from(&self.team_id);
        let (mut end, mut count, mut total, mut first_total) = (0, 0, 0, None);
        let mut last: Option<String> = None;
        let mut seen = HashSet::new();
        let mut pages = Pages::of(&self.client);
        loop {
            let offset = if last.is_some() { end - 1 } else { 0 };
            let page = self.page(&mut pages, offset).await?;
            let came = page.data.len();
            // The total of the first page may count that page alone, so that only a limit shows that there are no more.
            let unsaid = if last.is_some() { PAGE } else { 0 };
            let is_short = came < page.limit().unwrap_or(unsaid).min(PAGE);
            let is_shown = |id: &String| page.data.iter().any(|one| one.id.as_ref() == Some(id));
            if !last.iter().all(is_shown) {
                return Err(ProviderError::moved());
            }
            // A total that is not above what a later page shows counts that page and not the listing.
            let said = page.total().filter(|said| last.is_none() || *said > came);
            if said.is_some_and(|now| now < total) {
                return Err(ProviderError::moved());
            }
            total = said.unwrap_or(total);
            first_total = first_total.or(said);
            end = offset + came;
            let (before, end_id) = (count, page.data.last().and_then(|one| one.id.clone()));
            for secret in page.data {
                // A secret of another scope must never be taken for ours.
                let is_new = secret.id.clone().is_none_or(|id| seen.insert(id));
                count += usize::from(is_new);
                if is_new && secret.is_of(self.team_id.as_deref()) {
                    listing.scope = listing.scope.or_else(|| wire::id(secret.user_id.clone()));
                    listing.remotes.push(Remote::try_from(secret)?);
                }
            }
            // A page that shows nothing behind the last secret is the end, and then all of the total must have come.
            let is_end = count == before && came <= 1;
            if is_end {
                pages.was_empty();
                if end < total {
                    return Err(ProviderError::not_whole());
                }
            }
            // So is one at which the total is reached; but where it is full, the total may count the page alone.
            if is_end || (is_short && said.is_some_and(|said| end >= said)) {
                // One that moved to a page that was read already, as by a change, was on none of them.
                if first_total.is_some_and(|first| count < first) {
                    return Err(ProviderError::moved());
                }
                pages.end(&page.rest, end)?;
                return Ok(listing);
            }
            // The same page again would never end.
            if count == before {
                return Err(ProviderError::protocol());
            }
            last = Some(wire::required_id(end_id)?);
        }
    }

    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        let Some(entry) = entries.first() else {
            return Ok(Written::default());
        };
        let answer = match entry.id {
            Some(id) => self.update(id, entry).await?,
            None => self.create(entry).await?,
        };
        let secret = answer.data.as_ref();
        // Null is a personal secret, and not one of the team that was asked for (docs/vendors.md#pi-2).
        if secret.is_some_and(|secret| !secret.is_of(self.team_id.as_deref())) {
            return Err(ProviderError::other_scope());
        }
        let user = secret.and_then(|secret| wire::id(secret.user_id.clone()));
        // `data` may be null (docs/vendors.md#pi-9); what is known of an updated secret is then its id.
        let remote = answer.data.map(Remote::try_from).transpose()?;
        let remote = remote.unwrap_or_default();
        Ok(Written {
            id: remote.id.or_else(|| entry.id.map(str::to_owned)),
            version: remote.version,
            scope: self.team_id.clone().or(user),
        })
    }

    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        // A secret that we wrote has an id: without one it is not deleted.
        let id = entry.id.or_else(|| entry.shown?.id.as_deref());
        let id = id.ok_or_else(ProviderError::protocol)?;
        let path = ["api", "v1", "secrets", id];
        wire::delete(&self.client, &path, &self.team_query()).await
    }

    async fn scope(&self) -> Result<Option<String>, ProviderError> {
        if self.team_id.is_some() {
            return Ok(self.team_id.clone());
        }
        let call = Call {
            operation: "whoami",
            path: &["api", "v1", "user", "whoami"],
            concerns: Concerns::Nothing,
            ..Call::default()
        };
        let answer: WhoAmI = self.client.call(call).await?.json()?;
        Ok(wire::id(answer.data.id))
    }
}

fn is_file(options: &Options) -> bool {
    options.prime_intellect.is_file.unwrap_or(false)
}

/// `^[A-Z][A-Z0-9_]*$`, 1 to 255 characters (docs/vendors.md#pi-6).
fn check_name(name: &str) -> Result<(), Reason> {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = (1..=255).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.bytes().all(is_plain);
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
    #[case("A", true)]
    #[case("API_KEY_2", true)]
    #[case("_A", false)]
    #[case("2A", false)]
    #[case("api_key", false)]
    #[case("API-KEY", false)]
    #[case("", false)]
    fn names_are_checked(#[case] name: &str, #[case] accepted: bool) {
        assert_eq!(check_name(name).is_ok(), accepted);
    }
}
