//! Accounts: what the vendor counts by API key is shared by all objects that use the key.
//!
//! An account is provider + endpoint + scope fields + API key. It has one [`Session`], one
//! [`AccountLimiter`] and one listing. The access is what keeps accounts from harming each other and
//! themselves: limits of calls in flight with a fair queue behind them (`permits`, `fair_queue`), and what
//! the answers say of all objects of an account (`health`).

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

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

pub use credential::{Credential, Credentials, Versioned};
pub use digest::{DigestKey, Digested, Sealed};
pub use endpoint::{EndpointFlag, Endpoints};
pub use fair_queue::ObjectName;
pub use health::OpenCircuit;
pub use limiter::{AccountLimiter, Limiter, Permit, Requeue};
pub use listing::{ListingCache, Snapshot};
pub use name_locks::{LastWrite, NameLock, NameLocks};
pub use permits::Admission;

use tokio::sync::OnceCell;

use crate::{
    api::{Choice, ProviderKind, Reason},
    http::{Http, Monitor, ProviderError, Session},
    provider::{self, Provider},
};

/// Every account in use.
pub struct Accounts {
    http: Http,
    endpoints: Endpoints,
    limiter: Limiter,
    by_key: Mutex<HashMap<Key, Weak<Account>>>,
    /// Names that are being, or were lately, written.
    pub name_locks: NameLocks,
}

/// One account.
pub struct Account {
    session: Session,
    /// Makes the digests of values that go to this account.
    pub digests: DigestKey,
    /// Stands for the API key where two are compared.
    pub fingerprint: [u8; 32],
    /// Who may call the provider now.
    pub limiter: Arc<AccountLimiter>,
    /// What the account holds.
    pub listing: ListingCache,
    /// Whose secrets these are, as the provider has said in any answer.
    scope: OnceLock<String>,
    /// Whether the provider was asked for it.
    asked: OnceCell<()>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: ProviderKind,
    endpoint: String,
    scope: Option<String>,
    fingerprint: [u8; 32],
}

impl Accounts {
    /// No accounts yet. Their calls share the places of `limiter`.
    pub fn new(http: Http, endpoints: Endpoints, limiter: Limiter) -> Self {
        Self {
            http,
            endpoints,
            limiter,
            by_key: Mutex::default(),
            name_locks: NameLocks::default(),
        }
    }

    /// The account that `choice` names and `credential` opens.
    ///
    /// # Errors
    /// The reason, when the endpoint has no URL or no header can hold the key.
    pub fn get(&self, choice: Choice<'_>, credential: &Credential) -> Result<Arc<Account>, Reason> {
        let key = Key {
            kind: choice.kind(),
            endpoint: choice.endpoint().to_owned(),
            scope: scope_field(choice).map(str::to_owned),
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
        let scheme = provider::rules(key.kind).scheme;
        let limiter = self.limiter.add_account(key.kind);
        let session = Session::new(
            self.http.clone(),
            key.kind,
            base.clone(),
            scheme,
            credential.key(),
            Arc::clone(&limiter) as Arc<dyn Monitor>,
        )?;
        let account = Arc::new(Account {
            session,
            digests: credential.digest_key(),
            fingerprint: credential.fingerprint(),
            limiter,
            listing: ListingCache::default(),
            scope: OnceLock::new(),
            asked: OnceCell::new(),
        });
        accounts.retain(|_, account| account.strong_count() > 0);
        accounts.insert(key, Arc::downgrade(&account));
        Ok(account)
    }
}

impl Account {
    /// The provider as `object` uses it.
    pub fn provider(&self, choice: Choice<'_>, object: &str) -> Box<dyn Provider> {
        provider::connect(choice, object, self.session.clone())
    }

    /// Whose secrets these are, as the provider says without a write. It is asked until it has
    /// answered; that it does not know this question is an answer too.
    ///
    /// # Errors
    /// When the account is in trouble: the key is refused, or the provider cannot be reached.
    pub async fn scope(&self, provider: &dyn Provider) -> Result<Option<&str>, ProviderError> {
        let ask = || async {
            match provider.scope().await {
                Err(error) if error.reason == Reason::PermissionDenied => {}
                Err(error) if !error.is_of_account() => {}
                said => self.learn_scope(said?.as_deref()),
            }
            Ok(())
        };
        self.asked.get_or_try_init(ask).await?;
        Ok(self.known_scope())
    }

    /// Takes note of what an answer said.
    pub fn learn_scope(&self, said: Option<&str>) {
        if let Some(said) = said {
            // It is the same as before, or was not known.
            let _ = self.scope.set(said.to_owned());
        }
    }

    /// The same, if it is known already.
    pub fn known_scope(&self) -> Option<&str> {
        self.scope.get().map(String::as_str)
    }

    /// The provider as `object` sees it while it may not call: each call ends in `error` and
    /// nothing is sent.
    pub fn refusing_provider(
        &self,
        choice: Choice<'_>,
        object: &str,
        error: &ProviderError,
    ) -> Box<dyn Provider> {
        provider::connect(choice, object, self.session.refusing(error.clone()))
    }
}

/// The part of the scope that is in the spec: two teams of one key are two accounts.
pub fn scope_field(choice: Choice<'_>) -> Option<&str> {
    match choice {
        Choice::Baseten(spec) => spec.team_id.as_deref(),
        Choice::PrimeIntellect(spec) => spec.team_id.as_deref(),
        // The organization is the key's; a set is a name in it, not a scope.
        Choice::Pipecat(_) => None,
        Choice::Braintrust(spec) => spec.org_name.as_deref(),
    }
}
