//! API keys: read once for every version of their Secret, however many objects name it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};

use super::DigestKey;
use crate::api::{Reason, SecretKeyRef};

/// The longest API key that is sent, in bytes. The longest kind in the vendors' documents is a JWT.
const LONGEST: usize = 8 * 1024;

/// An API key that a header can hold: 1 to 8,192 bytes of printable ASCII. Its `Debug` does not
/// show it.
#[derive(Clone, Debug)]
pub struct Credential {
    key: SecretString,
    digests: DigestKey,
    fingerprint: [u8; 32],
}

impl Credential {
    /// Checks the bytes of a Secret's key. Line ends after the key are dropped: `echo` writes one.
    ///
    /// # Errors
    /// [`Reason::EmptyValue`] when the key is empty; [`Reason::CredentialInvalid`] when it is longer than 8,192 bytes
    /// or not printable ASCII.
    pub fn new(bytes: &[u8]) -> Result<Self, Reason> {
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::CredentialInvalid)?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Reason::EmptyValue);
        }
        let is_key =
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key {
            let key = SecretString::from(text);
            // Derived once here, and not by each reconcile that uses the key.
            let digests = DigestKey::derive(&key);
            let fingerprint = digests.fingerprint();
            Ok(Self {
                key,
                digests,
                fingerprint,
            })
        } else {
            Err(Reason::CredentialInvalid)
        }
    }

    /// The API key.
    pub fn key(&self) -> &SecretString {
        &self.key
    }

    /// The key of the digests of values that go to this key's account.
    pub fn digest_key(&self) -> DigestKey {
        self.digests.clone()
    }

    /// Stands for the API key where two keys are compared, in memory only.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.key.expose_secret() == other.key.expose_secret()
    }
}

/// A credential and the version of the Secret it was read from.
#[derive(Clone)]
pub struct Versioned {
    /// The credential, or why there is none.
    pub credential: Result<Arc<Credential>, Reason>,
    /// The resourceVersion of the Secret.
    pub version: String,
}

/// The slot of one credential. The reconcile that holds the lock reads the Secret, and the others
/// wait for it.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Versioned>>>;

/// The credentials in use, by namespace and reference.
#[derive(Default)]
pub struct Credentials {
    slots: Mutex<HashMap<(String, SecretKeyRef), Slot>>,
}

impl Credentials {
    /// The slot of the credential that `reference` names in `namespace`.
    pub fn slot(&self, namespace: &str, reference: &SecretKeyRef) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            slots
                .entry((namespace.to_owned(), reference.clone()))
                .or_default(),
        )
    }

    /// Forgets every credential.
    pub fn clear(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.clear();
    }

    /// Forgets every credential of a Secret that was deleted.
    pub fn forget(&self, namespace: &str, secret: &str) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|(of_namespace, reference), _| {
            of_namespace != namespace || reference.name != secret
        });
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"key-1", true)]
    #[case(b"key-1\n", true)]
    #[case(b"", false)]
    #[case(b"\n", false)]
    #[case(b"key 1", false)]
    #[case(b"key\n1", false)]
    #[case(b"key\0", false)]
    #[case(&[0xff, 0xfe], false)]
    fn a_key_fits_into_a_header(#[case] bytes: &[u8], #[case] accepted: bool) {
        assert_eq!(Credential::new(bytes).is_ok(), accepted);
        assert_eq!(
            Credential::new(&[b'a'; LONGEST + 1]),
            Err(Reason::CredentialInvalid)
        );
    }

    /// Cases: S-02
    #[test]
    fn a_credential_does_not_print_its_key() {
        let credential = Credential::new(b"canary-key").unwrap();
        assert!(!format!("{credential:?}").contains("canary"));
    }
}
