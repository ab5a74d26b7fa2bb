//! Accounts: what the provider counts by API key is shared by all objects that use the key.
//!
//! An account is provider + endpoint + scope fields + API key. It has one [`ApiClient`], one
//! [`AccountLimiter`] and one [`ListingCache`]. The limiter keeps accounts from harming each other
//! and themselves: it bounds the calls in flight and queues objects fairly (`permits`,
//! `fair_queue`), and it stops calling an account whose answers say that no call can succeed
//! (`health`).

mod credential;
mod digest;
mod endpoint;
mod fair_queue;
mod health;
mod limiter;
mod listing;
mod name_locks;
mod permits;
mod round_robin;
mod snapshot;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

pub use credential::{Credential, Credentials, Versioned};
pub use digest::{DigestKey, Digested, KEY_SCOPE, Sealed};
pub use endpoint::{EndpointFlag, Endpoints};
pub use fair_queue::ObjectName;
pub use health::OpenCircuit;
pub use limiter::{AccountLimiter, Limiter, Permit, Requeue};
pub use listing::ListingCache;
pub use name_locks::{LastWrite, NameLock, NameLocks};
pub use permits::Admission;
pub use snapshot::Snapshot;

use tokio::sync::OnceCell;

use crate::{
    api::{ProviderKind, Reason},
    http::{ApiClient, Http, Monitor, ProviderError},
    provider::{self, Choice, Provider},
};

/// Every account in use.
pub struct Accounts {
    http: Http,
    endpoints: Endpoints,
    limiter: Limiter,
    by_key: Mutex<HashMap<Key, Weak<Account>>>,
    /// The locks of names that objects write.
    pub name_locks: NameLocks,
}

/// One account.
pub struct Account {
    client: ApiClient,
    /// The key of the digests of values that go to this account.
    pub digests: DigestKey,
    /// Stands for the API key where two keys are compared, in memory only.
    pub fingerprint: [u8; 32],
    /// Decides which objects may call the provider now.
    pub limiter: Arc<AccountLimiter>,
    /// The newest answer to "which secrets are there?".
    pub listing: ListingCache,
    /// The id of the scope, from the first answer that contained it.
    scope: OnceLock<String>,
    /// Set once the provider has answered the question for the scope.
    scope_asked: OnceCell<()>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: ProviderKind,
    endpoint: String,
    scope: Option<String>,
    fingerprint: [u8; 32],
}

impl Accounts {
    /// Starts without accounts. The calls of all accounts share the permits of `limiter`.
    pub fn new(http: Http, endpoints: Endpoints, limiter: Limiter) -> Self {
        Self {
            http,
            endpoints,
            limiter,
            by_key: Mutex::default(),
            name_locks: NameLocks::default(),
        }
    }

    /// The account that `choice` names and `credential` opens. All callers that use the same
    /// provider, endpoint, scope field and API key get the same account while any of them keeps it.
    ///
    /// # Errors
    /// [`Reason::InvalidSpec`] when no URL is known for the endpoint, and
    /// [`Reason::CredentialInvalid`] when no header can hold the key.
    pub fn get(&self, choice: Choice<'_>, credential: &Credential) -> Result<Arc<Account>, Reason> {
        let key = Key {
            kind: choice.kind(),
            endpoint: choice.endpoint().to_owned(),
            scope: choice.scope_field().map(str::to_owned),
            fingerprint: credential.fingerprint(),
        };
        let mut accounts = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&key).and_then(Weak::upgrade) {
            return Ok(account);
        }
        let base = self
            .endpoints
            .get(key.kind, &key.endpoint)
            .ok_or(Reason::InvalidSpec)?;
        let scheme = self.endpoints.scheme(key.kind);
        let limiter = self.limiter.add_account(key.kind);
        let client = ApiClient::new(
            self.http.clone(),
            key.kind,
            base.clone(),
            scheme,
            credential.key(),
            Arc::clone(&limiter) as Arc<dyn Monitor>,
        )?;
        let account = Arc::new(Account {
            client,
            digests: credential.digest_key(),
            fingerprint: credential.fingerprint(),
            limiter,
            listing: ListingCache::new(provider::rules(choice.kind()).fold),
            scope: OnceLock::new(),
            scope_asked: OnceCell::new(),
        });
        accounts.retain(|_, account| account.strong_count() > 0);
        accounts.insert(key, Arc::downgrade(&account));
        Ok(account)
    }
}

impl Account {
    /// The provider, as the object named `object` uses it.
    pub fn provider(&self, choice: Choice<'_>, object: &str) -> Box<dyn Provider> {
        provider::connect(choice, object, self.client.clone())
    }

    /// The id of the scope: which team, user or organization the secrets belong to. The first
    /// caller asks the provider, by a call that writes nothing; concurrent callers wait for its
    /// answer. None means that the provider does not tell the key its scope; it is not asked again.
    ///
    /// # Errors
    /// The errors that concern the whole account: the provider refuses the key, asks to slow down
    /// or cannot be reached. The next caller asks again.
    pub async fn scope(&self, provider: &dyn Provider) -> Result<Option<&str>, ProviderError> {
        let ask = || async {
            match provider.scope().await {
                Err(error) if error.reason == Reason::PermissionDenied => {}
                Err(error) if !error.is_of_account() => {}
                answer => self.learn_scope(answer?.as_deref()),
            }
            Ok(())
        };
        self.scope_asked.get_or_try_init(ask).await?;
        Ok(self.known_scope())
    }

    /// Keeps the scope id that an answer contained. The first one stays.
    pub fn learn_scope(&self, id: Option<&str>) {
        if let Some(id) = id {
            // A key belongs to one scope: a later id is the same.
            let _ = self.scope.set(id.to_owned());
        }
    }

    /// Whether the provider was asked for the scope id, or has said it unasked. This sends no call.
    pub fn is_scope_asked(&self) -> bool {
        self.scope_asked.initialized() || self.known_scope().is_some()
    }

    /// The scope id, if an answer contained it already. This sends no call.
    pub fn known_scope(&self) -> Option<&str> {
        self.scope.get().map(String::as_str)
    }

    /// The provider, as the object named `object` uses it while the account's circuit is open:
    /// each call returns `error` and sends nothing.
    pub fn refusing_provider(
        &self,
        choice: Choice<'_>,
        object: &str,
        error: &ProviderError,
    ) -> Box<dyn Provider> {
        provider::connect(choice, object, self.client.refusing(error.clone()))
    }
}
