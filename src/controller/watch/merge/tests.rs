use futures::{FutureExt, channel::mpsc};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    core::{ObjectMeta, PartialObjectMeta},
    runtime::reflector::{Store, store, store::Writer},
};
use proptest::prelude::*;

use super::*;

type Object = PartialObjectMeta<ConfigMap>;

const REFUSED: Step<Object> = Step::Failed { is_refusal: true };
const BROKEN: Step<Object> = Step::Failed { is_refusal: false };

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

/// Merged watches of the namespaces `a` and `b` in front of a store, as in the controller.
struct Merged {
    watches: BTreeMap<&'static str, mpsc::UnboundedSender<Step<Object>>>,
    events: futures::stream::BoxStream<'static, NamespaceEvent<Object>>,
    writer: Writer<Object>,
    store: Store<Object>,
}

impl Merged {
    fn new() -> Self {
        let (store, writer) = store();
        let (mut watches, mut streams) = (BTreeMap::new(), Vec::new());
        for namespace in ["a", "b"] {
            let (watch, steps) = mpsc::unbounded();
            watches.insert(namespace, watch);
            streams.push((Arc::from(namespace), steps));
        }
        let held = {
            let store: Store<Object> = store.clone();
            move |namespace: &str| {
                let mut objects = store.state();
                objects.retain(|object| object.namespace().as_deref() == Some(namespace));
                objects
            }
        };
        let events = merge(streams, held).boxed();
        Self {
            watches,
            events,
            writer,
            store,
        }
    }

    /// Lets a watch take a step; what is event, in the shortest words, in no order among objects.
    fn step(&mut self, namespace: &str, step: Step<Object>) -> Vec<String> {
        self.watches[namespace].unbounded_send(step).unwrap();
        let mut words = Vec::new();
        while let Some(Some(event)) = self.events.next().now_or_never() {
            if let NamespaceEvent::Event(event) = &event {
                self.writer.apply_watcher_event(event);
            }
            let word = |object: &Object| {
                format!(
                    "{}/{}:{}",
                    object.namespace().unwrap_or_default(),
                    object.name_any(),
                    object.uid().unwrap_or_default()
                )
            };
            words.push(match &event {
                NamespaceEvent::Event(Event::Init) => "[".to_owned(),
                NamespaceEvent::Event(Event::InitDone) => "]".to_owned(),
                NamespaceEvent::Event(Event::InitApply(object)) => word(object),
                NamespaceEvent::Event(Event::Apply(object)) => format!("+{}", word(object)),
                NamespaceEvent::Event(Event::Delete(object)) => format!("-{}", word(object)),
                NamespaceEvent::Whole(namespace) => format!("whole {namespace}"),
            });
        }
        words
    }

    fn stored(&self) -> Vec<(String, String, String)> {
        let mut stored: Vec<_> = self
            .store
            .state()
            .iter()
            .map(|object| {
                (
                    object.namespace().unwrap_or_default(),
                    object.name_any(),
                    object.uid().unwrap_or_default(),
                )
            })
            .collect();
        stored.sort();
        stored
    }

    /// Whether the controller may begin.
    fn is_ready(&self) -> bool {
        self.store.wait_until_ready().now_or_never().is_some()
    }
}

fn listed(namespace: &str, names: &[&str]) -> Step<Object> {
    let objects = names.iter().map(|name| {
        let (name, uid) = name.split_once(':').unwrap_or((name, "1"));
        object(namespace, name, uid)
    });
    Step::Listed(objects.collect())
}

#[test]
fn nothing_is_told_before_every_namespace_is_listed() {
    let mut merged = Merged::new();
    assert!(merged.step("a", listed("a", &["x", "y"])).is_empty());
    // What happens meanwhile counts, a second list included.
    assert!(
        merged
            .step("a", Step::Applied(object("a", "z", "1")))
            .is_empty()
    );
    assert!(
        merged
            .step("a", Step::Deleted(object("a", "z", "1")))
            .is_empty()
    );
    assert!(merged.step("a", listed("a", &["x"])).is_empty());
    assert!(!merged.is_ready());
    let events = merged.step("b", listed("b", &[]));
    assert_eq!(events, ["[", "a/x:1", "]", "whole a", "whole b"]);
    assert!(merged.is_ready());
}

#[test]
fn a_list_begun_anew_touches_its_own_namespace_only_and_shows_what_is_gone() {
    let mut merged = Merged::new();
    merged.step("a", listed("a", &["x", "y", "z"]));
    merged.step("b", listed("b", &["x"]));
    // y went, z is another object of the same name, w is new.
    let mut event = merged.step("a", listed("a", &["w", "x", "z:2"]));
    event[..2].sort();
    assert_eq!(event, ["-a/y:1", "-a/z:1", "+a/w:1", "+a/x:1", "+a/z:2"]);
    assert_eq!(merged.stored().len(), 4);
    assert_eq!(merged.step("a", listed("a", &[])).len(), 3);
    assert_eq!(merged.stored(), [("b".into(), "x".into(), "1".into())]);
}

#[test]
fn events_pass_through_once_all_are_listed() {
    let mut merged = Merged::new();
    merged.step("a", listed("a", &[]));
    merged.step("b", listed("b", &[]));
    let x = object("b", "x", "1");
    assert_eq!(merged.step("b", Step::Applied(x.clone())), ["+b/x:1"]);
    assert_eq!(merged.step("b", Step::Deleted(x)), ["-b/x:1"]);
    assert!(merged.step("b", BROKEN).is_empty());
}

#[test]
fn a_namespace_that_refuses_is_left_behind_and_may_follow() {
    let mut merged = Merged::new();
    merged.step("a", listed("a", &["x"]));
    for _ in 1..PATIENCE {
        assert!(merged.step("b", REFUSED).is_empty());
    }
    // Another failure says nothing of rights, so that the count begins anew.
    assert!(merged.step("b", BROKEN).is_empty());
    for _ in 1..PATIENCE {
        assert!(merged.step("b", REFUSED).is_empty());
    }
    let events = merged.step("b", REFUSED);
    assert_eq!(events, ["[", "a/x:1", "]", "whole a"]);
    assert!(merged.is_ready());
    assert!(merged.step("b", REFUSED).is_empty());
    let events = merged.step("b", listed("b", &["y"]));
    assert_eq!(events, ["+b/y:1", "whole b"]);
    // Once listed it is not forgotten when it refuses again.
    assert!(merged.step("b", REFUSED).is_empty());
    assert_eq!(merged.stored().len(), 2);
    assert_eq!(merged.step("b", listed("b", &["y"])), ["+b/y:1"]);
}

#[test]
fn a_failure_other_than_a_refusal_is_waited_for() {
    let mut merged = Merged::new();
    merged.step("a", listed("a", &["x"]));
    for _ in 0..10 * PATIENCE {
        assert!(merged.step("b", BROKEN).is_empty());
    }
    assert!(!merged.is_ready());
}

#[test]
fn of_a_list_that_broke_off_nothing_remains() {
    let events = [
        Ok(Event::Init),
        Ok(Event::InitApply(object("a", "ghost", "1"))),
        Err(()),
        Ok(Event::Init),
        Ok(Event::InitApply(object("a", "x", "1"))),
        Ok(Event::InitDone),
        Ok(Event::Delete(object("a", "x", "1"))),
    ];
    let steps = steps(stream::iter(events)).collect::<Vec<_>>();
    let wanted = [
        Err(()),
        Ok(listed("a", &["x"])),
        Ok(Step::Deleted(object("a", "x", "1"))),
    ];
    assert_eq!(
        format!("{:?}", steps.now_or_never().unwrap()),
        format!("{wanted:?}")
    );
}

/// What may happen in one namespace: an object is put, removed, or everything is listed anew after
/// some of it went unseen.
#[derive(Clone, Debug)]
enum Act {
    Put(u8, u8),
    Remove(u8),
    Relist(Vec<(u8, u8)>),
    Fail(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let (name, uid) = (0..4_u8, 0..3_u8);
    prop_oneof![
        (name.clone(), uid.clone()).prop_map(|(name, uid)| Act::Put(name, uid)),
        name.clone().prop_map(Act::Remove),
        prop::collection::vec((name, uid), 0..4).prop_map(Act::Relist),
        any::<bool>().prop_map(Act::Fail),
    ]
}

proptest! {
    #[test]
    fn the_store_holds_what_the_namespaces_hold(acts in prop::collection::vec((any::<bool>(), act()), 0..60)) {
        let mut merged = Merged::new();
        // What each namespace holds; nothing where it was not listed yet.
        let mut model: BTreeMap<&str, BTreeMap<u8, u8>> = BTreeMap::new();
        for (is_a, act) in acts {
            let namespace = if is_a { "a" } else { "b" };
            let make = |name: u8, uid: u8| object(namespace, &name.to_string(), &uid.to_string());
            let step = match (act, model.get_mut(namespace)) {
                (Act::Fail(is_refusal), _) => Step::Failed { is_refusal },
                (Act::Relist(objects), _) => {
                    let objects: BTreeMap<u8, u8> = objects.into_iter().collect();
                    model.insert(namespace, objects.clone());
                    Step::Listed(objects.into_iter().map(|(name, uid)| make(name, uid)).collect())
                }
                // A watch tells of nothing before its list.
                (Act::Put(..) | Act::Remove(_), None) => continue,
                (Act::Put(name, uid), Some(objects)) => {
                    objects.insert(name, uid);
                    Step::Applied(make(name, uid))
                }
                (Act::Remove(name), Some(objects)) => {
                    let Some(uid) = objects.remove(&name) else { continue };
                    Step::Deleted(make(name, uid))
                }
            };
            merged.step(namespace, step);
            if merged.is_ready() {
                let wanted: Vec<_> = model
                    .iter()
                    .flat_map(|(namespace, objects)| objects.iter().map(|(name, uid)| {
                        ((*namespace).to_owned(), name.to_string(), uid.to_string())
                    }))
                    .collect();
                prop_assert_eq!(merged.stored(), wanted);
            } else {
                prop_assert!(model.len() < 2 && merged.stored().is_empty());
            }
        }
    }
}
