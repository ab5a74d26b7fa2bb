//! `status.plan`: what would be done at the provider, and waits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MAX_NAME;

/// How many actions a plan names at most; it counts all of them.
pub const MAX_ACTIONS: usize = 50;

/// What would be done at the provider, and waits: for approval, or for the end of a suspension. It holds
/// names, never a value.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Stands for this plan: it is approved by the annotation providersecrets.dev/approved-plan with this
    /// value. If anything else would be done, the value is another.
    #[schemars(length(max = 64))]
    pub hash: String,

    /// How many names would be written for the first time.
    #[schemars(range(min = 0))]
    pub create: i32,

    /// How many names would be written again.
    #[schemars(range(min = 0))]
    pub update: i32,

    /// How many names would be deleted at the provider.
    #[schemars(range(min = 0))]
    pub delete: i32,

    /// How many names could not be written or deleted; the reasons are beside them.
    #[schemars(range(min = 0))]
    pub refuse: i32,

    /// How many names stay as they are.
    #[schemars(range(min = 0))]
    pub keep: i32,

    /// How many requests that change something the provider would get. Listings, which all objects of an
    /// account share, come on top.
    #[schemars(range(min = 0))]
    pub calls: i32,

    /// What would be done to which name, sorted by name: the first 50 names that do not stay as they are.
    #[serde(default)]
    #[schemars(length(max = MAX_ACTIONS))]
    pub actions: Vec<PlannedAction>,
}

/// What would be done to one name.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlannedAction {
    /// The name at the provider.
    #[schemars(length(max = MAX_NAME))]
    pub name: String,

    /// Create: it is written for the first time. Update: it is written again. Delete: it is deleted at the
    /// provider. Refuse: it cannot be written, or is held and not deleted.
    pub action: ActionKind,

    /// Why it is refused, or Recreate where an update may delete it; a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
}

/// What would be done to a name.
#[derive(
    JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord,
)]
pub enum ActionKind {
    /// It is written for the first time.
    Create,
    /// It is written again.
    Update,
    /// It is deleted at the provider.
    Delete,
    /// It cannot be written, or is held and not deleted.
    Refuse,
}

impl ActionKind {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Refuse => "Refuse",
        }
    }
}
