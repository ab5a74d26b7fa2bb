//! What every object claims, behind a lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    claimant::{Claimant, Wants, credential},
    index::Index,
    scopes::ReportedScope,
};
use crate::{account::ObjectName, api::ProviderSecret, controller::plan::Successor};

/// What every object claims.
#[derive(Default)]
pub(crate) struct Claims(Mutex<Index>);

/// Another object with a claim on a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rival {
    pub(crate) uid: String,
    pub(crate) name: ObjectName,
    /// When its last acknowledged write of the name was.
    pub(crate) written: Option<Timestamp>,
}

impl Claims {
    /// Notes what an object claims, as the watch shows it, and gives the objects that this affects.
    pub(crate) fn note(&self, uid: &Arc<str>, object: &ProviderSecret) -> Vec<ObjectName> {
        note(&mut self.index(), uid, object)
    }

    /// The same, as the answer to a write shows it. An object that the watch has not shown, or has
    /// shown to be gone, claims nothing.
    pub(crate) fn update(&self, object: &ProviderSecret) -> Vec<ObjectName> {
        let uid = object.uid().unwrap_or_default();
        let mut index = self.index();
        if index.get(&uid).is_none() {
            return Vec::new();
        }
        note(&mut index, &Arc::from(uid), object)
    }

    /// Notes names that an object asks for and that its spec does not spell out.
    pub(crate) fn want<'a>(&self, uid: &str, folded: impl Iterator<Item = &'a str>) {
        let mut index = self.index();
        let Some(known) = index.get(uid).filter(|known| !known.claims_set()) else {
            return;
        };
        let new = folded.filter(|name| !known.names.contains(name));
        let new: Vec<Box<str>> = new.map(Box::from).collect();
        if !new.is_empty() {
            index.add_names(uid, new);
        }
    }

    /// Notes the API key that an object uses, with what stands for it in status, and what the
    /// provider reports of the scope. Gives the objects that this affects.
    pub(crate) fn identify(
        &self,
        uid: &str,
        key: ([u8; 32], &str),
        reported: Option<ReportedScope<'_>>,
    ) -> Vec<ObjectName> {
        let mut index = self.index();
        let Some(credential) = index.get(uid).map(|known| Arc::clone(&known.credential)) else {
            return Vec::new();
        };
        index.identify(&credential, key, reported)
    }

    /// Drops an object that is gone, and gives those that claim a name which it claimed.
    pub(crate) fn forget(&self, uid: &str) -> Vec<ObjectName> {
        let mut index = self.index();
        let others = index.others(uid);
        index.remove(uid);
        others
    }

    /// The owner of a name, if it is not the object itself.
    pub(crate) fn owner(&self, uid: &str, folded: &str) -> Option<Rival> {
        let index = self.index();
        let (uid, owner) = index.owner(uid, folded)?;
        Some(Rival {
            uid: uid.to_owned(),
            name: owner.name.clone(),
            written: owner.names.written(folded),
        })
    }

    /// Who has a name when an object gives it up: its owner, if that is another object, else the oldest of those
    /// that live on and claim it. A name is left to no object that is not known to write to the same place, and not to
    /// a next one that leaves alone what is there: deleted, the name is free for it. Nor is a `key` of a set left to one that
    /// does not ask for it.
    pub(crate) fn successor(&self, uid: &str, folded: &str, key: Option<&str>) -> Successor {
        let index = self.index();
        let Some(me) = index.get(uid) else {
            return Successor::None;
        };
        let owner = index.owner(uid, folded).map(|(_, owner)| owner);
        let others = index.sharing(uid, folded).map(|(_, other)| other);
        let claiming: Vec<&Claimant> = match owner {
            Some(owner) => vec![owner],
            None if me.keeps_set(folded) => Vec::new(),
            None => others.filter(|other| !other.is_deleting).collect(),
        };
        let verified = claiming.iter().filter(|other| index.is_verified(other, me));
        match verified.min_by(|a, b| a.age().cmp(&b.age())) {
            Some(next) if owner.is_some() || next.takes(folded) => {
                match key.map_or(Wants::Yes, |key| next.wants(key)) {
                    Wants::Yes => Successor::Object(next.name.clone()),
                    Wants::No => Successor::None,
                    Wants::Perhaps => Successor::Stranger,
                }
            }
            None if claiming.iter().any(|other| other.takes(folded)) => Successor::Stranger,
            Some(_) | None => Successor::None,
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(index: &mut Index, uid: &Arc<str>, object: &ProviderSecret) -> Vec<ObjectName> {
    let Some(choice) = object.spec.provider.choice() else {
        let others = index.others(uid);
        index.remove(uid);
        return others;
    };
    let status = object.status.as_ref();
    // Where the provider reports no scope, the key stands for it.
    let recorded = status.and_then(|status| {
        status
            .scope
            .as_deref()
            .or(status.key_fingerprint.as_deref())
    });
    let known = index.get(uid).map(|known| Arc::clone(&known.credential));
    let credential = credential(object, choice);
    let credential = match known {
        Some(known) if *known == credential && index.scopes.is_recorded(&known, recorded) => known,
        // Whatever else was known holds as long as it is the same credential.
        _ => index.join(uid, credential, recorded),
    };
    index.replace(uid, Claimant::new(object, choice, credential))
}

#[cfg(test)]
mod tests;
