//! Digests: they tell, without the value, whether an entry changed.
//!
//! A digest is HMAC-SHA-256, under a key derived (HKDF) from the account's API key, over all that
//! decides what the provider holds. Equal values of two entries have different digests. Only a reader
//! of status who holds the API key can test a guess, which is a documented limit.

use std::fmt::Write as _;

use ring::{hkdf, hmac};
use secrecy::{ExposeSecret, SecretString};

use crate::provider::Options;

/// What the id of a scope begins with that the provider does not report: it stands for the API key.
pub const KEY_SCOPE: &str = "key:";

/// The derived key of one API key.
#[derive(Clone, Debug)]
pub struct DigestKey(hmac::Key);

/// The fields that enter the digest of an entry.
pub struct Digested<'a> {
    /// The uid of the object.
    pub uid: &'a str,
    /// Provider, endpoint and scope fields.
    pub target: &'a str,
    /// The folded name.
    pub name: &'a str,
    /// The value as it goes over the wire.
    pub value: &'a SecretString,
    /// The managed options.
    pub options: &'a Options,
}

/// The fields that enter the seal of a record.
pub struct Sealed<'a> {
    /// The uid of the object.
    pub uid: &'a str,
    /// Provider, endpoint and scope fields.
    pub target: &'a str,
    /// The folded name.
    pub name: &'a str,
    /// Id, version, time of the last write and what the listing showed before the first write, as
    /// status holds them.
    pub facts: [Option<&'a str>; 4],
    /// Whether it is being deleted.
    pub leaving: bool,
    /// When a value was sent last that may still come in.
    pub attempted_time: Option<&'a str>,
}

impl DigestKey {
    /// Derives the digest key of an API key.
    pub fn derive(api_key: &SecretString) -> Self {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"providersecrets.dev/v1");
        let pseudorandom = salt.extract(api_key.expose_secret().as_bytes());
        let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
        pseudorandom
            .expand(&[b"digest"], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(bytes.as_mut()))
            .expect("HKDF-SHA-256 gives 32 bytes");
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref()))
    }

    /// The digest of an entry: 128 bits in hexadecimal, enough to tell two values apart.
    pub fn digest(&self, entry: &Digested<'_>) -> String {
        let options = entry.options.digest_text();
        let mut context = hmac::Context::with_key(&self.0);
        let fields = [
            entry.uid,
            entry.target,
            entry.name,
            entry.value.expose_secret(),
            &options,
        ];
        for field in fields {
            // The length first, so that no two lists of fields make one text.
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        hexadecimal(&context.sign().as_ref()[..16])
    }

    /// The seal of a record: 128 bits in hexadecimal over what the provider acknowledged of a name
    /// and how it identifies it. A user who may write status but does not hold the API key cannot
    /// make one.
    pub fn seal(&self, record: &Sealed<'_>) -> String {
        let fields = [
            Some("seal"),
            Some(record.uid),
            Some(record.target),
            Some(record.name),
        ];
        let leaving = record.leaving.then_some(Some("leaving"));
        let attempted = record.attempted_time.into_iter();
        let attempted = attempted.flat_map(|time| [Some("attempted"), Some(time)]);
        let marks = leaving.into_iter().chain(attempted);
        self.seal_of(fields.into_iter().chain(record.facts).chain(marks))
    }

    /// The seal of the versions of Secrets, by name, that the records of an object were made from
    /// under a generation of its spec.
    pub fn seal_sources(&self, uid: &str, generation: i64, sources: &[(String, String)]) -> String {
        let generation = generation.to_string();
        let fields = ["sources", uid, &generation].into_iter();
        let sources = sources
            .iter()
            .flat_map(|(name, version)| [&**name, version]);
        self.seal_of(fields.chain(sources).map(Some))
    }

    /// The seal of what was approved for an object, or of a plan that waits for it.
    pub fn seal_approval<'a>(
        &self,
        uid: &'a str,
        target: &'a str,
        facts: impl Iterator<Item = &'a str>,
    ) -> String {
        let fields = ["approval", uid, target].into_iter();
        self.seal_of(fields.chain(facts).map(Some))
    }

    fn seal_of<'a>(&self, fields: impl Iterator<Item = Option<&'a str>>) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for field in fields {
            // An absent field is not an empty one.
            let (mark, text) = field.map_or((0_u8, ""), |text| (1, text));
            context.update(&[mark]);
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        hexadecimal(&context.sign().as_ref()[..16])
    }

    /// Stands for the API key where two keys are compared, in memory only.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hmac::sign(&self.0, b"fingerprint").as_ref());
        fingerprint
    }

    /// Stands for the API key in status: for `status.keyFingerprint`, and for the scope where the provider does not
    /// tell its id.
    pub fn key_id(&self) -> String {
        format!(
            "{KEY_SCOPE}{}",
            hexadecimal(&hmac::sign(&self.0, b"scope").as_ref()[..8])
        )
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests;
