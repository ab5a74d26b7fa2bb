//! `spec.data` and `spec.dataFrom`: which values are sent, under which names.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One entry: one name at the provider and where its value comes from, which is either secretKeyRef
/// or template together with secretRef.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.secretKeyRef) != has(self.template)").message("give each entry one source: secretKeyRef for a key as it is, or template with secretRef for a text made of keys"),
    validation = Rule::new("has(self.template) == has(self.secretRef)").message("template and secretRef belong together: give both, or secretKeyRef alone"),
    validation = Rule::new("self.?primeIntellect.?isFile.orValue(false) == oldSelf.?primeIntellect.?isFile.orValue(false)").message("isFile cannot change, because PrimeIntellect fixes it when a secret is created: use another name")
)]
pub struct Entry {
    /// The name at the provider: letters, digits, `_`, `.` and `-`, starting with a letter, a digit
    /// or `_`. Each provider has rules of its own on top: PrimeIntellect takes upper-case letters,
    /// digits and `_` only, Pipecat no `.` and at most 64 characters.
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    )]
    pub name: String,

    /// The key of a Secret in the namespace of this object that holds the value. Its bytes are
    /// sent as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,

    /// A text with the keys of the Secret of secretRef in it, at most 4 KiB, such as
    /// `postgres://{{ user }}:{{ password | urlencode }}@db/app`. Between `{{` and `}}` stands a
    /// key, or `secret["api-key"]` for one that is not a plain name. Filters are b64decode,
    /// b64encode, default, lower, replace, tojson, trim, upper and urlencode, and statements are
    /// if, elif, else and endif. Everything else is sent as it is written. The template is not
    /// secret: write no password into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub template: Option<String>,

    /// The Secret that the template takes its keys from. It belongs to template and is not given
    /// with secretKeyRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// Options that only Braintrust knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub braintrust: Option<BraintrustOptions>,

    /// Options that only PrimeIntellect knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prime_intellect: Option<PrimeIntellectOptions>,
}

/// The options of an entry that only its provider knows. They are managed: a change of one is a
/// change of the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `braintrust` of the entry.
    pub braintrust: BraintrustOptions,
    /// `primeIntellect` of the entry.
    pub prime_intellect: PrimeIntellectOptions,
    /// The registry, if the entry is an image pull secret.
    pub host: Option<String>,
}

/// Where the value of an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntrySource<'a> {
    /// A key, as it is.
    Key(&'a SecretKeyRef),
    /// A text made of the keys of a Secret.
    Template {
        /// The template.
        template: &'a str,
        /// The Secret.
        secret: &'a SecretRef,
    },
}

impl Entry {
    /// The source; none where there is not exactly one, which the schema refuses.
    pub fn source(&self) -> Option<EntrySource<'_>> {
        match (&self.secret_key_ref, &self.template, &self.secret_ref) {
            (Some(key), None, None) => Some(EntrySource::Key(key)),
            (None, Some(template), Some(secret)) => {
                Some(EntrySource::Template { template, secret })
            }
            _ => None,
        }
    }

    /// The options that only one provider knows.
    pub fn options(&self) -> Options {
        Options {
            braintrust: self.braintrust.clone().unwrap_or_default(),
            prime_intellect: self.prime_intellect.clone().unwrap_or_default(),
            host: None,
        }
    }
}

impl<'a> EntrySource<'a> {
    /// The name of the Secret.
    pub fn secret_name(self) -> &'a str {
        match self {
            Self::Key(key) => &key.name,
            Self::Template { secret, .. } => &secret.name,
        }
    }
}

/// A key of a Secret in the namespace of the object.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret. It is always looked up in the namespace of this object.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,

    /// The key in the Secret's data.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// A Secret in the namespace of the object.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of the Secret. It is always looked up in the namespace of this object.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// What only Braintrust knows of an AI secret.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BraintrustOptions {
    /// The kind of AI provider the secret is for, such as openai or anthropic. The Braintrust proxy
    /// uses a secret only when it knows its type. Without this field the type is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\x00-\x1f\x7f]+$"))]
    pub r#type: Option<String>,

    /// Settings that belong to the type, such as api_base. They are not secret. When given, they
    /// replace all of the secret's metadata; without this field the metadata is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<Map<String, Value>>,
}

/// What only PrimeIntellect knows of a secret.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrimeIntellectOptions {
    /// A text that PrimeIntellect shows beside the secret. Without this field it is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub description: Option<String>,

    /// Whether the value is a file. Its bytes, of any kind, are then sent base64 encoded and may
    /// be at most 64 KB so encoded. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_file: Option<bool>,
}

/// A Secret of which every key becomes an entry.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DataFromSource {
    /// The Secret in the namespace of this object.
    pub secret_ref: SecretRef,

    /// Patterns of the keys to take, compared with the keys as they are in the Secret: `*` stands
    /// for any characters, `?` for one, `[ab]` for one of a set, `{a,b}` for one of several.
    /// Without patterns every key is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub include: Option<Vec<String>>,

    /// Patterns of the keys to leave out. A key that is both included and excluded is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub exclude: Option<Vec<String>>,

    /// `kubectl explain` shows the text of [`NameTransform`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_transform: Option<NameTransform>,

    /// A text that is put before each name, after nameTransform and as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    )]
    pub prefix: Option<String>,
}

/// How a Secret's key becomes a name. The default is the key as it is. With UpperSnake, `-` and `.` become `_`, a lower-case letter
/// or digit is parted from an upper-case letter after it by `_`, and letters become upper case:
/// api.keyName becomes API_KEY_NAME. A key without lower-case letters is not parted: S3BUCKET stays.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameTransform {
    /// Words in upper case, parted by `_`.
    UpperSnake,
}

/// The schema of an object whose members are the user's own.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "nullable": true,
        // Applied as a whole: of a granular map that loses its last member, server-side apply
        // makes null, which would mean "not managed".
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": true
    })
}
