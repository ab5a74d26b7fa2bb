//! Every status that the operator can write: `tests/statuses.jsonl`, which `src/controller/report/shapes.rs` makes. What
//! the operator writes in the tests is held against it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use futures::StreamExt as _;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use provider_secrets::api::ProviderSecret;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::root;

/// An object with each of the statuses, by name.
pub(crate) fn statuses() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("tests/statuses.jsonl")).expect("the file");
    let lines = text.lines().map(serde_json::from_str);
    lines.map(|object| object.expect("JSON")).collect()
}

static SHAPES: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| statuses().iter().filter_map(shape).collect());

/// The shape of a status: its conditions without words and times, and whether the operator has acted on a generation. None
/// while it says nothing yet.
fn shape(object: &Value) -> Option<String> {
    let status = &object["status"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut words: Vec<String> = status["conditions"]
        .as_array()?
        .iter()
        .map(|condition| {
            let [kind, status, reason] =
                ["type", "status", "reason"].map(|name| text(&condition[name]));
            format!("{kind}={status} ({reason})")
        })
        .collect();
    words.sort_unstable();
    if status["observedGeneration"].as_i64().unwrap_or(-1) < 0 {
        words.push("of no generation".to_owned());
    }
    Some(words.join(", "))
}

/// The shape of an object's status, if the file has none of it.
pub(crate) fn unknown_shape(object: &Value) -> Option<String> {
    shape(object).filter(|shape| !SHAPES.contains(shape))
}

/// Sees every object and every status that is written in a cluster.
pub(super) struct StatusWatch {
    watching: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The newest of each object that was shown, by namespace and name.
    objects: HashMap<(String, String), ProviderSecret>,
    /// Statuses that the file lacks.
    unknown: BTreeSet<String>,
}

impl StatusWatch {
    pub(super) fn start(client: Client) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let objects: Api<ProviderSecret> = Api::all(client);
        let watching = tokio::spawn(async move {
            let watch = watcher(objects, watcher::Config::default()).default_backoff();
            let mut shown = std::pin::pin!(watch.touched_objects());
            while let Some(object) = shown.next().await {
                let Ok(object) = object else { continue };
                let id = (object.namespace().unwrap_or_default(), object.name_any());
                let json = serde_json::to_value(&object).expect("an object is JSON");
                let unknown = unknown_shape(&json);
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                seen.unknown
                    .extend(unknown.map(|shape| format!("{}/{}: {shape}", id.0, id.1)));
                seen.objects.insert(id, object);
            }
        });
        Self { watching, seen }
    }

    /// Whether an object is so, as the watch showed it last; not, where it has shown none.
    pub(super) fn shows(
        &self,
        namespace: &str,
        name: &str,
        is_so: impl FnOnce(&ProviderSecret) -> bool,
    ) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (namespace.to_owned(), name.to_owned());
        seen.objects.get(&id).is_some_and(is_so)
    }

    /// Asserts that the file has every status that was written so far.
    pub(super) fn check(&self) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = &seen.unknown;
        assert!(
            unknown.is_empty(),
            "tests/statuses.jsonl has none of {unknown:#?}"
        );
    }
}

impl Drop for StatusWatch {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
