//! An object as a watch or a list shows it. One that does not decode must not hide the others.

use kube::core::ObjectMeta;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::api::{ProviderSecret, ProviderSecretSpec, ProviderSecretStatus};

/// A ProviderSecret, or the metadata of one that does not decode.
///
/// kube's `DeserializeGuard` does the same for every kind: by a tree of the whole object, which it clones. With
/// it, to decode took the most of a start (docs/performance.md#what-costs-most).
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Shown")]
pub(crate) struct Guarded(pub(crate) Result<ProviderSecret, Box<ObjectMeta>>);

/// The parts of an object. Metadata has one form for all kinds and decodes always.
#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Tried<ProviderSecretSpec>,
    #[serde(default)]
    status: Tried<Option<ProviderSecretStatus>>,
}

/// A part of an object, unless it does not decode.
struct Tried<T>(Option<T>);

impl<T: DeserializeOwned> Default for Tried<T> {
    /// A part that is missing.
    fn default() -> Self {
        Self(T::deserialize(Value::Null).ok())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Tried<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let part = Value::deserialize(deserializer)?;
        Ok(Self(T::deserialize(&part).ok()))
    }
}

impl From<Shown> for Guarded {
    fn from(shown: Shown) -> Self {
        Self(match (shown.spec.0, shown.status.0) {
            (Some(spec), Some(status)) => Ok(ProviderSecret {
                metadata: shown.metadata,
                spec,
                status,
            }),
            _ => Err(Box::new(shown.metadata)),
        })
    }
}

/// Makes another form of a ProviderSecret known to kube as one. `$meta` and `$meta_mut` borrow its metadata.
macro_rules! resource {
    ($type:ty, $this:ident => $meta:expr, $meta_mut:expr) => {
        impl ::kube::Resource for $type {
            type DynamicType = ();
            type Scope = <$crate::api::ProviderSecret as ::kube::Resource>::Scope;

            fn kind((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::api::ProviderSecret::kind(&())
            }

            fn group((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::api::ProviderSecret::group(&())
            }

            fn version((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::api::ProviderSecret::version(&())
            }

            fn plural((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::api::ProviderSecret::plural(&())
            }

            fn meta(&self) -> &::kube::core::ObjectMeta {
                let $this = self;
                $meta
            }

            fn meta_mut(&mut self) -> &mut ::kube::core::ObjectMeta {
                let $this = self;
                $meta_mut
            }
        }
    };
}
pub(crate) use resource;

resource!(
    Guarded,
    this => this.0.as_ref().map_or_else(|meta| &**meta, |object| &object.metadata),
    this.0.as_mut().map_or_else(|meta| &mut **meta, |object| &mut object.metadata)
);

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;

    /// The name, and whether the object decodes.
    fn shown(object: Value) -> (String, bool) {
        let text = object.to_string();
        let guarded: Guarded = serde_json::from_str(&text).unwrap();
        let by_value: Guarded = serde_json::from_value(object).unwrap();
        assert_eq!(guarded.0.is_ok(), by_value.0.is_ok());
        (guarded.name_any(), guarded.0.is_ok())
    }

    #[test]
    fn an_object_that_does_not_decode_keeps_its_metadata() {
        let metadata = json!({"name": "a", "namespace": "b"});
        let spec = json!({"provider": {}});
        for (spec, status, decodes) in [
            (spec.clone(), json!({}), true),
            (spec.clone(), Value::Null, true),
            (spec, json!({"entries": 1}), false),
            (json!({"provider": 1}), json!({}), false),
            (json!("text"), Value::Null, false),
            (Value::Null, Value::Null, false),
        ] {
            let object = json!({"metadata": metadata, "spec": spec, "status": status});
            assert_eq!(shown(object.clone()), ("a".to_owned(), decodes), "{object}");
        }
        let missing = json!({"metadata": metadata});
        assert_eq!(shown(missing), ("a".to_owned(), false));
    }

    #[test]
    fn a_list_shows_the_others_too() {
        let object = |spec: Value| json!({"metadata": {"name": "a"}, "spec": spec});
        let items = [object(json!({"provider": {}})), object(json!([]))];
        let list = json!({"apiVersion": "a/v1", "kind": "List", "metadata": {}, "items": items});
        let list: kube::core::ObjectList<Guarded> = serde_json::from_value(list).unwrap();
        let decode: Vec<bool> = list.iter().map(|object| object.0.is_ok()).collect();
        assert_eq!(decode, [true, false]);
    }
}
