//! What a vendor module implements for one account, and the neutral view of its secrets that all four share.

use std::{any::Any, collections::BTreeMap};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{
    call::{Call, Refusal, Reply},
    clock::World,
};

/// One secret as the vendor holds it, in the same form for all four.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The value; empty where Braintrust holds a name without a secret.
    pub value: String,
    /// The vendor's identifier, where it has one.
    pub id: Option<String>,
    /// When the name came into being.
    pub created: Timestamp,
    /// When anything about it was last written, whether or not the vendor tells.
    pub updated: Timestamp,
    /// How often the value was written, foreign writes included.
    pub writes: u64,
    /// Whether the last write was a foreign one.
    pub foreign: bool,
}

impl Held {
    pub(crate) fn new(value: String, id: Option<String>, now: Timestamp, foreign: bool) -> Self {
        Self {
            value,
            id,
            created: now,
            updated: now,
            writes: 1,
            foreign,
        }
    }

    pub(crate) fn write(&mut self, value: String, now: Timestamp, foreign: bool) {
        self.value = value;
        self.writes += 1;
        self.touch(now, foreign);
    }

    pub(crate) fn touch(&mut self, now: Timestamp, foreign: bool) {
        self.updated = now;
        self.foreign = foreign;
    }
}

/// A foreign change could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ForeignError(pub(crate) String);

impl ForeignError {
    pub(crate) fn scope(scope: Option<&str>) -> Self {
        Self(format!("the account has no scope {scope:?}"))
    }

    pub(crate) fn name(name: &str) -> Self {
        Self(format!("the scope holds no secret {name:?}"))
    }
}

/// One account at one vendor. Handlers are plain functions under the account's lock; waiting is the pipeline's job.
pub(crate) trait Tenant: Any + Send {
    /// Whether the vendor takes this scheme in `Authorization`.
    fn accepts_scheme(&self, scheme: &str) -> bool {
        scheme.eq_ignore_ascii_case("Bearer")
    }

    /// What this request keeps busy while it runs; a second one at the same time is refused as a conflict.
    fn occupies(&self, _call: &Call<'_>) -> Option<String> {
        None
    }

    /// Does what was asked.
    fn respond(&mut self, call: &Call<'_>) -> Result<Reply, Refusal>;

    /// Words a refusal as the vendor does.
    fn refuse(&self, refusal: &Refusal) -> Reply;

    /// The scopes that [`Tenant::held`] can be asked for.
    fn scopes(&self) -> Vec<Option<String>>;

    /// The secrets of a scope by name; empty for an unknown scope.
    fn held(&self, scope: Option<&str>) -> BTreeMap<String, Held>;

    /// Writes as another person would in the dashboard.
    fn foreign_write(
        &mut self,
        world: &World,
        scope: Option<&str>,
        name: &str,
        value: &str,
    ) -> Result<(), ForeignError>;

    /// Deletes as another person would in the dashboard.
    fn foreign_delete(
        &mut self,
        world: &World,
        scope: Option<&str>,
        name: &str,
    ) -> Result<(), ForeignError>;

    /// The variants in force.
    fn variants(&self) -> Value;

    /// Replaces the variants.
    fn set_variants(&mut self, variants: Value) -> Result<(), serde_json::Error>;
}
