//! An account at one vendor: what all four have in common. Tests that share a simulator each add their own.

mod key;

use std::{
    any::Any,
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    fault::Fault,
    log::Exchange,
    provider::Provider,
    simulator::Shared,
    tenant::{ForeignError, Held, Tenant},
};

pub use self::key::{Access, AccountError, NewKey};

/// Reads a vendor's `NewAccount` from its JSON form.
pub(crate) fn from_json<T: DeserializeOwned>(account: Value) -> Result<T, AccountError> {
    serde_json::from_value(account).map_err(|error| AccountError::Invalid(error.to_string()))
}

/// A handle to an account; clones mean the same account.
#[derive(Clone)]
pub struct Account {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cell: Arc<Cell>,
}

/// The shared part of an account.
pub(crate) struct Cell {
    pub(crate) provider: Provider,
    pub(crate) name: String,
    inner: Mutex<Inner>,
    busy: Mutex<HashSet<String>>,
}

pub(crate) struct Inner {
    pub(crate) tenant: Box<dyn Tenant>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) latency: Duration,
}

impl Cell {
    pub(crate) fn new(provider: Provider, name: String, tenant: Box<dyn Tenant>) -> Self {
        let inner = Inner {
            tenant,
            faults: Vec::new(),
            latency: Duration::ZERO,
        };
        Self {
            provider,
            name,
            inner: Mutex::new(inner),
            busy: Mutex::default(),
        }
    }

    /// Locks the account, for as long as no await comes between.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a resource as busy until the guard is dropped; `None` when it is busy.
    pub(crate) fn occupy(self: &Arc<Self>, resource: String) -> Option<Busy> {
        let free = self
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(resource.clone());
        free.then(|| Busy {
            cell: Arc::clone(self),
            resource,
        })
    }
}

/// A resource of an account that a running request keeps busy.
pub(crate) struct Busy {
    cell: Arc<Cell>,
    resource: String,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.cell
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.resource);
    }
}

impl Account {
    /// Whose account it is.
    pub fn provider(&self) -> Provider {
        self.cell.provider
    }

    /// Its name, unique at the provider.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// Adds a further key.
    pub fn add_key(&self, key: impl Into<NewKey>) -> Result<(), AccountError> {
        self.shared
            .directory(self.provider())
            .add_key(&self.cell, key.into())
    }

    /// Changes what one of the account's keys may do, from the next request on.
    pub fn set_access(&self, key: &str, access: Access) -> Result<(), AccountError> {
        self.shared
            .directory(self.provider())
            .set_access(&self.cell, key, access)
    }

    /// Revokes a key: every further request with it is answered with 401.
    pub fn revoke_key(&self, key: &str) -> Result<(), AccountError> {
        self.set_access(key, Access::Revoked)
    }

    /// Makes every request take so long before it has its effect.
    pub fn set_latency(&self, latency: Duration) {
        self.cell.lock().latency = latency;
    }

    /// Scripts a failure.
    pub fn add_fault(&self, fault: Fault) {
        self.cell.lock().faults.push(fault);
    }

    /// Forgets all scripted failures.
    pub fn clear_faults(&self) {
        self.cell.lock().faults.clear();
    }

    /// The scripted failures that are not spent.
    pub fn faults(&self) -> Vec<Fault> {
        self.cell.lock().faults.clone()
    }

    /// The scopes that hold secrets: Baseten team ids, PrimeIntellect `None` (personal) and team ids, Pipecat set
    /// names, Braintrust organization names.
    pub fn scopes(&self) -> Vec<Option<String>> {
        self.cell.lock().tenant.scopes()
    }

    /// What a scope holds, by name; empty for an unknown scope.
    ///
    /// `None` is the default scope: Baseten's default team, PrimeIntellect's personal secrets, the first Braintrust
    /// organization; at Pipecat it is all sets, with names such as `set/KEY`.
    pub fn held(&self, scope: Option<&str>) -> BTreeMap<String, Held> {
        self.cell.lock().tenant.held(scope)
    }

    /// Names and values of a scope, for a plain comparison.
    pub fn values(&self, scope: Option<&str>) -> BTreeMap<String, String> {
        self.held(scope)
            .into_iter()
            .map(|(name, held)| (name, held.value))
            .collect()
    }

    /// Writes as another person would in the dashboard: no request is logged, timestamps move as by a real write.
    pub fn foreign_write(
        &self,
        scope: Option<&str>,
        name: &str,
        value: &str,
    ) -> Result<(), ForeignError> {
        let result = self
            .cell
            .lock()
            .tenant
            .foreign_write(&self.shared.world, scope, name, value);
        self.shared.changed();
        result
    }

    /// Deletes as another person would in the dashboard. At Pipecat `None` and a set's name delete the whole set.
    pub fn foreign_delete(&self, scope: Option<&str>, name: &str) -> Result<(), ForeignError> {
        let result = self
            .cell
            .lock()
            .tenant
            .foreign_delete(&self.shared.world, scope, name);
        self.shared.changed();
        result
    }

    /// The account's requests that the log still keeps, oldest first.
    pub fn requests(&self) -> Vec<Exchange> {
        self.shared.log.of_account(self.provider(), self.name())
    }

    /// The account's POST, PUT, PATCH and DELETE requests, oldest first.
    pub fn writes(&self) -> Vec<Exchange> {
        let mut exchanges = self.requests();
        exchanges.retain(Exchange::is_write);
        exchanges
    }

    /// The variants in force, as JSON.
    pub fn variants(&self) -> Value {
        self.cell.lock().tenant.variants()
    }

    /// Changes the variants that the given object names and keeps the others.
    pub fn merge_variants(&self, changes: &Value) -> Result<(), AccountError> {
        let changes = changes
            .as_object()
            .ok_or_else(|| AccountError::Invalid("variants must be an object".to_owned()))?;
        let mut inner = self.cell.lock();
        let mut variants = inner.tenant.variants();
        for (name, value) in changes {
            variants[name] = value.clone();
        }
        let result = inner.tenant.set_variants(variants);
        drop(inner);
        self.shared.changed();
        result.map_err(|error| AccountError::Invalid(error.to_string()))
    }

    /// Reads the account's state as the vendor module knows it. Notifies no waiter: a waiting predicate may read.
    pub(crate) fn read<T: Tenant, R>(&self, action: impl FnOnce(&T) -> R) -> R {
        let inner = self.cell.lock();
        let tenant: &dyn Any = inner.tenant.as_ref();
        action(tenant.downcast_ref().expect(ONE_PROVIDER))
    }

    /// Changes the account's state as the vendor module knows it.
    pub(crate) fn change<T: Tenant, R>(&self, action: impl FnOnce(&mut T) -> R) -> R {
        let mut inner = self.cell.lock();
        let tenant: &mut dyn Any = inner.tenant.as_mut();
        let result = action(tenant.downcast_mut().expect(ONE_PROVIDER));
        drop(inner);
        self.shared.changed();
        result
    }
}

/// Why a downcast holds: each handle is given its own accounts only.
const ONE_PROVIDER: &str = "the account belongs to the handle's provider";

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Account({}/{})", self.provider(), self.name())
    }
}
