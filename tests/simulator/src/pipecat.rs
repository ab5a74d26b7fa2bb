//! Pipecat Cloud's secret sets: several keys written together, of one organization and region.
//!
//! Contract: docs/vendors.md#pipecat-cloud.

mod api;
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
    add_demo: |simulator, name, key| simulator.pipecat().add_account(NewAccount::new(name, key)),
};

/// Points on which the documents differ or are silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// 200 `{status: "OK"}`, as in the seed.
    #[default]
    Ok,
    /// 202 `{status: "OK", region}`, as in the newer documents.
    Accepted,
}

/// See [`Variants::image_pull_update`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImagePullUpdate {
    /// 400, as in the seed.
    #[default]
    Refused,
    /// In place, as in the newer documents.
    Allowed,
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

/// An organization to add.
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
            variants: Variants::default(),
        }
    }
}

/// A set as the vendor holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Where it lives.
    pub region: String,
    /// `pending`, `ready` or `failed`, as of now.
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
            variants,
        } = account;
        let organization = tenant::Organization::new(default_region, variants)?;
        self.simulator
            .add_account(Provider::Pipecat, name, keys, Box::new(organization))
    }

    /// Changes the variants of an account.
    pub fn set_variants(&self, account: &Account, change: impl FnOnce(&mut Variants)) {
        account
            .change(|organization: &mut tenant::Organization| change(&mut organization.variants));
    }

    /// The sets by name.
    pub fn sets(&self, account: &Account) -> BTreeMap<String, Set> {
        account.read(|organization: &tenant::Organization| organization.sets())
    }
}
