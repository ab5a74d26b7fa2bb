//! Which keys of its Secrets an object names: no other value is kept for it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use zeroize::Zeroizing;

use crate::{
    api::{EntrySource, ProviderSecret, ProviderSecretSpec},
    controller::{cache::NamedKeys, resolve::desired::KeyFilter},
    provider::Choice,
    template::Template,
};

/// The data of a Secret by key.
type Data = Arc<BTreeMap<String, Zeroizing<Vec<u8>>>>;

/// What an object names of one Secret.
#[derive(Default)]
pub(super) struct Named {
    keys: BTreeSet<String>,
    filters: Vec<KeyFilter>,
}

impl Named {
    /// The keys, where they are known before the Secret is read.
    pub(super) fn keys(&self) -> NamedKeys {
        self.filters.is_empty().then(|| self.keys.clone())
    }

    /// What is named of the data of a Secret.
    pub(super) fn of(&self, data: &Data) -> Data {
        let is_named = |key: &String| {
            self.keys.contains(key) || self.filters.iter().any(|filter| filter.takes(key))
        };
        if data.keys().all(is_named) {
            return Arc::clone(data);
        }
        let named = data.iter().filter(|(key, _)| is_named(key));
        let copies = named.map(|(key, value)| (key.clone(), value.clone()));
        Arc::new(copies.collect())
    }
}

/// What `data` and `dataFrom` name, by Secret. A template or a pattern that is wrong names nothing: it is
/// refused before its Secret counts.
pub(super) fn named(spec: &ProviderSecretSpec) -> HashMap<&str, Named> {
    let mut named: HashMap<&str, Named> = HashMap::new();
    for entry in spec.entries() {
        match entry.source() {
            Some(EntrySource::Key(reference)) => {
                let of = named.entry(&reference.name).or_default();
                of.keys.insert(reference.key.clone());
            }
            Some(EntrySource::Template { template, secret }) => {
                let of = named.entry(&secret.name).or_default();
                if let Ok(template) = Template::new(template) {
                    of.keys.extend(template.keys().map(str::to_owned));
                }
            }
            None => {}
        }
    }
    for (index, source) in spec.bulk_sources().iter().enumerate() {
        let of = named.entry(&source.secret_ref.name).or_default();
        of.filters.extend(KeyFilter::new(index, source));
    }
    named
}

/// The keys of a Secret that objects name, that of the API key too; none where one of them names all.
pub(super) fn named_together(
    objects: impl Iterator<Item = ProviderSecret>,
    secret: &str,
) -> NamedKeys {
    let mut keys = BTreeSet::new();
    for ProviderSecret { spec, .. } in objects {
        let api_key = spec.provider.choice().map(Choice::api_key_secret_ref);
        let api_key = api_key.filter(|reference| reference.name == secret);
        keys.extend(api_key.map(|reference| reference.key.clone()));
        if let Some(named) = named(&spec).get(secret) {
            keys.extend(named.keys()?);
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn key(key: &str) -> Value {
        json!({"name": "A", "secretKeyRef": {"name": "s", "key": key}})
    }

    fn template(text: &str) -> Value {
        json!({"name": "B", "template": text, "secretRef": {"name": "s"}})
    }

    fn spec(members: &Value) -> ProviderSecretSpec {
        let mut spec =
            json!({"provider": {"baseten": {"apiKeySecretRef": {"name": "api", "key": "k"}}}});
        spec.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[rstest]
    #[case::of_each("s", json!({"data": [template("{{ b }}")]}), Some(&["a", "b"][..]))]
    #[case::the_api_key("api", json!({"data": [key("b")]}), Some(&["k"][..]))]
    #[case::all("s", json!({"dataFrom": [{"secretRef": {"name": "s"}}]}), None)]
    fn what_several_objects_name_is_named_together(
        #[case] secret: &str,
        #[case] other: Value,
        #[case] expected: Option<&[&str]>,
    ) {
        let objects = [json!({"data": [key("a")]}), other];
        let objects = objects.map(|members| ProviderSecret::new("o", spec(&members)));
        let expected = expected.map(|keys| keys.iter().map(|key| (*key).to_owned()));
        let expected: NamedKeys = expected.map(Iterator::collect);
        assert_eq!(named_together(objects.into_iter(), secret), expected);
    }

    /// Cases: R-06
    #[rstest]
    #[case::a_key(json!({"data": [key("a")]}), &["a"])]
    #[case::a_template(json!({"data": [template("{{ b }}{{ secret['c.d'] }}")]}), &["b", "c.d"])]
    #[case::a_wrong_template(json!({"data": [template("{{ b"), key("a")]}), &["a"])]
    #[case::a_pattern(json!({"data": [key("a")], "dataFrom": [{"secretRef": {"name": "s"}, "include": ["c*"]}]}), &["a", "c.d"])]
    #[case::without(json!({"dataFrom": [{"secretRef": {"name": "s"}, "exclude": ["big"]}]}), &["a", "b", "c.d"])]
    #[case::all(json!({"dataFrom": [{"secretRef": {"name": "s"}}]}), &["a", "b", "big", "c.d"])]
    #[case::other_secrets(json!({"data": [key("a"), {"name": "C", "secretKeyRef": {"name": "t", "key": "big"}}]}), &["a"])]
    fn only_what_is_named_is_kept(#[case] members: Value, #[case] expected: &[&str]) {
        let value = |key: &str| (key.to_owned(), Zeroizing::new(b"value".to_vec()));
        let data = Arc::new(BTreeMap::from(["a", "b", "big", "c.d"].map(value)));
        let kept = named(&spec(&members))["s"].of(&data);
        assert_eq!(kept.keys().collect::<Vec<_>>(), expected);
        // Nothing is copied where all is named.
        assert_eq!(Arc::ptr_eq(&kept, &data), expected.len() == data.len());
    }
}
