//! `spec.provider`: which account receives the values.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

mod kind;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::kind::ProviderKind;
use super::{ImagePullSecret, ReplaceImagePullSecret, SecretKeyRef};

/// The account that receives the values. Exactly one member is set.
///
/// A struct of optional members and not an enum: the API server answers a schema `oneOf` with
/// `must validate one and only one schema`, and a CEL rule with our own sentence. Boxed, because
/// thousands of objects are kept in memory and each has one of the four.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.baseten), has(self.primeIntellect), has(self.pipecat), has(self.braintrust)].filter(x, x).size() == 1").message("give exactly one of baseten, primeIntellect, pipecat and braintrust"),
    validation = Rule::new("has(self.baseten) == has(oldSelf.baseten) && has(self.primeIntellect) == has(oldSelf.primeIntellect) && has(self.pipecat) == has(oldSelf.pipecat) && has(self.braintrust) == has(oldSelf.braintrust)").message("the provider cannot change: create a new ProviderSecret and delete this one"),
    validation = Rule::new(unchanged("baseten", &["teamId", "endpoint"])).message("teamId and endpoint cannot change: create a new ProviderSecret and delete this one"),
    validation = Rule::new(unchanged("primeIntellect", &["teamId", "endpoint"])).message("teamId and endpoint cannot change: create a new ProviderSecret and delete this one"),
    validation = Rule::new(unchanged("pipecat", &["setName", "region", "endpoint"])).message("setName, region and endpoint cannot change: create a new ProviderSecret and delete this one"),
    validation = Rule::new("!has(self.pipecat) || !has(oldSelf.pipecat) || has(self.pipecat.imagePullSecret) == has(oldSelf.pipecat.imagePullSecret)").message("whether imagePullSecret is given cannot change: create a new ProviderSecret and delete this one"),
    validation = Rule::new("!has(self.pipecat) || !has(self.pipecat.replaceImagePullSecret) || has(self.pipecat.imagePullSecret)").message("replaceImagePullSecret is for an image pull secret: give imagePullSecret or remove it"),
    validation = Rule::new(unchanged("braintrust", &["orgName", "endpoint"])).message("orgName and endpoint cannot change: create a new ProviderSecret and delete this one")
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

/// A rule that holds when the fields of a member are as they were. It sits on `spec.provider`, which
/// is required: on the member itself it would not run when the member is dropped and given again.
fn unchanged(member: &str, fields: &[&str]) -> String {
    let same = fields.iter().map(|field| {
        let (new, old) = (
            format!("self.{member}.{field}"),
            format!("oldSelf.{member}.{field}"),
        );
        format!("has({new}) == has({old}) && (!has({new}) || {new} == {old})")
    });
    let same: Vec<String> = same.collect();
    format!(
        "!has(self.{member}) || !has(oldSelf.{member}) || ({})",
        same.join(" && ")
    )
}

/// An account at Baseten.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Baseten {
    /// The Secret key that holds the Baseten API key. It needs the right to write secrets: a
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
    /// The Secret key that holds the PrimeIntellect API key.
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
    /// Pipecat Cloud.
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

    /// What happens when Pipecat Cloud refuses to update the image pull secret. Never, the default,
    /// leaves it as it is and reports the reason Immutable. Recreate deletes it and creates it
    /// again, if this object wrote it; between the two there is a moment without a credential.
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
    /// recommended, because an API key has the rights of the person who made it.
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

impl Pipecat {
    /// The name of the set; `object` is the name of the ProviderSecret.
    pub fn set_name<'a>(&'a self, object: &'a str) -> &'a str {
        self.set_name.as_deref().unwrap_or(object)
    }

    /// Whether an image pull secret that refuses an update may be deleted and created.
    pub fn may_recreate(&self) -> bool {
        self.replace_image_pull_secret == Some(ReplaceImagePullSecret::Recreate)
    }
}

/// The one member of [`ProviderSpec`] that is set.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'a> {
    /// `spec.provider.baseten`.
    Baseten(&'a Baseten),
    /// `spec.provider.primeIntellect`.
    PrimeIntellect(&'a PrimeIntellect),
    /// `spec.provider.pipecat`.
    Pipecat(&'a Pipecat),
    /// `spec.provider.braintrust`.
    Braintrust(&'a Braintrust),
}

impl ProviderSpec {
    /// The member that is set; none when the schema was bypassed and there is none, or several.
    pub fn choice(&self) -> Option<Choice<'_>> {
        match (
            &self.baseten,
            &self.prime_intellect,
            &self.pipecat,
            &self.braintrust,
        ) {
            (Some(baseten), None, None, None) => Some(Choice::Baseten(baseten)),
            (None, Some(prime), None, None) => Some(Choice::PrimeIntellect(prime)),
            (None, None, Some(pipecat), None) => Some(Choice::Pipecat(pipecat)),
            (None, None, None, Some(braintrust)) => Some(Choice::Braintrust(braintrust)),
            _ => None,
        }
    }
}

impl<'a> Choice<'a> {
    /// Which of the four it is.
    pub fn kind(self) -> ProviderKind {
        match self {
            Self::Baseten(_) => ProviderKind::Baseten,
            Self::PrimeIntellect(_) => ProviderKind::PrimeIntellect,
            Self::Pipecat(_) => ProviderKind::Pipecat,
            Self::Braintrust(_) => ProviderKind::Braintrust,
        }
    }

    /// Where the API key is.
    pub fn api_key_secret_ref(self) -> &'a SecretKeyRef {
        match self {
            Self::Baseten(spec) => &spec.api_key_secret_ref,
            Self::PrimeIntellect(spec) => &spec.api_key_secret_ref,
            Self::Pipecat(spec) => &spec.api_key_secret_ref,
            Self::Braintrust(spec) => &spec.api_key_secret_ref,
        }
    }

    /// The set and its image pull secret, if it is to be one.
    pub fn image_pull_secret(self) -> Option<(&'a Pipecat, &'a ImagePullSecret)> {
        match self {
            Self::Pipecat(spec) => Some((spec, spec.image_pull_secret.as_ref()?)),
            Self::Baseten(_) | Self::PrimeIntellect(_) | Self::Braintrust(_) => None,
        }
    }

    /// The endpoint name, [`Choice::DEFAULT_ENDPOINT`] where none is given.
    pub fn endpoint(self) -> &'a str {
        match self {
            Self::Baseten(spec) => &spec.endpoint,
            Self::PrimeIntellect(spec) => &spec.endpoint,
            Self::Pipecat(spec) => &spec.endpoint,
            Self::Braintrust(spec) => &spec.endpoint,
        }
        .as_deref()
        .unwrap_or(Choice::DEFAULT_ENDPOINT)
    }
}

impl Choice<'_> {
    /// The endpoint that is meant where `endpoint` is absent.
    pub const DEFAULT_ENDPOINT: &'static str = "default";
}
