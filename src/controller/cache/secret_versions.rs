//! The versions of Secrets, from a watch of metadata or by their names. No value passes through here.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use tokio::time::Instant;

use super::{Complete, SecretQuestions};
use crate::{
    account::ObjectName,
    controller::{namespaces::Namespaces, object::is_newer},
};

/// Namespace and name of a Secret.
pub(crate) type SecretName = ObjectName;

type Versions = HashMap<String, HashMap<String, Seen>>;

/// What the watch has shown of a Secret.
struct Seen {
    version: Box<str>,
    /// Whether its labels say that it may leave the cluster.
    is_labelled: bool,
}

/// How a version that a watch shows differs from the known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionChange {
    Same,
    Newer,
    /// It is an older one: the data store was restored from a snapshot.
    WentBack,
}

/// The version of a Secret that may be there and cannot be read: any other is newer.
const UNREAD: &str = "0";

/// Of which Secrets absence means something, once the first lists are complete.
#[derive(Default)]
enum Covered {
    /// Of all: they have one list.
    #[default]
    All,
    /// Of those in the namespaces whose own list was whole once.
    Namespaces(RwLock<HashSet<String>>),
    /// Of those that were asked for by name, once the API server has answered.
    Named(Arc<SecretQuestions>),
}

/// The version of every Secret, or of those that objects name.
#[derive(Default)]
pub(crate) struct SecretVersions {
    versions: RwLock<Versions>,
    /// Secrets that were deleted a moment ago, and since when they are not there.
    leaving: Mutex<HashMap<SecretName, Instant>>,
    complete: Complete,
    covered: Covered,
}

impl SecretVersions {
    /// No version yet. Secrets are asked for by `questions`; without, they are listed: each namespace by itself unless all
    /// are listed together.
    pub(crate) fn new(namespaces: &Namespaces, questions: Option<Arc<SecretQuestions>>) -> Self {
        let covered = match questions {
            Some(questions) => Covered::Named(questions),
            None if namespaces.is_all() => Covered::All,
            None => Covered::Namespaces(RwLock::default()),
        };
        Self {
            covered,
            ..Self::default()
        }
    }

    /// The Secrets of a namespace were listed: from now on absence there means something.
    pub(crate) fn set_whole(&self, namespace: &str) {
        if let Covered::Namespaces(whole) = &self.covered {
            let mut whole = whole.write().unwrap_or_else(PoisonError::into_inner);
            whole.insert(namespace.to_owned());
        }
    }

    /// The questions for Secrets; none where they are listed.
    pub(crate) fn questions(&self) -> Option<&SecretQuestions> {
        match &self.covered {
            Covered::Named(questions) => Some(questions),
            Covered::All | Covered::Namespaces(_) => None,
        }
    }

    /// Whether the absence of Secrets in a namespace means something, once the lists are complete.
    pub(crate) fn covers(&self, namespace: &str, names: &[&str]) -> bool {
        match &self.covered {
            Covered::All => true,
            Covered::Namespaces(whole) => {
                let whole = whole.read().unwrap_or_else(PoisonError::into_inner);
                whole.contains(namespace)
            }
            Covered::Named(questions) => questions.cover(namespace, names),
        }
    }

    /// The first lists are complete.
    pub(crate) fn set_complete(&self) {
        self.complete.set();
    }

    /// Whether the first lists are complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete.is_set()
    }

    /// Waits until the first lists are complete: before, absence means nothing.
    pub(crate) async fn wait_until_complete(&self) {
        self.complete.wait().await;
    }

    /// The names of the Secrets of a namespace, or of all.
    pub(crate) fn names(&self, namespace: Option<&str>) -> Vec<SecretName> {
        let versions = self.read();
        let namespaces = versions
            .iter()
            .filter(|(of, _)| namespace.is_none_or(|namespace| *of == namespace));
        namespaces
            .flat_map(|(of, names)| names.keys().map(|name| (of.clone(), name.clone())))
            .collect()
    }

    /// The version of a Secret; none if it does not exist.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<String> {
        Some(self.read().get(namespace)?.get(name)?.version.to_string())
    }

    /// Whether the labels of a Secret say that it may leave the cluster.
    pub(crate) fn is_labelled(&self, namespace: &str, name: &str) -> bool {
        let versions = self.read();
        let seen = versions.get(namespace).and_then(|names| names.get(name));
        seen.is_some_and(|seen| seen.is_labelled)
    }

    /// Notes the version of a Secret, and says how it differs from the known one.
    pub(crate) fn apply(
        &self,
        secret: &SecretName,
        version: &str,
        is_labelled: bool,
    ) -> VersionChange {
        let (namespace, name) = secret;
        let seen = Seen {
            version: version.into(),
            is_labelled,
        };
        let mut versions = self.write();
        let known = versions.get_mut(namespace);
        let change = match known.and_then(|names| names.get_mut(name)) {
            Some(known) if *known.version == *version => VersionChange::Same,
            Some(known) => {
                let went_back = is_newer(&known.version, version);
                *known = seen;
                if went_back {
                    VersionChange::WentBack
                } else {
                    VersionChange::Newer
                }
            }
            None => {
                let names = versions.entry(namespace.clone()).or_default();
                names.insert(name.clone(), seen);
                VersionChange::Newer
            }
        };
        drop(versions);
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.remove(secret);
        drop(leaving);
        change
    }

    /// A Secret may be there and cannot be read. Whether this is new.
    pub(crate) fn hide(&self, secret: &SecretName) -> bool {
        // A reader checks the label itself when it reads the Secret.
        let hidden = Seen {
            version: UNREAD.into(),
            is_labelled: true,
        };
        let (namespace, name) = secret;
        let mut versions = self.write();
        let names = versions.entry(namespace.clone()).or_default();
        let known = names.insert(name.clone(), hidden);
        drop(versions);
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.remove(secret);
        drop(leaving);
        known.is_none_or(|known| *known.version != *UNREAD)
    }

    /// A Secret is not there. It counts as there until [`Self::end`]: another controller may be about to
    /// create it anew. Gives since when it is not there.
    pub(crate) fn leave(&self, name: &SecretName, now: Instant) -> Instant {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        *leaving.entry(name.clone()).or_insert(now)
    }

    /// A Secret is gone, if it has not been there since then; whether it has not.
    pub(crate) fn end(&self, name: &SecretName, since: Instant) -> bool {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = leaving.get(name) == Some(&since);
        if is_gone {
            leaving.remove(name);
        }
        drop(leaving);
        if is_gone {
            self.remove(name);
        }
        is_gone
    }

    /// Drops what is known of a Secret.
    pub(crate) fn remove(&self, (namespace, name): &SecretName) {
        let mut versions = self.write();
        if let Some(names) = versions.get_mut(namespace) {
            names.remove(name);
            if names.is_empty() {
                versions.remove(namespace);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Versions> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Versions> {
        self.versions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        VersionChange::{Newer, Same, WentBack},
        *,
    };

    fn name(name: &str) -> SecretName {
        ("ml".to_owned(), name.to_owned())
    }

    #[test]
    fn absence_means_something_where_the_namespace_was_listed() {
        let all = SecretVersions::new(&Namespaces::default(), None);
        assert!(all.covers("ml", &["a"]));
        let some = SecretVersions::new(&"ml,web".parse().unwrap(), None);
        assert!(!some.covers("ml", &["a"]));
        some.set_whole("ml");
        assert!(some.covers("ml", &["a"]) && !some.covers("web", &["a"]));
    }

    /// The version of what cannot be read is no news beside one that was, and any that is read is newer.
    #[test]
    fn what_cannot_be_read_is_there() {
        let secrets = SecretVersions::default();
        assert!(secrets.hide(&name("a")) && !secrets.hide(&name("a")));
        assert!(!is_newer(&secrets.get("ml", "a").unwrap(), "5"));
        assert_eq!(secrets.apply(&name("a"), "5", false), Newer);
        assert!(secrets.hide(&name("a")));
        assert_eq!(secrets.apply(&name("a"), "5", false), Newer);
    }

    #[test]
    fn the_names_of_a_namespace_are_those_that_exist() {
        let secrets = SecretVersions::default();
        for one in ["a", "b", "c"] {
            assert_eq!(secrets.apply(&name(one), "1", false), Newer);
        }
        secrets.remove(&name("c"));
        let mut names = secrets.names(Some("ml"));
        names.sort();
        assert_eq!(names, ["a", "b"].map(name));
        assert!(secrets.names(Some("web")).is_empty());
        assert_eq!(secrets.names(None).len(), 2);
        assert_eq!(secrets.get("ml", "c"), None);
        assert_eq!(secrets.get("ml", "a").as_deref(), Some("1"));
    }

    #[test]
    fn the_same_version_again_is_no_change() {
        let secrets = SecretVersions::default();
        let apply = |version: &str| secrets.apply(&name("a"), version, false);
        assert_eq!(apply("1"), Newer);
        assert_eq!(apply("1"), Same);
        assert_eq!(apply("10"), Newer);
        assert_eq!(apply("9"), WentBack);
        secrets.remove(&name("a"));
        assert_eq!(apply("2"), Newer);
    }

    /// Cases: R-22
    #[test]
    fn what_comes_back_and_goes_again_has_been_gone_since_then_only() {
        let secrets = SecretVersions::default();
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        secrets.apply(&name("a"), "1", false);
        assert_eq!(secrets.leave(&name("a"), first), first);
        // It is still not there.
        assert_eq!(secrets.leave(&name("a"), second), first);
        secrets.apply(&name("a"), "2", false);
        assert!(!secrets.end(&name("a"), first));
        assert_eq!(secrets.leave(&name("a"), second), second);
        assert!(!secrets.end(&name("a"), first) && secrets.get("ml", "a").is_some());
        assert!(secrets.end(&name("a"), second) && secrets.get("ml", "a").is_none());
        assert!(!secrets.end(&name("a"), second));
    }

    #[test]
    fn a_label_counts_from_the_version_that_shows_it() {
        let secrets = SecretVersions::default();
        let is_labelled = || secrets.is_labelled("ml", "a");
        assert!(!is_labelled());
        for (version, shown) in [("1", false), ("2", true), ("3", true), ("4", false)] {
            secrets.apply(&name("a"), version, shown);
            assert_eq!(is_labelled(), shown, "{version}");
        }
        secrets.apply(&name("a"), "5", true);
        secrets.remove(&name("a"));
        assert!(!is_labelled());
    }
}
