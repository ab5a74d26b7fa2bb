//! PrimeIntellect's global secrets: created once by name, then changed by id, of a user or of a team.
//!
//! Contract: docs/vendors.md#primeintellect.

mod api;
mod environments;
mod tenant;
mod wire;

use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, AccountError, NewKey, from_json},
    provider::{Provider, Vendor},
    simulator::Simulator,
    tenant::Held,
};

pub(crate) const VENDOR: Vendor = Vendor {
    refuse: |refusal| wire::refuse(refusal, ErrorShape::default()),
    redirect: Some(wire::redirect),
    add_json: |simulator, account| simulator.prime_intellect().add_account(from_json(account)?),
    add_demo: |simulator, name, key| {
        simulator.prime_intellect().add_account(
            NewAccount::new(name, key)
                .team(format!("{name}-team"))
                .environment(format!("{name}/{name}-environment")),
        )
    },
};

/// Points on which the documents differ or are silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variants {
    /// The answer to creating a name that exists.
    pub duplicate: Duplicate,
    /// How the list names its count.
    pub count_field: CountField,
    /// Whether `updatedAt` moves on a PATCH that changes nothing.
    pub equal_patch: EqualPatch,
    /// Whether writes answer with the object or with `data: null`, which the seed's schema allows.
    pub write_answer: WriteAnswer,
    /// The form of error bodies.
    pub errors: ErrorShape,
    /// What `"description": null` does in a PATCH.
    pub null_description: NullDescription,
}

/// See [`Variants::duplicate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicate {
    /// 409.
    #[default]
    Conflict,
    /// 400.
    BadRequest,
    /// 422.
    Unprocessable,
    /// 200 and a second secret of that name.
    Silent,
}

/// See [`Variants::count_field`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountField {
    /// `total_count`, as in the schema.
    #[default]
    TotalCount,
    /// `totalCount`, as in the vendor's own client tests.
    TotalCountCamel,
    /// None at all.
    Absent,
}

/// See [`Variants::equal_patch`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualPatch {
    /// `updatedAt` moves on each PATCH.
    #[default]
    Moves,
    /// `updatedAt` stays when nothing changed.
    Stays,
}

/// See [`Variants::write_answer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteAnswer {
    /// The secret's metadata.
    #[default]
    Object,
    /// `data: null`.
    Null,
}

/// See [`Variants::errors`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// `{errors: [{param, details}]}`, as in the seed.
    #[default]
    Errors,
    /// `{detail: [{loc, msg, type}]}` for 422 and `{detail: "…"}` for the rest, as the framework does.
    Detail,
}

/// See [`Variants::null_description`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullDescription {
    /// Leaves the description.
    #[default]
    Leaves,
    /// Removes the description.
    Clears,
}

/// A user to add.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The account's name, for tests only.
    pub name: String,
    /// The user's keys.
    #[serde(default)]
    pub keys: Vec<NewKey>,
    /// The ids of the teams that the user is a member of.
    #[serde(default)]
    pub teams: Vec<String>,
    /// The environments of the hub that are the user's, as `owner/name`.
    #[serde(default)]
    pub environments: Vec<String>,
    /// The points that differ.
    #[serde(default)]
    pub variants: Variants,
}

impl NewAccount {
    /// A user with one key and no team.
    pub fn new(name: impl Into<String>, key: impl Into<NewKey>) -> Self {
        Self {
            name: name.into(),
            keys: vec![key.into()],
            teams: Vec::new(),
            environments: Vec::new(),
            variants: Variants::default(),
        }
    }

    /// Makes the user a member of a team.
    pub fn team(mut self, id: impl Into<String>) -> Self {
        self.teams.push(id.into());
        self
    }

    /// Adds an environment of the hub.
    pub fn environment(mut self, slug: impl Into<String>) -> Self {
        self.environments.push(slug.into());
        self
    }
}

/// A secret as the vendor holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The id in paths.
    pub id: String,
    /// The name, which is unique in its scope unless duplicates are silent.
    pub name: String,
    /// The readable description.
    pub description: Option<String>,
    /// Whether the value is a file in base64.
    pub is_file: bool,
    /// The team; `None` is the user's personal scope.
    pub team: Option<String>,
    /// Value and times.
    pub held: Held,
}

/// The handle for PrimeIntellect.
#[derive(Clone, Debug)]
pub struct PrimeIntellect {
    simulator: Simulator,
}

impl Simulator {
    /// The handle for PrimeIntellect.
    pub fn prime_intellect(&self) -> PrimeIntellect {
        PrimeIntellect {
            simulator: self.clone(),
        }
    }
}

impl PrimeIntellect {
    /// Adds a user.
    pub fn add_account(&self, account: NewAccount) -> Result<Account, AccountError> {
        let NewAccount {
            name,
            keys,
            teams,
            environments,
            variants,
        } = account;
        let world = self.simulator.world();
        let user = tenant::User::new(&name, teams, environments, variants, world);
        self.simulator
            .add_account(Provider::PrimeIntellect, name, keys, Box::new(user))
    }

    /// Changes the variants of an account.
    pub fn set_variants(&self, account: &Account, change: impl FnOnce(&mut Variants)) {
        account.change(|user: &mut tenant::User| change(&mut user.variants));
    }

    /// The secrets of a team, oldest first; `None` is the personal scope.
    pub fn secrets(&self, account: &Account, team: Option<&str>) -> Vec<Secret> {
        account.read(|user: &tenant::User| user.secrets(team).cloned().collect())
    }
}
