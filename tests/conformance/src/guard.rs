//! A provider that refuses to change anything that no run made, whatever a check asks of it.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use provider_secrets::{
    api::Reason,
    http::ProviderError,
    provider::{
        DeleteAnswer, DeleteRequest, Listing, Provider, Rules, SetKeys, Settled, Unit, Write,
        Written,
    },
};

use crate::names;

/// A provider behind the guard: a write and a deletion need a name of ours, and an id that was seen with one.
pub struct Guarded {
    inner: Box<dyn Provider>,
    ids: Mutex<HashSet<String>>,
}

impl Guarded {
    /// Guards `inner`.
    pub fn new(inner: Box<dyn Provider>) -> Self {
        Self {
            inner,
            ids: Mutex::default(),
        }
    }

    fn learn(&self, id: Option<&String>) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extend(id.cloned());
    }

    /// What the change goes to is the set at Pipecat, whatever its keys, and else the entry.
    fn check(&self, name: &str, id: Option<&str>) -> Result<(), ProviderError> {
        let is_known = |id: &str| {
            let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
            ids.contains(id)
        };
        if names::is_ours(self.inner.listed_name(name)) && id.is_none_or(is_known) {
            Ok(())
        } else {
            Err(ProviderError::config(Reason::InvalidKeyName))
        }
    }
}

#[async_trait]
impl Provider for Guarded {
    fn rules(&self) -> &'static Rules {
        self.inner.rules()
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        let listed = self.inner.list().await?;
        for remote in &listed.remotes {
            if names::is_ours(&remote.name) {
                self.learn(remote.id.as_ref());
            }
        }
        Ok(listed)
    }

    async fn set_keys(&self) -> Result<SetKeys, ProviderError> {
        self.inner.set_keys().await
    }

    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        if self.rules().unit == Unit::Set {
            self.check("", None)?;
        }
        for entry in entries {
            self.check(entry.name, entry.id)?;
        }
        let written = self.inner.write(entries).await?;
        self.learn(written.id.as_ref());
        Ok(written)
    }

    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        let shown = entry.shown.and_then(|shown| shown.id.as_deref());
        self.check(entry.name, entry.id.or(shown))?;
        self.inner.delete(entry).await
    }

    async fn delete_set(&self) -> Result<DeleteAnswer, ProviderError> {
        self.check("", None)?;
        self.inner.delete_set().await
    }

    async fn scope(&self) -> Result<Option<String>, ProviderError> {
        self.inner.scope().await
    }

    async fn settled(&self) -> Result<Settled, ProviderError> {
        self.inner.settled().await
    }

    fn listed_name<'a>(&'a self, entry: &'a str) -> &'a str {
        self.inner.listed_name(entry)
    }
}
