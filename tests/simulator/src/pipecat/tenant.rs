//! A Pipecat organization: its sets, their state in time, and what all vendors have in common.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    ClusterSecret, Conflict, Content, ReferencedStatus, SELF_HOSTED, Set, Variants, api::tree,
    wire::check_set_name,
};
use crate::{
    account::AccountError,
    call::{Call, Refusal, Reply},
    clock::World,
    tenant::{ForeignError, Held, Tenant},
};

/// The codes of `GET /v1/regions` and what the vendor calls them (docs/vendors.md#pipecat-cloud).
pub(super) const REGIONS: [(&str, &str); 4] = [
    ("us-west", "US West (Oregon)"),
    ("us-east", "US East (Virginia)"),
    ("eu-central", "Europe (Frankfurt)"),
    ("ap-south", "Asia Pacific (Mumbai)"),
];

fn is_cloud(code: &str) -> bool {
    REGIONS.iter().any(|(known, _)| *known == code)
}

#[derive(Debug)]
pub(super) struct Organization {
    pub(super) name: String,
    pub(super) variants: Variants,
    pub(super) default_region: String,
    pub(super) cluster_secrets: Vec<ClusterSecret>,
    pub(super) sets: BTreeMap<String, Stored>,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) region: String,
    pub(super) content: Content,
    ready_at: Instant,
    fails: bool,
}

impl Stored {
    pub(super) fn new(region: String, content: Content) -> Self {
        Self {
            region,
            content,
            ready_at: Instant::now(),
            fails: false,
        }
    }

    /// Starts the way from `pending` to `ready` or `failed`.
    pub(super) fn settle(&mut self, variants: &mut Variants) {
        self.ready_at = Instant::now() + variants.ready_after;
        self.fails = variants.failing_puts > 0;
        variants.failing_puts = variants.failing_puts.saturating_sub(1);
    }

    /// Where the set is on that way now; nothing runs in the background.
    pub(super) fn status(&self, variants: &Variants) -> &'static str {
        if matches!(self.content, Content::Referenced(_)) {
            match variants.referenced_status {
                ReferencedStatus::Ready => "ready",
                ReferencedStatus::Unknown => "unknown",
            }
        } else if Instant::now() < self.ready_at {
            "pending"
        } else if self.fails {
            "failed"
        } else {
            "ready"
        }
    }
}

impl Organization {
    pub(super) fn new(
        name: &str,
        default_region: Option<String>,
        cluster_secrets: Vec<ClusterSecret>,
        variants: Variants,
    ) -> Result<Self, AccountError> {
        let default_region = default_region.unwrap_or_else(|| REGIONS[0].0.to_owned());
        let unknown =
            |region: &str| Err(AccountError::Invalid(format!("unknown region {region:?}")));
        if let Some(secret) = cluster_secrets
            .iter()
            .find(|secret| !secret.region.starts_with(SELF_HOSTED))
        {
            return unknown(&secret.region);
        }
        let organization = Self {
            name: name.to_owned(),
            variants,
            default_region,
            cluster_secrets,
            sets: BTreeMap::new(),
        };
        if !organization.is_region(&organization.default_region) {
            return unknown(&organization.default_region);
        }
        Ok(organization)
    }

    /// The codes of the regions that the organization may use, and their names: the vendor's, then its own.
    pub(super) fn regions(&self) -> Vec<(&str, &str)> {
        let own: BTreeSet<&str> = self
            .cluster_secrets
            .iter()
            .map(|secret| &*secret.region)
            .collect();
        let own = own.into_iter().map(|region| (region, region));
        REGIONS.into_iter().chain(own).collect()
    }

    pub(super) fn is_region(&self, code: &str) -> bool {
        is_cloud(code) || self.is_self_hosted(code)
    }

    pub(super) fn is_self_hosted(&self, code: &str) -> bool {
        let mut own = self.cluster_secrets.iter();
        own.any(|secret| secret.region == code)
    }

    pub(super) fn sets(&self) -> BTreeMap<String, Set> {
        let view = |set: &Stored| Set {
            region: set.region.clone(),
            status: set.status(&self.variants),
            content: set.content.clone(),
        };
        self.sets
            .iter()
            .map(|(name, set)| (name.clone(), view(set)))
            .collect()
    }
}

/// Writes one key of a regular set.
pub(super) fn write_key(
    keys: &mut BTreeMap<String, Held>,
    world: &World,
    key: String,
    value: String,
    foreign: bool,
) {
    let now = world.tick();
    match keys.get_mut(&key) {
        Some(held) => held.write(value, now, foreign),
        None => drop(keys.insert(key, Held::new(value, None, now, foreign))),
    }
}

/// The name under which an image pull secret's one value is held.
const IMAGE_PULL_NAME: &str = "secretValue";

impl Tenant for Organization {
    fn occupies(&self, call: &Call<'_>) -> Option<String> {
        if self.variants.conflict == Conflict::Never {
            return None;
        }
        match (call.method, tree(&call.path()).1) {
            ("PUT" | "DELETE", ["secrets", set, ..]) => Some((*set).to_owned()),
            _ => None,
        }
    }

    fn respond(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        self.route(call)
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        super::wire::refuse(refusal)
    }

    fn scopes(&self) -> Vec<Option<String>> {
        self.sets.keys().cloned().map(Some).collect()
    }

    fn held(&self, scope: Option<&str>) -> BTreeMap<String, Held> {
        let keys = |set: &Stored| match &set.content {
            Content::Regular(keys) => keys.clone(),
            Content::ImagePull { held, .. } => {
                BTreeMap::from([(IMAGE_PULL_NAME.to_owned(), held.clone())])
            }
            Content::Referenced(_) => BTreeMap::new(),
        };
        match scope {
            Some(set) => self.sets.get(set).map(keys).unwrap_or_default(),
            None => self
                .sets
                .iter()
                .flat_map(|(set, stored)| {
                    keys(stored)
                        .into_iter()
                        .map(move |(key, held)| (format!("{set}/{key}"), held))
                })
                .collect(),
        }
    }

    fn foreign_write(
        &mut self,
        world: &World,
        scope: Option<&str>,
        name: &str,
        value: &str,
    ) -> Result<(), ForeignError> {
        let set = scope
            .filter(|set| check_set_name(set).is_ok())
            .ok_or_else(|| ForeignError::scope(scope))?;
        let region = self.default_region.clone();
        let stored = self
            .sets
            .entry(set.to_owned())
            .or_insert_with(|| Stored::new(region, Content::Regular(BTreeMap::new())));
        match &mut stored.content {
            Content::Regular(keys) => {
                write_key(keys, world, name.to_owned(), value.to_owned(), true);
            }
            Content::ImagePull { held, .. } => held.write(value.to_owned(), world.tick(), true),
            Content::Referenced(_) => return Err(ForeignError::scope(scope)),
        }
        stored.settle(&mut self.variants);
        Ok(())
    }

    fn foreign_delete(
        &mut self,
        _world: &World,
        scope: Option<&str>,
        name: &str,
    ) -> Result<(), ForeignError> {
        let Some(set) = scope else {
            return self
                .sets
                .remove(name)
                .map(drop)
                .ok_or_else(|| ForeignError::name(name));
        };
        let stored = self
            .sets
            .get_mut(set)
            .ok_or_else(|| ForeignError::scope(scope))?;
        match &mut stored.content {
            Content::Regular(keys) => keys
                .remove(name)
                .map(drop)
                .ok_or_else(|| ForeignError::name(name)),
            Content::ImagePull { .. } | Content::Referenced(_) => Err(ForeignError::name(name)),
        }
    }

    fn variants(&self) -> Value {
        json!(self.variants)
    }

    fn set_variants(&mut self, variants: Value) -> Result<(), serde_json::Error> {
        self.variants = serde_json::from_value(variants)?;
        Ok(())
    }
}
