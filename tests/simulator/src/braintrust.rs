//! Braintrust's `ai_secret`: one named secret per organization, with a type and metadata.
//!
//! Contract: docs/vendors.md#braintrust.

mod api;
mod tenant;
mod wire;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    account::{Account, AccountError, NewKey, from_json},
    provider::{Provider, Vendor},
    simulator::Simulator,
    tenant::Held,
};

pub(crate) const VENDOR: Vendor = Vendor {
    refuse: |refusal| wire::refuse(refusal, ErrorBody::default()),
    redirect: None,
    add_json: |simulator, account| simulator.braintrust().add_account(from_json(account)?),
    add_demo: |simulator, name, key| {
        simulator
            .braintrust()
            .add_account(NewAccount::new(name, key).organization(name))
    },
};

/// Points on which the documents differ or are silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variants {
    /// The form of error bodies; the seed allows both.
    pub errors: ErrorBody,
    /// Leaves `secret_updated_at` and `secret_updated_by_user_id` out, as older data planes do.
    pub secret_updated_at_absent: bool,
    /// The status for an id that does not exist; the documents list no 404.
    pub missing_id: MissingId,
    /// Whether `secret_updated_at` moves when the same secret is written again.
    pub equal_secret: EqualSecret,
}

/// See [`Variants::errors`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// `text/plain`.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// See [`Variants::missing_id`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingId {
    /// 404.
    #[default]
    NotFound,
    /// 400.
    BadRequest,
}

/// See [`Variants::equal_secret`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualSecret {
    /// It moves on each write of the secret.
    #[default]
    Moves,
    /// It stays.
    Stays,
}

/// A user to add.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The account's name, for tests only.
    pub name: String,
    /// The user's keys; each works in all of the user's organizations.
    #[serde(default)]
    pub keys: Vec<NewKey>,
    /// The names of the organizations; the first is used where a request names none. Empty means one with the
    /// account's name.
    #[serde(default)]
    pub organizations: Vec<String>,
    /// The points that differ.
    #[serde(default)]
    pub variants: Variants,
}

impl NewAccount {
    /// A user with one key and one organization of the same name.
    pub fn new(name: impl Into<String>, key: impl Into<NewKey>) -> Self {
        Self {
            name: name.into(),
            keys: vec![key.into()],
            organizations: Vec::new(),
            variants: Variants::default(),
        }
    }

    /// Adds an organization.
    pub fn organization(mut self, name: impl Into<String>) -> Self {
        self.organizations.push(name.into());
        self
    }
}

/// A secret as the vendor holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The id in paths.
    pub id: String,
    /// The organization's name.
    pub organization: String,
    /// The name, unique in the organization.
    pub name: String,
    /// The `type`.
    pub kind: Option<String>,
    /// The `metadata`.
    pub metadata: Option<Value>,
    /// The secret; a name may be held without one.
    pub secret: Option<String>,
    /// When the secret itself was last written.
    pub secret_updated: Option<jiff::Timestamp>,
    /// Who wrote it.
    pub secret_updated_by: Option<String>,
    /// Value and times.
    pub held: Held,
}

/// The handle for Braintrust.
#[derive(Clone, Debug)]
pub struct Braintrust {
    simulator: Simulator,
}

impl Simulator {
    /// The handle for Braintrust.
    pub fn braintrust(&self) -> Braintrust {
        Braintrust {
            simulator: self.clone(),
        }
    }
}

impl Braintrust {
    /// Adds a user.
    pub fn add_account(&self, account: NewAccount) -> Result<Account, AccountError> {
        let NewAccount {
            name,
            keys,
            organizations,
            variants,
        } = account;
        let user = tenant::User::new(&name, organizations, variants, self.simulator.world())?;
        self.simulator
            .add_account(Provider::Braintrust, name, keys, Box::new(user))
    }

    /// Changes the variants of an account.
    pub fn set_variants(&self, account: &Account, change: impl FnOnce(&mut Variants)) {
        account.change(|user: &mut tenant::User| change(&mut user.variants));
    }

    /// The secrets of an organization, newest first; `None` is the first organization.
    pub fn secrets(&self, account: &Account, organization: Option<&str>) -> Vec<Secret> {
        account.read(|user: &tenant::User| user.secrets(organization).cloned().collect())
    }

    /// The id of an organization, as in `org_id`.
    pub fn organization_id(&self, account: &Account, organization: &str) -> Option<String> {
        account.read(|user: &tenant::User| {
            user.organization(Some(organization))
                .map(|known| known.id.clone())
        })
    }
}
