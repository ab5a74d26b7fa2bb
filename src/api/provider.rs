//! `spec.provider`: which account receives the values.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

mod rules;

use kube::{
    KubeSchema,
    core::{Rule, validate},
};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

pub(crate) use self::rules::enumerated;
use self::rules::{exactly_one_member, the_same_member, unchanged};
use super::{ImagePullSecret, ReplaceImagePullSecret, SecretKeyRef};

/// One of the providers. Each is a member of [`ProviderSpec`] and has a row in
/// [`PROVIDERS`](crate::provider::PROVIDERS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderKind {
    /// Baseten, <https://api.baseten.co>.
    Baseten,
    /// PrimeIntellect, <https://api.primeintellect.ai>.
    PrimeIntellect,
    /// Pipecat Cloud, <https://api.pipecat.daily.co>.
    Pipecat,
    /// Braintrust, <https://api.braintrust.dev>.
    Braintrust,
}

impl ProviderKind {
    /// Every provider, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Baseten,
        Self::PrimeIntellect,
        Self::Pipecat,
        Self::Braintrust,
    ];

    /// The name of its member of [`ProviderSpec`] in a manifest.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Baseten => "baseten",
            Self::PrimeIntellect => "primeIntellect",
            Self::Pipecat => "pipecat",
            Self::Braintrust => "braintrust",
        }
    }
}

/// The account that receives the values. Exactly one member is set.
///
/// A struct of optional members and not an enum: the API server answers a schema `oneOf` with
/// `must validate one and only one schema`, and a CEL rule with our own sentence. Boxed, because
/// thousands of objects are kept in memory and each sets one member.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one_member(),
    validation = the_same_member(),
    validation = unchanged("baseten", &["teamId", "endpoint"]),
    validation = unchanged("primeIntellect", &["teamId", "endpoint"]),
    validation = unchanged("pipecat", &["setName", "region", "endpoint"]),
    validation = Rule::new("!has(self.pipecat) || !has(oldSelf.pipecat) || has(self.pipecat.imagePullSecret) == has(oldSelf.pipecat.imagePullSecret)").message("whether imagePullSecret is given cannot change: create a new ProviderSecret and delete this one"),
    validation = Rule::new("!has(self.pipecat) || !has(self.pipecat.replaceImagePullSecret) || has(self.pipecat.imagePullSecret)").message("replaceImagePullSecret is for an image pull secret: give imagePullSecret or remove it"),
    validation = unchanged("braintrust", &["orgName", "endpoint"])
)]
pub struct ProviderSpec {
    /// An account at Baseten. Each entry becomes one secret of the workspace or team. Baseten
    /// treats every character of a name that is not a letter or digit as the same one, so two
    /// entries such as hf-token and hf_token are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseten: Option<Box<Baseten>>,

    /// An account at PrimeIntellect. Each entry becomes one global secret of the user or team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prime_intellect: Option<Box<PrimeIntellect>>,

    /// An account at Pipecat Cloud. The entries become the keys of one secret set. Running agents
    /// see new values after their next forced deployment. With imagePullSecret the set is a
    /// credential for a registry instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipecat: Option<Box<Pipecat>>,

    /// An account at Braintrust. Each entry becomes one AI secret of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub braintrust: Option<Box<Braintrust>>,
}

/// Rules of the spec that belong to one provider, as CEL and message.
const SPEC_RULES: &[(&str, &str)] = &[
    (
        "(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0) || (has(self.provider.pipecat) && has(self.provider.pipecat.imagePullSecret))",
        "name what to send: give data, dataFrom or both",
    ),
    (
        "!has(self.provider.pipecat) || !has(self.provider.pipecat.imagePullSecret) || (!has(self.data) && !has(self.dataFrom))",
        "an image pull secret has no entries: remove data and dataFrom, or imagePullSecret",
    ),
    (
        "!has(self.provider.pipecat) || !has(self.provider.pipecat.imagePullSecret) || !has(self.rewriteInterval)",
        "rewriteInterval is not for an image pull secret, which may refuse to be written again: remove it",
    ),
    (
        "!has(self.data) || !has(self.provider.primeIntellect) || self.data.all(e, e.name.matches('^[A-Z][A-Z0-9_]*$'))",
        "PrimeIntellect names start with an upper-case letter and hold upper-case letters, digits and underscores only",
    ),
    (
        "!has(self.data) || !has(self.provider.pipecat) || self.data.all(e, e.name.matches('^[A-Za-z0-9_-]{1,64}$'))",
        "Pipecat key names hold letters, digits, - and _ only, at most 64 characters",
    ),
    (
        "!has(self.data) || has(self.provider.braintrust) || self.data.all(e, !has(e.braintrust))",
        "data[].braintrust is for the Braintrust provider only: remove it",
    ),
    (
        "!has(self.data) || has(self.provider.primeIntellect) || self.data.all(e, !has(e.primeIntellect))",
        "data[].primeIntellect is for the PrimeIntellect provider only: remove it",
    ),
];

/// Adds the rules of the spec that belong to one provider to the schema of the spec.
pub(super) fn add_rules_of_the_spec(schema: &mut Schema) {
    for rule in SPEC_RULES {
        validate(schema, *rule).expect("a rule can be written as JSON");
    }
}

/// The rule that a provider has for the object as a whole, its name included.
pub(super) fn rule_of_the_object() -> Rule {
    Rule::new("!has(self.spec.provider.pipecat) || has(self.spec.provider.pipecat.setName) || (size(self.metadata.name) >= 3 && size(self.metadata.name) <= 63)").message("the name of this object is not a Pipecat set name (3 to 63 characters): give spec.provider.pipecat.setName")
}

/// An account at Baseten.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Baseten {
    /// The Secret key that holds the Baseten API key. No value of this Secret is sent. The key needs the right to write secrets: a
    /// personal key or a workspace key with full access.
    pub api_key_secret_ref: SecretKeyRef,

    /// The id of the Baseten team that owns the secrets. Without it the workspace API is used,
    /// which writes to the primary team of the key. A team id is recommended, because then
    /// reading and writing mean the same team. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub team_id: Option<String>,

    /// The name of the API endpoint, which the operator maps to a URL by its --endpoint flag. The
    /// default is the public API. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub endpoint: Option<String>,
}

/// An account at PrimeIntellect.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrimeIntellect {
    /// The Secret key that holds the PrimeIntellect API key. No value of this Secret is sent.
    pub api_key_secret_ref: SecretKeyRef,

    /// The id of the PrimeIntellect team that owns the secrets. Without it they are the personal
    /// secrets of the owner of the API key. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub team_id: Option<String>,

    /// The name of the API endpoint, which the operator maps to a URL by its --endpoint flag. The
    /// default is the public API. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub endpoint: Option<String>,
}

/// An account at Pipecat Cloud.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Pipecat {
    /// The Secret key that holds the Pipecat Cloud private API key. A public key is refused by
    /// Pipecat Cloud. No value of this Secret is sent.
    pub api_key_secret_ref: SecretKeyRef,

    /// The name of the secret set, unique in the Pipecat organization. The default is the name of
    /// this object. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 3, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub set_name: Option<String>,

    /// The region that stores the set, such as us-west. Pipecat Cloud fixes it when the set is
    /// created. Without it the default region of the organization is used. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub region: Option<String>,

    /// Makes the set an image pull secret: a credential with which Pipecat Cloud pulls images from
    /// one registry. The object then has no data and no dataFrom. Where the credential comes from
    /// can change, but whether it is an image pull secret cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_secret: Option<ImagePullSecret>,

    /// `kubectl explain` shows the text of [`ReplaceImagePullSecret`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_image_pull_secret: Option<ReplaceImagePullSecret>,

    /// The name of the API endpoint, which the operator maps to a URL by its --endpoint flag. The
    /// default is the public API. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub endpoint: Option<String>,
}

/// An account at Braintrust.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Braintrust {
    /// The Secret key that holds the Braintrust API key or service token. A service token is
    /// recommended, because an API key has the rights of the person who made it. No value of this
    /// Secret is sent.
    pub api_key_secret_ref: SecretKeyRef,

    /// The name of the Braintrust organization. It is needed only when the API key belongs to
    /// several organizations. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\x00-\x1f\x7f]+$"))]
    pub org_name: Option<String>,

    /// The name of the API endpoint, which the operator maps to a URL by its --endpoint flag. The
    /// default is the public API; eu is the API of European organizations. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub endpoint: Option<String>,
}
