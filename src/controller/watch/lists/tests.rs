//! The watches of two namespaces in front of a store, as in the controller.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    ResourceExt,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::watcher::Event,
};
use proptest::prelude::*;

use super::*;
use crate::controller::{object::object_name, watch::differences::Differences};

type Object = PartialObjectMeta<ConfigMap>;

fn object(namespace: &str, name: &str, uid: &str) -> Object {
    PartialObjectMeta {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectMeta::default()
        },
        ..PartialObjectMeta::default()
    }
}

/// The store: the uid of every object.
#[derive(Default)]
struct Stored(BTreeMap<ObjectName, String>);

impl Stored {
    fn names(&self, namespace: &str) -> Vec<ObjectName> {
        let names = self.0.keys().filter(|(of, _)| of == namespace);
        names.cloned().collect()
    }
}

struct Watches {
    lists: FirstLists,
    differences: BTreeMap<&'static str, Differences>,
    stored: Stored,
    is_complete: bool,
}

impl Watches {
    fn new() -> Self {
        let namespaces = ["a", "b"];
        Self {
            lists: FirstLists::new(namespaces.map(|namespace| Some(Arc::from(namespace)))),
            differences: namespaces.map(|of| (of, Differences::default())).into(),
            stored: Stored::default(),
            is_complete: false,
        }
    }

    /// Lets a watch take a step, applies what it shows to the store, and gives that in the shortest
    /// words.
    fn step(&mut self, namespace: &'static str, step: Step<Object>) -> Vec<String> {
        let shown = self.lists.take(&Some(Arc::from(namespace)), step);
        let word = |(namespace, name): &ObjectName| format!("{namespace}/{name}");
        let shown = shown.into_iter().map(|event| match event {
            WatchEvent::Applied(object) => {
                let (name, uid) = (object_name(&object), object.uid().unwrap_or_default());
                let text = format!("+{}:{uid}", word(&name));
                self.stored.0.insert(name, uid);
                text
            }
            WatchEvent::Deleted(name) => {
                self.stored.0.remove(&name);
                format!("-{}", word(&name))
            }
            WatchEvent::WentBack(watch) => format!("went back {}", watch.unwrap_or_default()),
            WatchEvent::Listed(watch) => format!("listed {}", watch.unwrap_or_default()),
            WatchEvent::Complete => {
                assert!(!self.is_complete, "once");
                self.is_complete = true;
                "complete".to_owned()
            }
        });
        shown.collect()
    }

    fn event(&mut self, namespace: &'static str, event: Event<Object>) -> Vec<String> {
        let known = self.stored.names(namespace);
        let differences = self.differences.get_mut(namespace).unwrap();
        let (differences, is_listed) = differences.take(event, || known);
        self.step(
            namespace,
            Step::Shown {
                differences,
                is_listed,
            },
        )
    }

    /// A whole list of `name` or `name:uid`.
    fn list(&mut self, namespace: &'static str, names: &[&str]) -> Vec<String> {
        let mut shown = self.event(namespace, Event::Init);
        for name in names {
            let (name, uid) = name.split_once(':').unwrap_or((name, "1"));
            let object = object(namespace, name, uid);
            shown.extend(self.event(namespace, Event::InitApply(object)));
        }
        shown.extend(self.event(namespace, Event::InitDone));
        shown
    }

    fn fail(&mut self, namespace: &'static str, is_refusal: bool) -> Vec<String> {
        self.step(namespace, Step::Failed { is_refusal })
    }
}

#[test]
fn the_lists_are_complete_when_every_namespace_is_listed() {
    let mut watches = Watches::new();
    assert_eq!(
        watches.list("a", &["x", "y"]),
        ["+a/x:1", "+a/y:1", "listed a"]
    );
    // What happens meanwhile counts, a second list included.
    let z = object("a", "z", "1");
    assert_eq!(watches.event("a", Event::Apply(z.clone())), ["+a/z:1"]);
    assert_eq!(watches.event("a", Event::Delete(z)), ["-a/z"]);
    assert_eq!(watches.list("a", &["x"]), ["+a/x:1", "-a/y"]);
    assert!(!watches.is_complete);
    assert_eq!(watches.list("b", &[]), ["listed b", "complete"]);
}

#[test]
fn a_list_begun_anew_touches_its_own_namespace_only_and_shows_what_is_gone() {
    let mut watches = Watches::new();
    watches.list("a", &["x", "y", "z"]);
    watches.list("b", &["x"]);
    // y went, z is another object of the same name, w is new.
    let shown = watches.list("a", &["w", "x", "z:2"]);
    assert_eq!(shown, ["+a/w:1", "+a/x:1", "+a/z:2", "-a/y"]);
    assert_eq!(watches.stored.0.len(), 4);
    assert_eq!(watches.list("a", &[]).len(), 3);
    assert_eq!(watches.stored.names("b").len(), 1);
    assert!(watches.stored.names("a").is_empty());
}

#[test]
fn events_are_differences_already() {
    let mut watches = Watches::new();
    watches.list("a", &[]);
    watches.list("b", &[]);
    let x = object("b", "x", "1");
    assert_eq!(watches.event("b", Event::Apply(x.clone())), ["+b/x:1"]);
    assert_eq!(watches.event("b", Event::Delete(x)), ["-b/x"]);
    assert!(watches.fail("b", false).is_empty());
}

#[test]
fn a_namespace_that_refuses_is_left_behind_and_may_follow() {
    let mut watches = Watches::new();
    watches.list("a", &["x"]);
    for _ in 1..MAX_REFUSED_LISTS {
        assert!(watches.fail("b", true).is_empty());
    }
    // Another failure says nothing of rights, so that the count begins anew.
    assert!(watches.fail("b", false).is_empty());
    for _ in 1..MAX_REFUSED_LISTS {
        assert!(watches.fail("b", true).is_empty());
    }
    assert_eq!(watches.fail("b", true), ["complete"]);
    assert!(watches.fail("b", true).is_empty());
    assert_eq!(watches.list("b", &["y"]), ["+b/y:1", "listed b"]);
    // Once listed it is not forgotten when it refuses again.
    assert!(watches.fail("b", true).is_empty());
    assert_eq!(watches.stored.0.len(), 2);
    assert_eq!(watches.list("b", &["y"]), ["+b/y:1"]);
}

#[test]
fn a_failure_other_than_a_refusal_is_waited_for() {
    let mut watches = Watches::new();
    watches.list("a", &["x"]);
    for _ in 0..10 * MAX_REFUSED_LISTS {
        assert!(watches.fail("b", false).is_empty());
    }
    assert!(!watches.is_complete);
}

#[test]
fn one_watch_of_everything_is_never_given_up() {
    let mut lists = FirstLists::new([None]);
    for _ in 0..10 * MAX_REFUSED_LISTS {
        let refused: Step<Object> = Step::Failed { is_refusal: true };
        assert!(lists.take(&None, refused).is_empty());
    }
}

#[test]
fn a_list_that_breaks_off_deletes_nothing() {
    let mut watches = Watches::new();
    watches.list("a", &["x", "y"]);
    watches.event("a", Event::Init);
    assert_eq!(
        watches.event("a", Event::InitApply(object("a", "w", "1"))),
        ["+a/w:1"]
    );
    watches.fail("a", false);
    assert_eq!(watches.stored.0.len(), 3);
    // What the next list does not show is gone, whichever showed it.
    assert_eq!(watches.list("a", &["x"]), ["+a/x:1", "-a/w", "-a/y"]);
}

/// What may happen in one namespace: an object is put, removed, or everything is listed anew after
/// some of it went unseen; perhaps the list breaks off.
#[derive(Clone, Debug)]
enum Act {
    Put(u8, u8),
    Remove(u8),
    Relist(Vec<(u8, u8)>, bool),
    Fail(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let (name, uid) = (0..4_u8, 0..3_u8);
    prop_oneof![
        (name.clone(), uid.clone()).prop_map(|(name, uid)| Act::Put(name, uid)),
        name.clone().prop_map(Act::Remove),
        (prop::collection::vec((name, uid), 0..4), any::<bool>())
            .prop_map(|(objects, ends)| Act::Relist(objects, ends)),
        any::<bool>().prop_map(Act::Fail),
    ]
}

proptest! {
    #[test]
    fn the_store_holds_what_the_namespaces_hold(acts in prop::collection::vec((any::<bool>(), act()), 0..60)) {
        let mut watches = Watches::new();
        // What each namespace holds; nothing where it was not listed yet.
        let mut model: BTreeMap<&str, BTreeMap<u8, u8>> = BTreeMap::new();
        for (is_a, act) in acts {
            let namespace = if is_a { "a" } else { "b" };
            let make = |name: u8, uid: u8| object(namespace, &name.to_string(), &uid.to_string());
            match (act, model.get_mut(namespace)) {
                (Act::Fail(is_refusal), _) => {
                    watches.fail(namespace, is_refusal);
                }
                (Act::Relist(objects, ends), known) => {
                    let objects: BTreeMap<u8, u8> = objects.into_iter().collect();
                    watches.event(namespace, Event::Init);
                    for (name, uid) in &objects {
                        watches.event(namespace, Event::InitApply(make(*name, *uid)));
                    }
                    if ends {
                        watches.event(namespace, Event::InitDone);
                        model.insert(namespace, objects);
                    } else if let Some(known) = known {
                        // What it showed is there; of the rest nothing is said.
                        known.extend(objects);
                    }
                }
                // A watch tells of nothing before its list.
                (Act::Put(..) | Act::Remove(_), None) => {}
                (Act::Put(name, uid), Some(objects)) => {
                    objects.insert(name, uid);
                    watches.event(namespace, Event::Apply(make(name, uid)));
                }
                (Act::Remove(name), Some(objects)) => {
                    if let Some(uid) = objects.remove(&name) {
                        watches.event(namespace, Event::Delete(make(name, uid)));
                    }
                }
            }
            for (namespace, objects) in &model {
                let stored = watches.stored.names(namespace);
                let names: Vec<_> = objects.keys().map(|name| ((*namespace).to_owned(), name.to_string())).collect();
                prop_assert_eq!(&stored, &names);
                for (name, uid) in objects {
                    let name = ((*namespace).to_owned(), name.to_string());
                    prop_assert_eq!(&watches.stored.0[&name], &uid.to_string());
                }
            }
        }
    }
}
