//! What an object's status says, read with the care that tools need: a status of an older generation says nothing
//! of the newest.

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    answer::Refusal,
    output::{Cell, Tone},
};
use crate::api::{
    Condition, EntryState, EntryStatus, FINALIZER, ProviderSecret, READY, STALLED, SUSPENDED,
};
pub(super) use crate::controller::object_name as namespaced_name;

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The status of Ready: True, False, Unknown where the operator has not looked at the newest spec, and empty
    /// where there is none.
    pub(super) ready: &'static str,
    /// The reason of the first condition.
    pub(super) reason: String,
    /// Since when.
    pub(super) since: Option<Timestamp>,
    /// Whether a person must act.
    pub(super) is_stalled: bool,
}

impl Standing {
    pub(super) fn of(object: &ProviderSecret) -> Self {
        let first = conditions(object).first();
        let reason = first.map(|first| first.reason.clone());
        let ready = match condition(object, READY) {
            _ if !is_observed(object) => "Unknown",
            Some(ready) if ready.status == "True" => "True",
            Some(ready) if ready.status == "False" => "False",
            Some(_) => "Unknown",
            None if first.is_none() => "Unknown",
            None => "",
        };
        Self {
            ready,
            reason: reason.unwrap_or_default(),
            since: since(object),
            is_stalled: condition(object, STALLED).is_some_and(|stalled| stalled.status == "True"),
        }
    }

    /// Whether every entry is acknowledged for the newest spec.
    pub(super) fn is_ready(&self) -> bool {
        self.ready == "True"
    }

    /// The colour of it.
    pub(super) fn tone(&self) -> Tone {
        match self.ready {
            "True" => Tone::Good,
            _ if self.is_stalled => Tone::Bad,
            _ => Tone::Doubtful,
        }
    }

    /// The word of Ready in its colour.
    pub(super) fn cell(&self) -> Cell {
        Cell::toned(self.ready, self.tone())
    }
}

/// Since when an object stands as it does, if it is known: that it was Ready ended with the edit that the operator has
/// not looked at.
fn since(object: &ProviderSecret) -> Option<Timestamp> {
    let first = conditions(object).first();
    let said = first.map(|first| first.last_transition_time.0);
    let was_ready = condition(object, READY).is_some_and(|ready| ready.status == "True");
    if is_observed(object) || (said.is_some() && !was_ready) {
        return said;
    }
    let deleted = object.metadata.deletion_timestamp.as_ref();
    // An edit that only removes leaves no time: then it came after the status, and it is not known when.
    let is_shown = |edited: &Timestamp| told(object).is_none_or(|told| told <= *edited);
    deleted
        .map(|time| time.0)
        .or_else(|| edited(object).filter(is_shown))
}

/// When status was last written, as far as it shows.
fn told(object: &ProviderSecret) -> Option<Timestamp> {
    let conditions = conditions(object).iter();
    let changed = conditions.map(|of| of.last_transition_time.0);
    let status = object.status.as_ref();
    let synced = status.and_then(|status| status.last_sync_time.as_ref());
    let fields = object.managed_fields().iter();
    let written = fields.filter(|of| of.subresource.as_deref() == Some("status"));
    let written = written.filter_map(|of| of.time.as_ref());
    let times = synced.into_iter().chain(written).map(|time| time.0);
    changed.chain(times).max()
}

/// When an object was last edited, or created, as far as it shows: to an edit that only removes the API server gives no
/// time. Status has writers of its own.
pub(super) fn edited(object: &ProviderSecret) -> Option<Timestamp> {
    let fields = object.managed_fields().iter();
    let edits = fields.filter(|of| of.subresource.is_none());
    let times = edits.filter_map(|of| of.time.as_ref());
    times.map(|time| time.0).max().or_else(|| created(object))
}

/// Whether anything of an object was written to the provider.
pub(super) fn was_written(object: &ProviderSecret) -> bool {
    let status = object.status.iter();
    let mut entries = status.flat_map(|status| &status.entries);
    entries.any(|entry| entry.last_write_time.is_some())
}

/// The conditions of an object.
pub(super) fn conditions(object: &ProviderSecret) -> &[Condition] {
    let status = object.status.as_ref();
    status.map_or(&[], |status| &status.conditions)
}

/// The condition of a type.
pub(super) fn condition<'a>(object: &'a ProviderSecret, kind: &str) -> Option<&'a Condition> {
    let mut conditions = conditions(object).iter();
    conditions.find(|condition| condition.r#type == kind)
}

/// Whether the condition Suspended is there.
pub(super) fn is_paused(object: &ProviderSecret) -> bool {
    condition(object, SUSPENDED).is_some()
}

/// Whether the operator has acted on the newest spec.
pub(super) fn is_observed(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    status.and_then(|status| status.observed_generation) == object.metadata.generation
}

/// Whether the provider has acknowledged the value of an entry, and nothing older is on its way.
pub(super) fn is_acknowledged(record: &EntryStatus) -> bool {
    record.state == EntryState::Synced && !record.leaving && record.attempted.is_none()
}

/// The finalizers of other controllers, where a deleted object waits for nothing else; the operator is done with it.
pub(super) fn foreign_finalizers(object: &ProviderSecret) -> Option<&[String]> {
    let finalizers = object.finalizers();
    let is_held = object.metadata.deletion_timestamp.is_some() && !finalizers.is_empty();
    let is_done = !finalizers.iter().any(|name| name == FINALIZER);
    (is_held && is_done).then_some(finalizers)
}

/// When an object was created.
pub(super) fn created(object: &ProviderSecret) -> Option<Timestamp> {
    object.creation_timestamp().map(|time| time.0)
}

/// The words before a name that kubectl takes for the kind, and `-o name` prints.
const KINDS: [&str; 5] = [
    "psec",
    "providersecret",
    "providersecrets",
    "providersecret.providersecrets.dev",
    "providersecrets.providersecrets.dev",
];

/// A text that may stand in a path of the API server as the name of something.
///
/// # Errors
/// It is the name of nothing, and would lead elsewhere there, as with a `?` in it.
pub(super) fn path_name(text: &str) -> Result<&str, Refusal> {
    let is_outer = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_inner = |byte: u8| is_outer(byte) || matches!(byte, b'-' | b'.');
    let begins_so = text.bytes().next().is_some_and(is_outer);
    if begins_so && text.bytes().all(is_inner) {
        return Ok(text);
    }
    Err(Refusal::usage(format!(
        "{text:?} is no name: want lower-case letters, digits, - and ., a letter or digit first"
    )))
}

/// The name in NAME or KIND/NAME.
///
/// # Errors
/// It is the name of something else, or of nothing.
pub(super) fn object_name(text: &str) -> Result<&str, Refusal> {
    let name = match text.split_once('/') {
        None => text,
        Some((kind, name)) if KINDS.contains(&kind) => name,
        Some(_) => "",
    };
    if name.is_empty() || name.contains('/') {
        return Err(Refusal::usage("want NAME or psec/NAME"));
    }
    path_name(name)
}

/// The name of a resource as kubectl prints and takes it.
pub(super) fn resource_name(name: &str) -> String {
    format!("providersecret.providersecrets.dev/{name}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::cli::tests::samples::{ago, in_state, now};

    /// It was said to be Ready or not 540 s ago, and edited 30 s ago.
    #[rstest]
    #[case::acted_on("Ready", 3, None, 5, Some(540))]
    #[case::edited("Ready", 4, None, 60, Some(30))]
    #[case::edited_by_a_removal("Ready", 4, None, 5, None)]
    #[case::deleted("Ready", 4, Some(10), 5, Some(10))]
    #[case::not_ready_before("Stalled", 4, None, 5, Some(540))]
    #[case::not_ready_and_deleted("Stalled", 4, Some(10), 5, Some(540))]
    fn an_object_is_not_ready_since_it_was_edited(
        #[case] class: &str,
        #[case] generation: i64,
        #[case] deleted: Option<i64>,
        #[case] told: i64,
        #[case] expected: Option<i64>,
    ) {
        let mut object = in_state("ml/object", class, "Word", "It is so.");
        let fields = json!([
            {"manager": "kubectl", "operation": "Update", "time": ago(30)},
            {"manager": "operator", "operation": "Update", "subresource": "status", "time": ago(told)},
        ]);
        object.metadata.managed_fields = serde_json::from_value(fields).unwrap();
        object.metadata.generation = Some(generation);
        let deleted = deleted.map(ago);
        object.metadata.deletion_timestamp = serde_json::from_value(json!(deleted)).unwrap();
        let since = Standing::of(&object).since;
        let seconds = since.map(|since| now().duration_since(since).as_secs());
        assert_eq!(seconds, expected);
    }

    #[test]
    fn an_object_of_which_nothing_is_said_is_not_ready_since_it_was_created() {
        let mut object = in_state("ml/object", "Ready", "Synced", "It is so.");
        object.status = None;
        assert_eq!(Standing::of(&object).since, created(&object));
    }

    #[rstest]
    #[case("one", Some("one"))]
    #[case("providersecret.providersecrets.dev/one", Some("one"))]
    #[case("providersecrets.providersecrets.dev/one", Some("one"))]
    #[case("providersecret/one", Some("one"))]
    #[case("providersecrets/one", Some("one"))]
    #[case("psec/one", Some("one"))]
    #[case("psec/", None)]
    #[case("", None)]
    #[case("secret/one", None)]
    #[case("psec/one/status", None)]
    #[case("one?dryRun=All&x=", None)]
    #[case("one%2fstatus", None)]
    #[case("%6fne", None)]
    #[case("one#two", None)]
    #[case("a b", None)]
    #[case("..", None)]
    #[case("One", None)]
    #[case("psec/one.two-3", Some("one.two-3"))]
    fn an_object_is_named_as_for_kubectl(#[case] text: &str, #[case] name: Option<&str>) {
        let read = object_name(text).map_err(|refusal| refusal.code);
        assert_eq!(read, name.ok_or(crate::cli::USAGE));
    }
}
