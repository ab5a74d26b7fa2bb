//! `spec.provider.pipecat.imagePullSecret`: a credential for one registry.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretKeyRef, SecretRef};

/// Where the credential of an image pull secret comes from: secretRef, or host with secretKeyRef.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.secretRef) != has(self.secretKeyRef)").message("give an image pull secret one source: secretRef for a kubernetes.io/dockerconfigjson Secret, or secretKeyRef together with host"),
    validation = Rule::new("!has(self.secretKeyRef) || has(self.host)").message("secretKeyRef needs host: name the registry that the credential is for"),
    validation = Rule::new("!has(self.host) || !self.host.startsWith('http://')").message("host takes no http://, because the credential would be sent in the clear: leave the scheme out or write https://")
)]
pub struct ImagePullSecret {
    /// A Secret of the type kubernetes.io/dockerconfigjson, such as `kubectl create secret
    /// docker-registry` makes. Registry and credential are taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// The registry that the credential is for, such as ghcr.io or `https://index.docker.io/v1/`.
    /// With secretRef it is needed only where that Secret holds credentials for several
    /// registries; it is compared without scheme and without the slash at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(
            pattern = r"^(https?://)?[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-._~A-Za-z0-9/]*)?$"
        )
    )]
    pub host: Option<String>,

    /// The key of a Secret that holds the credential as user:token, or as the base64 of that. It
    /// belongs to host and is not given with secretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// Where a credential for a registry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullSource<'a> {
    /// A `kubernetes.io/dockerconfigjson` Secret.
    Config {
        /// The Secret.
        secret: &'a SecretRef,
        /// The registry, where one is named.
        host: Option<&'a str>,
    },
    /// A key of a Secret.
    Key {
        /// The key.
        key: &'a SecretKeyRef,
        /// The registry.
        host: &'a str,
    },
}

impl ImagePullSecret {
    /// The source; none where there is not exactly one, which the schema refuses.
    pub fn source(&self) -> Option<ImagePullSource<'_>> {
        match (&self.secret_ref, &self.host, &self.secret_key_ref) {
            (Some(secret), host, None) => Some(ImagePullSource::Config {
                secret,
                host: host.as_deref(),
            }),
            (None, Some(host), Some(key)) => Some(ImagePullSource::Key { key, host }),
            _ => None,
        }
    }
}

impl<'a> ImagePullSource<'a> {
    /// The name of the Secret.
    pub fn secret_name(self) -> &'a str {
        match self {
            Self::Config { secret, .. } => &secret.name,
            Self::Key { key, .. } => &key.name,
        }
    }
}

/// What happens when Pipecat Cloud refuses to update the image pull secret. Never, the default,
/// leaves it as it is and reports the reason Immutable. Recreate deletes it and creates it again, if
/// this object wrote it; between the two there is a moment without a credential.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplaceImagePullSecret {
    /// It stays as it is.
    #[default]
    Never,
    /// It is deleted and created.
    Recreate,
}
