//! Accounts and keys of one provider.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::account::{Access, AccountError, Cell, NewKey};

/// A credential that the provider knows.
pub(crate) struct Key {
    pub(crate) cell: Arc<Cell>,
    /// Which of the account's keys, in the order of adding.
    pub(crate) ordinal: usize,
    pub(crate) primary_team: Option<String>,
    access: Mutex<Access>,
}

impl Key {
    pub(crate) fn access(&self) -> Access {
        *self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(crate) struct Directory(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    accounts: BTreeMap<String, Arc<Cell>>,
    keys: HashMap<String, Arc<Key>>,
}

impl Directory {
    pub(crate) fn account(&self, name: &str) -> Option<Arc<Cell>> {
        self.read().accounts.get(name).map(Arc::clone)
    }

    pub(crate) fn accounts(&self) -> Vec<Arc<Cell>> {
        self.read().accounts.values().map(Arc::clone).collect()
    }

    pub(crate) fn key(&self, key: &str) -> Option<Arc<Key>> {
        self.read().keys.get(key).map(Arc::clone)
    }

    /// Adds an account with all its keys, or nothing.
    pub(crate) fn add(&self, cell: &Arc<Cell>, keys: Vec<NewKey>) -> Result<(), AccountError> {
        let mut entries = self.write();
        if entries.accounts.contains_key(&cell.name) {
            return Err(AccountError::NameTaken(cell.name.clone()));
        }
        if let Some(key) = keys.iter().find_map(|key| entries.keys.get(&key.key)) {
            return Err(AccountError::KeyTaken {
                account: key.cell.name.clone(),
            });
        }
        entries.accounts.insert(cell.name.clone(), Arc::clone(cell));
        for key in keys {
            entries.insert(cell, key);
        }
        Ok(())
    }

    pub(crate) fn add_key(&self, cell: &Arc<Cell>, key: NewKey) -> Result<(), AccountError> {
        let mut entries = self.write();
        if let Some(key) = entries.keys.get(&key.key) {
            return Err(AccountError::KeyTaken {
                account: key.cell.name.clone(),
            });
        }
        entries.insert(cell, key);
        Ok(())
    }

    pub(crate) fn set_access(
        &self,
        cell: &Arc<Cell>,
        key: &str,
        access: Access,
    ) -> Result<(), AccountError> {
        let key = self
            .key(key)
            .filter(|key| Arc::ptr_eq(&key.cell, cell))
            .ok_or(AccountError::UnknownKey)?;
        *key.access.lock().unwrap_or_else(PoisonError::into_inner) = access;
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn insert(&mut self, cell: &Arc<Cell>, new: NewKey) {
        let NewKey {
            key,
            access,
            primary_team,
        } = new;
        let ordinal = self
            .keys
            .values()
            .filter(|key| Arc::ptr_eq(&key.cell, cell))
            .count();
        let entry = Key {
            cell: Arc::clone(cell),
            ordinal,
            primary_team,
            access: Mutex::new(access),
        };
        self.keys.insert(key, Arc::new(entry));
    }
}
