//! Which Secret and key an entry at the provider comes from. Pure: from spec and status alone, and from the names of
//! the keys of a Secret where the user may read it.

use std::collections::BTreeMap;

use kube::ResourceExt;
use serde::Serialize;

use crate::{
    api::{Entry, EntrySource, ImagePullSource, ProviderSecret},
    controller::{KeyFilter, bulk_name, may_give},
    provider,
    template::Template,
};

/// The names of the keys of Secrets, as far as they are known, by the Secret's name.
pub(super) type Keys = BTreeMap<String, Vec<String>>;

/// Where the value of an entry comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Origin {
    /// The Secret, in the namespace of the object.
    pub(super) secret: String,
    /// Its keys: several for a template, none where `dataFrom` takes a key whose name is not known.
    pub(super) keys: Vec<String>,
}

impl Origin {
    fn new(secret: &str, keys: Vec<String>) -> Self {
        let secret = secret.to_owned();
        Self { secret, keys }
    }

    /// `secret/key`, with `*` for a key that is not known.
    pub(super) fn text(&self) -> String {
        let keys = match self.keys.as_slice() {
            [] => "*".to_owned(),
            keys => keys.join("+"),
        };
        format!("{}/{keys}", self.secret)
    }
}

/// The origins that an entry of an object may have: one for an entry of `data`, and one for each item of
/// `dataFrom` that may give the name. None for a record whose entry is no longer wanted.
pub(super) fn origins(object: &ProviderSecret, name: &str, keys: &Keys) -> Vec<Origin> {
    let of = object.name_any();
    if let Some((set, pull)) = object.spec.image_pull_secret(&of) {
        let source = pull.source().filter(|_| set == name);
        return source.map(of_image_pull).into_iter().collect();
    }
    let choice = object.spec.provider.choice();
    let folded = |name: &str| match choice {
        Some(choice) => (provider::rules(choice.kind()).fold)(name),
        None => name.to_owned(),
    };
    let explicit = || object.spec.entries().iter();
    let exact = explicit().find(|entry| entry.name == name);
    // Two entries may be one name to the provider, which is refused.
    let found = exact.or_else(|| explicit().find(|entry| folded(&entry.name) == folded(name)));
    if let Some(source) = found.and_then(Entry::source) {
        return vec![of_entry(source)];
    }
    let mut origins = Vec::new();
    for (index, source) in object.spec.bulk_sources().iter().enumerate() {
        let secret = &source.secret_ref.name;
        let filter = KeyFilter::new(index, source);
        match (keys.get(secret), filter) {
            (Some(keys), Ok(filter)) => {
                let gives = |key: &&String| filter.takes(key) && bulk_name(key, source) == name;
                let keys = keys.iter().filter(gives);
                origins.extend(keys.map(|key| Origin::new(secret, vec![key.clone()])));
            }
            _ if may_give(name, index, source) => {
                let prefix = source.prefix.as_deref().unwrap_or_default();
                let key = name
                    .strip_prefix(prefix)
                    .filter(|_| source.name_transform.is_none());
                let keys = key.map(str::to_owned).into_iter().collect();
                origins.push(Origin::new(secret, keys));
            }
            _ => {}
        }
    }
    origins
}

fn of_entry(source: EntrySource<'_>) -> Origin {
    match source {
        EntrySource::Key(key) => Origin::new(&key.name, vec![key.key.clone()]),
        EntrySource::Template { template, secret } => {
            let template = Template::new(template).ok();
            let keys = template.iter().flat_map(Template::keys).map(str::to_owned);
            Origin::new(&secret.name, keys.collect())
        }
    }
}

fn of_image_pull(source: ImagePullSource<'_>) -> Origin {
    match source {
        ImagePullSource::Config { secret, .. } => {
            Origin::new(&secret.name, vec![".dockerconfigjson".to_owned()])
        }
        ImagePullSource::Key { key, .. } => Origin::new(&key.name, vec![key.key.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn object(provider: &str, spec: Value) -> ProviderSecret {
        let mut spec = spec;
        let member = json!({"apiKeySecretRef": {"name": "api", "key": "key"}});
        if spec["provider"].is_null() {
            spec["provider"] = json!({provider: member});
        }
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
            "metadata": {"name": "object", "namespace": "ml"}, "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn texts(object: &ProviderSecret, name: &str, keys: &Keys) -> Vec<String> {
        origins(object, name, keys)
            .iter()
            .map(Origin::text)
            .collect()
    }

    #[rstest]
    #[case("HF_TOKEN", &["hf/token"])]
    #[case("hf_token", &["hf/lower"])]
    #[case("hf-token", &["hf/lower"])]
    #[case("hf.token", &["hf/dot"])]
    #[case("URL", &["db/password+user"])]
    #[case("APP_x", &["env/x", "more/*"])]
    #[case("APP_X", &["env/X", "more/*"])]
    #[case("OTHER", &[])]
    fn an_entry_names_its_secret_and_key(#[case] name: &str, #[case] expected: &[&str]) {
        let object = object(
            "baseten",
            json!({
                "data": [
                    {"name": "hf_token", "secretKeyRef": {"name": "hf", "key": "lower"}},
                    {"name": "hf.token", "secretKeyRef": {"name": "hf", "key": "dot"}},
                    {"name": "HF_TOKEN", "secretKeyRef": {"name": "hf", "key": "token"}},
                    {"name": "URL", "template": "{{ user }}:{{ password }}", "secretRef": {"name": "db"}},
                ],
                "dataFrom": [
                    {"secretRef": {"name": "env"}, "prefix": "APP_"},
                    {"secretRef": {"name": "more"}, "prefix": "APP_", "nameTransform": "UpperSnake"},
                ],
            }),
        );
        let mut expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        // What is not in upper case is not of a transform.
        if name == "APP_x" {
            expected.pop();
        }
        assert_eq!(texts(&object, name, &Keys::new()), expected);
    }

    #[test]
    fn known_keys_tell_which_of_several_sources_gave_an_entry() {
        let object = object(
            "pipecat",
            json!({
                "dataFrom": [
                    {"secretRef": {"name": "a"}, "nameTransform": "UpperSnake"},
                    {"secretRef": {"name": "b"}, "exclude": ["API_KEY"]},
                ],
            }),
        );
        let keys: Keys = [("a", "api-key"), ("b", "API_KEY")]
            .map(|(secret, key)| (secret.to_owned(), vec![key.to_owned()]))
            .into();
        assert_eq!(texts(&object, "API_KEY", &keys), ["a/api-key"]);
        assert_eq!(texts(&object, "API_KEY", &Keys::new()), ["a/*"]);
    }

    #[test]
    fn an_image_pull_secret_comes_from_its_secret() {
        let object = object(
            "pipecat",
            json!({"provider": {"pipecat": {
                "setName": "regcred", "imagePullSecret": {"secretRef": {"name": "reg"}},
                "apiKeySecretRef": {"name": "api", "key": "key"},
            }}}),
        );
        assert_eq!(
            texts(&object, "regcred", &Keys::new()),
            ["reg/.dockerconfigjson"]
        );
        assert!(texts(&object, "other", &Keys::new()).is_empty());
    }
}
