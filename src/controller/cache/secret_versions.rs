//! The versions of all Secrets, from a watch of metadata. No value passes through here.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::watcher,
};
use tokio::sync::watch;

use crate::controller::namespaces::Namespaces;

/// Namespace and name of a Secret.
pub(crate) type SecretName = (String, String);

type Versions = HashMap<String, HashMap<String, Box<str>>>;

/// The version of every Secret.
pub(crate) struct SecretVersions {
    versions: RwLock<Versions>,
    complete: watch::Sender<bool>,
    /// Where each namespace has a list of its own: those whose list was whole once.
    whole: Option<RwLock<HashSet<String>>>,
}

/// Turns watch events into [`SecretVersions`]; a relist is collected apart until it is whole, so
/// that nothing seems absent meanwhile.
#[derive(Default)]
pub(crate) struct Relist(Versions);

impl Default for SecretVersions {
    fn default() -> Self {
        Self {
            versions: RwLock::default(),
            complete: watch::Sender::new(false),
            whole: None,
        }
    }
}

impl SecretVersions {
    /// Nothing yet. Each namespace has a list of its own unless all have one together.
    pub(crate) fn new(namespaces: &Namespaces) -> Self {
        Self {
            whole: (!namespaces.is_all()).then(RwLock::default),
            ..Self::default()
        }
    }

    /// The Secrets of a namespace were listed: from now on absence there means something.
    pub(crate) fn set_whole(&self, namespace: &str) {
        if let Some(whole) = &self.whole {
            let mut whole = whole.write().unwrap_or_else(PoisonError::into_inner);
            whole.insert(namespace.to_owned());
        }
    }

    /// Whether the absence of a Secret in a namespace means something, once the lists are complete.
    pub(crate) fn is_whole(&self, namespace: &str) -> bool {
        self.whole.as_ref().is_none_or(|whole| {
            let whole = whole.read().unwrap_or_else(PoisonError::into_inner);
            whole.contains(namespace)
        })
    }

    /// The first lists are complete.
    pub(crate) fn set_complete(&self) {
        self.complete.send_replace(true);
    }

    /// The names of the Secrets of a namespace, as a watch would tell them.
    pub(crate) fn held(&self, namespace: &str) -> Vec<Arc<PartialObjectMeta<Secret>>> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        let names = versions.get(namespace).into_iter().flat_map(HashMap::keys);
        let secret = |name: &String| {
            Arc::new(PartialObjectMeta {
                metadata: ObjectMeta {
                    namespace: Some(namespace.to_owned()),
                    name: Some(name.clone()),
                    ..ObjectMeta::default()
                },
                ..PartialObjectMeta::default()
            })
        };
        names.map(secret).collect()
    }

    /// The version of a Secret; none if it does not exist.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<String> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        Some(versions.get(namespace)?.get(name)?.to_string())
    }

    /// Waits until the first list is complete: before it, absence means nothing.
    pub(crate) async fn wait_until_complete(&self) {
        // The sender is a field of self, so that it is there as long as we wait.
        let _ = self
            .complete
            .subscribe()
            .wait_for(|complete| *complete)
            .await;
    }

    /// Takes one event and names the Secrets it changed.
    pub(crate) fn apply(
        &self,
        relist: &mut Relist,
        event: watcher::Event<PartialObjectMeta<Secret>>,
    ) -> Vec<SecretName> {
        match event {
            watcher::Event::Init => {
                relist.0 = HashMap::new();
                Vec::new()
            }
            watcher::Event::InitApply(secret) => {
                insert(&mut relist.0, &secret);
                Vec::new()
            }
            watcher::Event::InitDone => {
                let fresh = std::mem::take(&mut relist.0);
                let mut versions = self
                    .versions
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                let changed = differences(&versions, &fresh);
                *versions = fresh;
                drop(versions);
                self.set_complete();
                changed
            }
            watcher::Event::Apply(secret) => {
                let mut versions = self
                    .versions
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                insert(&mut versions, &secret).into_iter().collect()
            }
            watcher::Event::Delete(secret) => {
                let name = name(&secret);
                let mut versions = self
                    .versions
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                if let Some(of_namespace) = versions.get_mut(&name.0) {
                    of_namespace.remove(&name.1);
                    if of_namespace.is_empty() {
                        versions.remove(&name.0);
                    }
                }
                vec![name]
            }
        }
    }
}

fn name(secret: &PartialObjectMeta<Secret>) -> SecretName {
    (secret.namespace().unwrap_or_default(), secret.name_any())
}

/// Inserts a version; the name if it changed.
fn insert(versions: &mut Versions, secret: &PartialObjectMeta<Secret>) -> Option<SecretName> {
    let (namespace, name) = name(secret);
    let version = secret
        .resource_version()
        .unwrap_or_default()
        .into_boxed_str();
    let of_namespace = versions.entry(namespace.clone()).or_default();
    let is_changed = of_namespace.get(&name) != Some(&version);
    of_namespace.insert(name.clone(), version);
    is_changed.then_some((namespace, name))
}

fn differences(old: &Versions, new: &Versions) -> Vec<SecretName> {
    let names = |versions: &Versions| -> HashSet<SecretName> {
        versions
            .iter()
            .flat_map(|(namespace, names)| {
                names.keys().map(|name| (namespace.clone(), name.clone()))
            })
            .collect()
    };
    let version = |versions: &Versions, (namespace, name): &SecretName| -> Option<Box<str>> {
        versions.get(namespace)?.get(name).cloned()
    };
    names(old)
        .union(&names(new))
        .filter(|name| version(old, name) != version(new, name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use watcher::Event;

    use super::*;

    fn secret(name: &str, version: &str) -> PartialObjectMeta<Secret> {
        PartialObjectMeta {
            metadata: ObjectMeta {
                namespace: Some("ml".to_owned()),
                name: Some(name.to_owned()),
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            ..PartialObjectMeta::default()
        }
    }

    fn names(changed: Vec<SecretName>) -> Vec<String> {
        let mut names: Vec<String> = changed.into_iter().map(|(_, name)| name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_relist_names_what_changed_and_hides_nothing_meanwhile() {
        let (secrets, mut relist) = (SecretVersions::default(), Relist::default());
        for name in ["a", "b"] {
            secrets.apply(&mut relist, Event::Apply(secret(name, "1")));
        }
        secrets.apply(&mut relist, Event::Init);
        secrets.apply(&mut relist, Event::InitApply(secret("b", "2")));
        assert_eq!(secrets.get("ml", "a").as_deref(), Some("1"));
        secrets.apply(&mut relist, Event::InitApply(secret("c", "3")));
        let changed = secrets.apply(&mut relist, Event::InitDone);
        assert_eq!(names(changed), ["a", "b", "c"]);
        assert_eq!(secrets.get("ml", "a"), None);
        assert_eq!(secrets.get("ml", "b").as_deref(), Some("2"));
    }

    #[test]
    fn absence_means_something_where_the_namespace_was_listed() {
        let all = SecretVersions::new(&Namespaces::default());
        assert!(all.is_whole("ml"));
        let some = SecretVersions::new(&"ml,web".parse().unwrap());
        assert!(!some.is_whole("ml"));
        some.set_whole("ml");
        assert!(some.is_whole("ml") && !some.is_whole("web"));
    }

    #[test]
    fn what_is_held_of_a_namespace_is_told_by_name() {
        let (secrets, mut relist) = (SecretVersions::default(), Relist::default());
        for name in ["a", "b"] {
            secrets.apply(&mut relist, Event::Apply(secret(name, "1")));
        }
        let mut held: Vec<_> = secrets.held("ml").iter().map(|held| name(held)).collect();
        held.sort();
        assert_eq!(
            held,
            ["a", "b"].map(|name| ("ml".to_owned(), name.to_owned()))
        );
        assert!(secrets.held("web").is_empty());
    }

    #[test]
    fn the_same_version_again_is_no_change() {
        let (secrets, mut relist) = (SecretVersions::default(), Relist::default());
        assert_eq!(
            secrets
                .apply(&mut relist, Event::Apply(secret("a", "1")))
                .len(),
            1
        );
        assert!(
            secrets
                .apply(&mut relist, Event::Apply(secret("a", "1")))
                .is_empty()
        );
        assert_eq!(
            secrets
                .apply(&mut relist, Event::Delete(secret("a", "1")))
                .len(),
            1
        );
    }
}
