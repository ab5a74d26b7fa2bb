//! Pipecat Cloud's secret sets: several keys written together, of one organization and region.
//!
//! Contract: docs/vendors.md#pipecat-cloud.

mod api;
mod settings;
mod tenant;
mod wire;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, AccountError, NewKey, from_json},
    provider::{Provider, Vendor},
    simulator::Simulator,
    tenant::Held,
};

pub(crate) const VENDOR: Vendor = Vendor {
    refuse: wire::refuse,
    redirect: None,
    add_json: |simulator, account| simulator.pipecat().add_account(from_json(account)?),
    add_demo: |simulator, name, key| {
        let region = format!("{SELF_HOSTED}{name}");
        simulator.pipecat().add_account(
            NewAccount::new(name, key)
                .cluster_secret(&region, "cluster-secret", SetType::Secret)
                .cluster_secret(&region, "cluster-registry", SetType::ImagePullSecret),
        )
    },
};

/// How the code of a self-hosted region begins.
const SELF_HOSTED: &str = "pce-";

/// Points on which the documents differ or are silent. The defaults are the API of today, as the vendor's client speaks
/// it; the seed's and older readings are the other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variants {
    /// What a PUT does with keys that it does not name.
    pub put: Put,
    /// How a PUT is answered.
    pub put_answer: PutAnswer,
    /// How long a set is `pending` after a PUT.
    #[serde(
        rename = "ready_after_milliseconds",
        with = "crate::fault::milliseconds"
    )]
    pub ready_after: Duration,
    /// So many further PUTs end in `failed` instead of `ready`; counted down by each.
    pub failing_puts: u32,
    /// Leaves `status` out of sets, as older servers do.
    pub status_absent: bool,
    /// Whether an image pull secret can be updated.
    pub image_pull_update: ImagePullUpdate,
    /// When a set is busy and a PUT is answered with 409.
    pub conflict: Conflict,
    /// What is left after the last key was deleted.
    pub emptied_set: EmptiedSet,
    /// What is shown of the keys of a referenced set.
    pub referenced_keys: ReferencedKeys,
    /// The readiness of a referenced set.
    pub referenced_status: ReferencedStatus,
    /// Whether the list tells that a set is a reference; the set by itself always does.
    pub listed_source: ListedSource,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            put: Put::default(),
            put_answer: PutAnswer::default(),
            // Seconds at the vendor; long enough here to be seen, and short enough that tests do not wait.
            ready_after: Duration::from_millis(200),
            failing_puts: 0,
            status_absent: false,
            image_pull_update: ImagePullUpdate::default(),
            conflict: Conflict::default(),
            emptied_set: EmptiedSet::default(),
            referenced_keys: ReferencedKeys::default(),
            referenced_status: ReferencedStatus::default(),
            listed_source: ListedSource::default(),
        }
    }
}

/// See [`Variants::put`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    /// Keeps them.
    #[default]
    Merges,
    /// Removes them.
    Replaces,
}

/// See [`Variants::put_answer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutAnswer {
    /// 202 `{status: "OK", region}`.
    #[default]
    Accepted,
    /// 200 `{status: "OK"}`, as in the seed.
    Ok,
}

/// See [`Variants::image_pull_update`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImagePullUpdate {
    /// In place.
    #[default]
    Allowed,
    /// 400, as in the seed.
    Refused,
}

/// See [`Variants::conflict`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// While another PUT or DELETE of the same set runs.
    #[default]
    ConcurrentWrite,
    /// Also while the set is `pending`.
    WhilePending,
    /// Never, as in the seed.
    Never,
}

/// See [`Variants::emptied_set`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptiedSet {
    /// An empty set.
    #[default]
    Stays,
    /// Nothing.
    Vanishes,
}

/// See [`Variants::referenced_keys`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferencedKeys {
    /// An empty list.
    #[default]
    Empty,
    /// No list at all.
    Absent,
}

/// See [`Variants::referenced_status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferencedStatus {
    /// The region was heard of.
    #[default]
    Ready,
    /// It was not.
    Unknown,
}

/// See [`Variants::listed_source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListedSource {
    /// By `source`.
    #[default]
    Shown,
    /// Not at all: the vendor's client reads it of a set by itself only.
    Absent,
}

/// The `type` of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SetType {
    /// Keys and values.
    Secret,
    /// Credentials for one registry.
    ImagePullSecret,
}

/// A Kubernetes Secret in a self-hosted region, which a set can refer to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSecret {
    /// The region, whose code begins with `pce-`.
    pub region: String,
    /// The name of the Kubernetes Secret.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub set_type: SetType,
}

/// An organization to add. Its name in paths is that of the account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The account's name, for tests only.
    pub name: String,
    /// Its keys.
    #[serde(default)]
    pub keys: Vec<NewKey>,
    /// The region of sets that name none; `us-west` without one.
    #[serde(default)]
    pub default_region: Option<String>,
    /// The Kubernetes Secrets of its self-hosted regions, which are those that are named here.
    #[serde(default)]
    pub cluster_secrets: Vec<ClusterSecret>,
    /// The points that differ.
    #[serde(default)]
    pub variants: Variants,
}

impl NewAccount {
    /// An organization with one private key.
    pub fn new(name: impl Into<String>, key: impl Into<NewKey>) -> Self {
        Self {
            name: name.into(),
            keys: vec![key.into()],
            default_region: None,
            cluster_secrets: Vec::new(),
            variants: Variants::default(),
        }
    }

    /// Adds a Kubernetes Secret in a self-hosted region.
    pub fn cluster_secret(
        mut self,
        region: impl Into<String>,
        name: impl Into<String>,
        set_type: SetType,
    ) -> Self {
        self.cluster_secrets.push(ClusterSecret {
            region: region.into(),
            name: name.into(),
            set_type,
        });
        self
    }
}

/// A set as the vendor holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Where it lives.
    pub region: String,
    /// `pending`, `ready`, `failed` or `unknown`, as of now.
    pub status: &'static str,
    /// What it holds.
    pub content: Content,
}

/// What a set holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Keys and values.
    Regular(BTreeMap<String, Held>),
    /// Credentials for one registry.
    ImagePull {
        /// The registry, with a trailing slash.
        host: String,
        /// The credential.
        held: Held,
    },
    /// Nothing: what it refers to is in the organization's own cluster.
    Referenced(SetType),
}

impl Content {
    pub(crate) fn set_type(&self) -> SetType {
        match self {
            Self::Regular(_) => SetType::Secret,
            Self::ImagePull { .. } => SetType::ImagePullSecret,
            Self::Referenced(set_type) => *set_type,
        }
    }
}

/// The handle for Pipecat Cloud.
#[derive(Clone, Debug)]
pub struct Pipecat {
    simulator: Simulator,
}

impl Simulator {
    /// The handle for Pipecat Cloud.
    pub fn pipecat(&self) -> Pipecat {
        Pipecat {
            simulator: self.clone(),
        }
    }
}

impl Pipecat {
    /// Adds an organization.
    pub fn add_account(&self, account: NewAccount) -> Result<Account, AccountError> {
        let NewAccount {
            name,
            keys,
            default_region,
            cluster_secrets,
            variants,
        } = account;
        let organization =
            tenant::Organization::new(&name, default_region, cluster_secrets, variants)?;
        self.simulator
            .add_account(Provider::Pipecat, name, keys, Box::new(organization))
    }

    /// Changes the variants of an account.
    pub fn set_variants(&self, account: &Account, change: impl FnOnce(&mut Variants)) {
        account
            .change(|organization: &mut tenant::Organization| change(&mut organization.variants));
    }

    /// Changes the region of sets that name none, as an admin does.
    pub fn set_default_region(&self, account: &Account, region: &str) {
        account.change(|organization: &mut tenant::Organization| {
            region.clone_into(&mut organization.default_region);
        });
    }

    /// The sets by name.
    pub fn sets(&self, account: &Account) -> BTreeMap<String, Set> {
        account.read(|organization: &tenant::Organization| organization.sets())
    }
}
