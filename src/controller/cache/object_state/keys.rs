//! The account of an object, and the key that its records were made with, as this process knows them.
//!
//! Status names that key, and another writer of status may name any. Under a key that no process has no seal can be
//! checked, and records would count without one (docs/security.md#what-a-user-who-may-write-only-its-status-may-do).

use std::sync::Arc;

use super::Tracked;
use crate::{
    account::{Account, DigestKey},
    api::{ProviderSecret, ProviderSecretStatus},
};

impl Tracked {
    /// Keeps the account alive; gives the one before, if it was another. `made_with` is the key that
    /// status says the records were made with.
    pub(crate) fn use_account(
        &mut self,
        account: &Arc<Account>,
        made_with: Option<&str>,
    ) -> Option<Arc<Account>> {
        let before = self.account.replace(Arc::clone(account));
        let other = before.filter(|before| !Arc::ptr_eq(before, account));
        if let Some(other) = &other {
            // What failed there says nothing of this one.
            self.reset_backoff();
            if is_named(&other.digests, made_with) {
                self.former_key = Some(Box::new(other.digests.clone()));
            }
        }
        other
    }

    /// The account, where one is known.
    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        self.account.clone()
    }

    /// The key that the records were made with before the object began to use another.
    pub(crate) fn former_key(&self) -> Option<DigestKey> {
        self.former_key.as_deref().cloned()
    }

    /// The records were written under the key that status names as `made_with`.
    pub(crate) fn followed(&mut self, made_with: &str) {
        self.former_key = None;
        self.seen_status.made_under(Some(made_with));
    }

    /// The status of an object with the key that its records were made with, where another writer has named one
    /// that this process neither saw there at first nor wrote.
    pub(crate) fn with_known_key(
        &mut self,
        object: &ProviderSecret,
    ) -> Option<ProviderSecretStatus> {
        let status = object.status.as_ref()?;
        let (shown, known) = (
            status.key_fingerprint.as_deref(),
            self.seen_status.made_with(),
        );
        if shown == known {
            return None;
        }
        // Another process wrote the first status, or the answer to our own write was lost.
        let may_be_written = known.is_none() || self.seen_status.is_sent(object);
        let is_used = |account: &Arc<Account>| is_named(&account.digests, shown);
        if may_be_written && self.account.as_ref().is_some_and(is_used) {
            self.seen_status.made_under(shown);
            return None;
        }
        Some(ProviderSecretStatus {
            key_fingerprint: known.map(str::to_owned),
            ..status.clone()
        })
    }
}

/// Whether this is the key that status names.
fn is_named(key: &DigestKey, named: Option<&str>) -> bool {
    named.is_some_and(|named| named == key.key_id())
}
