//! The descriptor of a provider: what the operator knows of it before it knows an account.

use std::fmt;

use serde_json::{Map, Value};

use super::{AccountSpec, Options, PROVIDERS, Rules};
use crate::{
    api::{ProviderKind, ProviderSpec, Reason},
    http::Scheme,
};

/// What the operator knows of a provider before it knows an account. Each provider has one, in its
/// own file, and a row in [`PROVIDERS`].
#[derive(Debug)]
pub struct Descriptor {
    /// Which provider.
    pub kind: ProviderKind,
    /// The name in status, events, messages and logs. It enters every digest of the provider, so it
    /// never changes.
    pub name: &'static str,
    /// The name in flags and metric labels: lower-case letters and digits.
    pub flag: &'static str,
    /// The endpoints that need no flag, by name: the public API under
    /// [`DEFAULT_ENDPOINT`](super::Choice::DEFAULT_ENDPOINT), and others that the vendor
    /// publishes. `https` only.
    pub endpoints: &'static [(&'static str, &'static str)],
    /// How else than by [`Rules::scheme`] the API takes the key, if it does, and the flag that says so.
    pub other_scheme: Option<OtherScheme>,
    /// The rules for its secrets.
    pub rules: &'static Rules,
    /// What a user can do about a failure, where more can be said than for every provider: one or
    /// two sentences for each reason.
    pub advice: &'static [(Reason, &'static str)],
    /// What has to happen at the provider before every consumer has a value that was rotated: a sentence; none where a
    /// change takes effect by itself, as far as the vendor's documents say.
    pub after_rotation: Option<&'static str>,
    /// The options of an entry that the operator manages at this provider.
    pub managed: &'static [ManagedOption],
    /// The account in `spec.provider`, if the spec names one at this provider.
    pub account: fn(&ProviderSpec) -> Option<&dyn AccountSpec>,
}

/// A second way in which an API takes its key.
#[derive(Debug)]
pub struct OtherScheme {
    /// The flag that chooses between [`Rules::scheme`], the default, and this one.
    pub flag: &'static str,
    /// Its variable.
    pub variable: &'static str,
    /// The scheme.
    pub scheme: Scheme,
}

/// An option of an entry that the operator manages: another value is a change of the entry, because
/// it enters the entry's digest.
#[derive(Debug)]
pub struct ManagedOption {
    /// Its name in the digest. No other option of any provider has it.
    pub name: &'static str,
    /// Its value. None leaves the digest as it is without the option; so an option that comes later
    /// leaves the digests of the entries that do not use it.
    pub value: fn(&Options) -> Option<Value>,
}

impl Descriptor {
    /// What a user can do about a failure, where this provider says more than is said of all.
    pub fn advice(&self, reason: Reason) -> Option<&'static str> {
        let mut advice = self.advice.iter();
        advice.find_map(|(about, advice)| (*about == reason).then_some(*advice))
    }
}

impl ProviderKind {
    /// Its row of [`PROVIDERS`].
    pub fn descriptor(self) -> &'static Descriptor {
        PROVIDERS[self as usize]
    }

    /// The name in status, events, messages and logs.
    pub fn as_str(self) -> &'static str {
        self.descriptor().name
    }

    /// The name in flags and metric labels.
    pub fn flag(self) -> &'static str {
        self.descriptor().flag
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Options {
    /// The managed options as they enter a digest: a JSON object whose names are sorted.
    pub fn digest_text(&self) -> String {
        let managed = PROVIDERS.iter().flat_map(|provider| provider.managed);
        let fields: Map<String, Value> = managed
            .filter_map(|option| Some((option.name.to_owned(), (option.value)(self)?)))
            .collect();
        Value::Object(fields).to_string()
    }
}

/// Rows that are not in the order of [`ProviderKind`] do not compile.
const _: () = {
    let mut row = 0;
    while row < PROVIDERS.len() {
        assert!(
            PROVIDERS[row].kind as usize == row && ProviderKind::ALL[row] as usize == row,
            "PROVIDERS and ProviderKind::ALL are in the order of ProviderKind"
        );
        row += 1;
    }
};
