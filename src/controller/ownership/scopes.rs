//! Which scope each credential opens.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    account::KEY_SCOPE,
    api::{ProviderKind, SecretKeyRef},
};

/// Stands for an API key where two are compared.
pub(super) type Fingerprint = [u8; 32];

/// Where an object says its API key is, and which account at which provider it is to open. Objects
/// with one of these share their names, whatever the key turns out to open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CredentialRef {
    pub(super) kind: ProviderKind,
    pub(super) endpoint: String,
    /// The team or organization that the spec names.
    pub(super) field: Option<String>,
    pub(super) namespace: String,
    pub(super) secret: SecretKeyRef,
}

/// The scope that a key opens, as far as the account knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportedScope<'a> {
    pub(crate) id: &'a str,
    /// Whether the provider has said so in an answer to the key. Else the spec names the scope, which proves
    /// nothing.
    pub(crate) is_answered: bool,
}

/// Whose names they are, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope<'a> {
    /// The id that the provider reports, or what stands for the key where it reports none.
    Id(ProviderKind, &'a str, &'a str),
    /// No reconcile has read the key yet, and no status tells.
    Unidentified(&'a CredentialRef),
}

/// Every credential in use, and what is known of it.
#[derive(Default)]
pub(super) struct Scopes {
    credentials: HashMap<Arc<CredentialRef>, Credential>,
    /// What the provider reported under each key, and the credentials that hold it.
    keys: HashMap<(ProviderKind, Fingerprint), Key>,
}

#[derive(Default)]
struct Credential {
    /// The uids of the objects that name it.
    claimants: BTreeSet<Arc<str>>,
    key: Option<(Fingerprint, Box<str>)>,
    /// The scope in the status of one of the objects.
    recorded: Option<Box<str>>,
}

#[derive(Default)]
struct Key {
    credentials: Vec<Arc<CredentialRef>>,
    /// By endpoint and scope field: one key may open several teams.
    reported: HashMap<(String, Option<String>), Reported>,
}

/// As [`ReportedScope`].
struct Reported {
    id: Box<str>,
    is_answered: bool,
}

impl Scopes {
    /// Notes that an object names a credential, and what its status says of the scope. Gives the one
    /// copy of the credential, and whether it may open another scope than was known.
    pub(super) fn join(
        &mut self,
        uid: &Arc<str>,
        credential: CredentialRef,
        recorded: Option<&str>,
    ) -> (Arc<CredentialRef>, bool) {
        let shared = match self.credentials.get_key_value(&credential) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::new(credential),
        };
        let known = self.credentials.entry(Arc::clone(&shared)).or_default();
        known.claimants.insert(Arc::clone(uid));
        let is_new = known.recorded.is_none() && recorded.is_some();
        if is_new {
            known.recorded = recorded.map(Box::from);
        }
        (shared, is_new)
    }

    /// Notes that an object is gone or names another credential.
    pub(super) fn leave(&mut self, uid: &str, credential: &Arc<CredentialRef>) {
        let Some(known) = self.credentials.get_mut(credential) else {
            return;
        };
        known.claimants.remove(uid);
        if known.claimants.is_empty() {
            let known = self.credentials.remove(credential);
            let key = known.and_then(|known| known.key);
            self.drop_key(credential, key.map(|(key, _)| key));
        }
    }

    /// Whether the scope that a status records is already known for a credential.
    pub(super) fn is_recorded(
        &self,
        credential: &Arc<CredentialRef>,
        recorded: Option<&str>,
    ) -> bool {
        let known = self.credentials.get(credential);
        recorded.is_none() || known.is_some_and(|known| known.recorded.is_some())
    }

    /// Notes the key that a credential holds, `key_id` in status, and what the provider reported of
    /// the scope. Gives the credentials that may open another scope than was known.
    pub(super) fn identify(
        &mut self,
        credential: &Arc<CredentialRef>,
        (fingerprint, key_id): (Fingerprint, &str),
        reported: Option<ReportedScope<'_>>,
    ) -> Vec<Arc<CredentialRef>> {
        let Some(known) = self.credentials.get_mut(credential) else {
            return Vec::new();
        };
        let before = known.key.as_ref().map(|(key, _)| *key);
        let is_other = before != Some(fingerprint);
        if is_other {
            known.key = Some((fingerprint, key_id.into()));
            if before.is_some() {
                // It spoke of the key before.
                known.recorded = None;
            }
            self.drop_key(credential, before);
        }
        let key = self.keys.entry((credential.kind, fingerprint)).or_default();
        if is_other {
            key.credentials.push(Arc::clone(credential));
        }
        if let Some(ReportedScope { id, is_answered }) = reported {
            let account = (credential.endpoint.clone(), credential.field.clone());
            match key.reported.get_mut(&account) {
                Some(known) if *known.id == *id => known.is_answered |= is_answered,
                _ => {
                    let id = id.into();
                    key.reported.insert(account, Reported { id, is_answered });
                    return key.credentials.clone();
                }
            }
        }
        if is_other {
            vec![Arc::clone(credential)]
        } else {
            Vec::new()
        }
    }

    fn drop_key(&mut self, credential: &Arc<CredentialRef>, key: Option<Fingerprint>) {
        let Some(key) = key.map(|key| (credential.kind, key)) else {
            return;
        };
        if let Some(known) = self.keys.get_mut(&key) {
            known.credentials.retain(|other| other != credential);
            if known.credentials.is_empty() {
                self.keys.remove(&key);
            }
        }
    }

    /// The scope that a credential opens: as the provider reported it under the key, else as status
    /// says, else the key itself.
    pub(super) fn scope<'a>(&'a self, credential: &'a Arc<CredentialRef>) -> Scope<'a> {
        let Some(known) = self.credentials.get(credential) else {
            return Scope::Unidentified(credential);
        };
        let reported = self.reported(credential).map(|reported| &reported.id);
        let key = known.key.as_ref().map(|(_, id)| id);
        // What status says of a key that the object no longer uses says nothing of this one.
        let recorded = known.recorded.as_ref();
        let recorded =
            recorded.filter(|recorded| key.is_none() || !recorded.starts_with(KEY_SCOPE));
        match reported.or(recorded).or(key) {
            Some(id) => Scope::Id(credential.kind, &credential.endpoint, id),
            None => Scope::Unidentified(credential),
        }
    }

    /// Whether the provider has said in an answer to its key which scope a credential opens.
    pub(super) fn is_answered(&self, credential: &Arc<CredentialRef>) -> bool {
        let reported = self.reported(credential);
        reported.is_some_and(|reported| reported.is_answered)
    }

    fn reported(&self, credential: &Arc<CredentialRef>) -> Option<&Reported> {
        let (key, _) = self.credentials.get(credential)?.key.as_ref()?;
        let account = (credential.endpoint.clone(), credential.field.clone());
        let key = self.keys.get(&(credential.kind, *key))?;
        key.reported.get(&account)
    }

    /// Whether two credentials hold one key, as far as it is known.
    pub(super) fn is_same_key(&self, a: &Arc<CredentialRef>, b: &Arc<CredentialRef>) -> bool {
        let key = |one: &Arc<CredentialRef>| Some(self.credentials.get(one)?.key.as_ref()?.0);
        Arc::ptr_eq(a, b) || key(a).is_some_and(|key_of_a| Some(key_of_a) == key(b))
    }

    /// The uids of the objects that name a credential.
    pub(super) fn claimants(&self, credential: &Arc<CredentialRef>) -> Vec<Arc<str>> {
        let known = self.credentials.get(credential).into_iter();
        known
            .flat_map(|known| known.claimants.iter().cloned())
            .collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.credentials.is_empty() && self.keys.is_empty()
    }
}
