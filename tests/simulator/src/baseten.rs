//! Baseten's secrets: one name and value per team, written by name.
//!
//! Contract: docs/vendors.md#baseten.

mod api;
mod tenant;
mod wire;

use std::collections::BTreeMap;

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
    add_json: |simulator, account| simulator.baseten().add_account(from_json(account)?),
    add_demo: |simulator, name, key| {
        simulator
            .baseten()
            .add_account(NewAccount::new(name, key).team(format!("{name}-team"), name))
    },
};

/// Points on which the documents differ or are silent. The defaults are the API of today, as the vendor's clients speak
/// it; the seeds' and older readings are the other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variants {
    /// Takes `Bearer` as well as `Api-Key`, as the vendor's clients rely on; the seeds know `Api-Key` only.
    pub bearer: bool,
    /// The content types under which a body is taken.
    pub content_type: ContentType,
    /// Which spelling of a folded name the vendor gives back.
    pub spelling: Spelling,
    /// Whether `SecretV1` has `id`: absent in both seeds, there in the newest document.
    pub id: bool,
    /// Whether `SecretV1` has `team_name`: absent in the workspace seed.
    pub team_name: bool,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            bearer: true,
            content_type: ContentType::Json,
            spelling: Spelling::First,
            id: true,
            team_name: true,
        }
    }
}

/// See [`Variants::content_type`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentType {
    /// `application/json`.
    #[default]
    Json,
    /// That of an HTML form as well, which curl sends in the seeds' examples.
    JsonOrForm,
}

/// Which spelling is listed after `hf-token` overwrote `hf_token`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spelling {
    /// That of the first write.
    #[default]
    First,
    /// That of the last write.
    Last,
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
    /// Its teams; the first is the default team. Empty means one team `<name>-default`.
    #[serde(default)]
    pub teams: Vec<NewTeam>,
    /// The points that differ.
    #[serde(default)]
    pub variants: Variants,
}

/// A team to add. Ids must be unique in the organization, names need not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// The id in paths.
    pub id: String,
    /// The name in answers.
    pub name: String,
}

impl NewAccount {
    /// An organization with one key and one team.
    pub fn new(name: impl Into<String>, key: impl Into<NewKey>) -> Self {
        Self {
            name: name.into(),
            keys: vec![key.into()],
            teams: Vec::new(),
            variants: Variants::default(),
        }
    }

    /// Adds a team.
    pub fn team(mut self, id: impl Into<String>, name: impl Into<String>) -> Self {
        self.teams.push(NewTeam {
            id: id.into(),
            name: name.into(),
        });
        self
    }
}

/// A secret as the vendor holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The name in the spelling of the first write.
    pub first_spelling: String,
    /// The name in the spelling of the last write.
    pub last_spelling: String,
    /// Value, id and times.
    pub held: Held,
}

/// The handle for Baseten.
#[derive(Clone, Debug)]
pub struct Baseten {
    simulator: Simulator,
}

impl Simulator {
    /// The handle for Baseten.
    pub fn baseten(&self) -> Baseten {
        Baseten {
            simulator: self.clone(),
        }
    }
}

impl Baseten {
    /// Adds an organization.
    pub fn add_account(&self, account: NewAccount) -> Result<Account, AccountError> {
        let NewAccount {
            name,
            keys,
            teams,
            variants,
        } = account;
        let organization =
            tenant::Organization::new(&name, teams, variants, self.simulator.world())?;
        self.simulator
            .add_account(Provider::Baseten, name, keys, Box::new(organization))
    }

    /// Changes the variants of an account.
    pub fn set_variants(&self, account: &Account, change: impl FnOnce(&mut Variants)) {
        account
            .change(|organization: &mut tenant::Organization| change(&mut organization.variants));
    }

    /// The secrets of a team by listed name; `None` is the default team.
    pub fn secrets(&self, account: &Account, team: Option<&str>) -> BTreeMap<String, Secret> {
        account.read(|organization: &tenant::Organization| organization.secrets(team))
    }
}
