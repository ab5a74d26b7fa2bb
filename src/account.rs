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
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
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

use http::StatusCode;
use tokio::{sync::OnceCell, time::Instant};

use crate::{
    api::{ProviderKind, Reason},
    http::{ApiClient, Http, Monitor, ProviderError},
    provider::{self, Choice, Provider},
};

/// For how long the scope counts as asked where the provider did not answer.
const ASK_AGAIN: Duration = Duration::from_hours(1);

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
    /// The field of the spec that says whose secrets these are. Where it is the id of the scope, no answer is needed
    /// to know the id, and none has said yet that the key opens it.
    scope_field: Option<String>,
    /// The id of the scope, from the spec or the first answer that contained it.
    scope: OnceLock<String>,
    /// The id of the scope that the newest listing was of, else the first write, where one told it.
    reached: Mutex<Option<String>>,
    /// Whether an answer to the key contained it.
    is_scope_answered: AtomicBool,
    /// Set once the provider has answered the question for the scope.
    scope_asked: OnceCell<()>,
    /// When the last question for the scope came to no answer, and why.
    scope_unanswered: Mutex<Option<(Instant, ProviderError)>>,
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
            scope_field: key.scope.clone(),
            scope: OnceLock::new(),
            reached: Mutex::default(),
            is_scope_answered: AtomicBool::new(false),
            scope_asked: OnceCell::new(),
            scope_unanswered: Mutex::default(),
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
    /// answer, or share that there was none. None means that the provider does not tell the key its
    /// scope, and after an answer it is not asked again.
    ///
    /// # Errors
    /// The provider may answer next time: it asks to slow down, fails, cannot be reached or does not accept
    /// the key; or nothing may be sent now, and then the question does not count as asked.
    pub async fn scope(&self, provider: &dyn Provider) -> Result<Option<&str>, ProviderError> {
        if !self.scope_asked.initialized() {
            self.client.may_send()?;
        }
        let asked_at = Instant::now();
        let ask = || async {
            if let Some((at, error)) = &*self.scope_unanswered()
                && *at >= asked_at
            {
                return Err(error.clone());
            }
            let answer = provider.scope().await.inspect_err(|error| {
                *self.scope_unanswered() = Some((Instant::now(), error.clone()));
            });
            match answer? {
                // The spec has it, and no answer.
                Some(id) if self.scope_field.as_ref() == Some(&id) => {
                    let _ = self.scope.set(id);
                }
                id => self.note_scope(id.as_deref()),
            }
            Ok(())
        };
        match self.scope_asked.get_or_try_init(ask).await {
            Err(error) if error.is_passing() || error.is(StatusCode::UNAUTHORIZED) => Err(error),
            Ok(()) | Err(_) => Ok(self.known_scope()),
        }
    }

    /// Keeps the scope id that a listing contained. What the provider lists now is what the key reaches.
    pub fn learn_scope(&self, id: Option<&str>) {
        let Some(id) = id else { return };
        *self.reached() = Some(id.to_owned());
        self.note_scope(Some(id));
    }

    /// Keeps the scope id that the answer to a write contained.
    ///
    /// # Errors
    /// [`ProviderError::other_scope`] when what the key lists is in another: what was written is not the objects' of this
    /// account. The answer to [`Provider::scope`] is no measure, because a vendor may tell a user by another id there.
    pub fn ensure_scope(&self, id: Option<&str>) -> Result<(), ProviderError> {
        let Some(id) = id else { return Ok(()) };
        if self.reached().get_or_insert_with(|| id.to_owned()) != id {
            return Err(ProviderError::other_scope());
        }
        self.note_scope(Some(id));
        Ok(())
    }

    fn reached(&self) -> MutexGuard<'_, Option<String>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the scope id that an answer contained. The first one stays.
    fn note_scope(&self, id: Option<&str>) {
        if let Some(id) = id {
            let known = self.scope.get_or_init(|| id.to_owned());
            if known == id {
                self.is_scope_answered.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Whether an answer of the provider has shown that the key opens the scope. A spec may name any scope.
    pub fn is_scope_answered(&self) -> bool {
        self.is_scope_answered.load(Ordering::Relaxed)
    }

    /// Whether the provider was asked for the scope id, or has said it unasked. Where it did not answer,
    /// it is asked again an hour later: the question is optional, and nothing waits for it. This sends no
    /// call.
    pub fn is_scope_asked(&self) -> bool {
        let unanswered = self.scope_unanswered();
        let is_recent = unanswered
            .as_ref()
            .is_some_and(|(at, _)| at.elapsed() < ASK_AGAIN);
        self.scope_asked.initialized() || self.known_scope().is_some() || is_recent
    }

    fn scope_unanswered(&self) -> MutexGuard<'_, Option<(Instant, ProviderError)>> {
        let unanswered = self.scope_unanswered.lock();
        unanswered.unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests;
