//! One ProviderSecret: its name, its resource version, and how its records begin.

mod guarded;
mod requests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    ResourceExt,
    runtime::reflector::{Lookup, ObjectRef},
};

pub(crate) use self::{
    guarded::{Guarded, resource},
    requests::{REQUESTS, is_asked_alike, is_new_request, request_order, requested},
};
use crate::{
    account::ObjectName,
    api::{
        ALLOW, APPROVED_PLAN, Condition, DELETION_OVERRIDE, EntryState, EntryStatus, FINALIZER,
        FLUX_REQUESTED_AT, ProviderSecret, READY, Reason, SYNC_REQUESTED_AT,
    },
};

/// The versions of Secrets by their names, sorted.
pub(crate) type Versions = Vec<(String, String)>;

/// The Secrets that an object reads; none if it does not decode.
pub(crate) fn secret_names(object: Option<&ProviderSecret>) -> Vec<&str> {
    object
        .map(|object| object.spec.secret_names())
        .unwrap_or_default()
}

/// The records as status shows them, verified or not.
pub(crate) fn raw_records(object: &ProviderSecret) -> &[EntryStatus] {
    let status = object.status.as_ref();
    status.map_or(&[], |status| status.entries.as_slice())
}

/// Namespace and name.
pub(crate) fn object_name(object: &impl ResourceExt) -> ObjectName {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// The reference under which the queue knows an object.
pub(crate) fn object_ref<K>((namespace, name): &ObjectName) -> ObjectRef<K>
where
    K: Lookup<DynamicType = ()>,
{
    ObjectRef::new(name).within(namespace)
}

/// Whether the object has the operator's finalizer.
pub(crate) fn has_finalizer(object: &impl ResourceExt) -> bool {
    object.finalizers().iter().any(|name| name == FINALIZER)
}

/// The condition `Ready`, if the operator has written one.
pub(crate) fn ready_condition(object: &ProviderSecret) -> Option<&Condition> {
    let conditions = &object.status.as_ref()?.conditions;
    let mut conditions = conditions.iter();
    conditions.find(|condition| condition.r#type == READY)
}

/// The Secrets and their versions that status was made from.
pub(crate) fn recorded_sources(object: &ProviderSecret) -> Versions {
    let sources = object.status.iter().flat_map(|status| &status.sources);
    sources
        .map(|source| (source.name.clone(), source.resource_version.clone()))
        .collect()
}

/// Whether an operator has written a status of the object.
pub(crate) fn was_reconciled(object: &ProviderSecret) -> bool {
    let mut status = object.status.iter();
    status.any(|status| !status.conditions.is_empty() || !status.entries.is_empty())
}

/// Whether the spec is the one that status speaks of.
pub(crate) fn is_acted_on(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    status.and_then(|status| status.observed_generation) == object.metadata.generation
}

/// Whether the object says that it holds what sources took away: only then a user knows what there is to confirm.
pub(crate) fn says_held(object: &ProviderSecret) -> bool {
    ready_condition(object).is_some_and(|ready| ready.reason == Reason::RemovalHeld.as_str())
}

/// Whether `generation` comes right after the one that status speaks of. Of several edits that no reconcile has seen
/// one may have suspended the object and the next resumed it, which confirms nothing.
pub(crate) fn is_next_edit(object: &ProviderSecret, generation: Option<i64>) -> bool {
    let status = object.status.as_ref();
    let observed = status.and_then(|status| status.observed_generation);
    let next = observed.and_then(|observed| observed.checked_add(1));
    next.is_some() && next == generation
}

/// The annotations that reconciles read.
const KEPT_ANNOTATIONS: [&str; 4] = [
    SYNC_REQUESTED_AT,
    FLUX_REQUESTED_AT,
    DELETION_OVERRIDE,
    APPROVED_PLAN,
];

/// Whether the plan that waits in status is approved.
pub(crate) fn is_plan_approved(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    let plan = status.and_then(|status| status.plan.as_ref());
    plan.is_some_and(|plan| approved_plan(object) == Some(&plan.hash))
}

/// The hash of the plan that a user approved last, whether it is carried out or not.
pub(crate) fn approved_plan(object: &ProviderSecret) -> Option<&str> {
    object.annotations().get(APPROVED_PLAN).map(String::as_str)
}

/// What a user approved last, as seals.
pub(crate) fn approved_scope(object: &ProviderSecret) -> Option<&str> {
    object.status.as_ref()?.approval_seal.as_deref()
}

/// The hash of the plan that was approved last and is carried out.
pub(crate) fn last_approved_plan(object: &ProviderSecret) -> Option<&str> {
    object.status.as_ref()?.last_approved_plan.as_deref()
}

/// Drops what no reconcile reads and what takes most of the memory of an object.
pub(crate) fn slim(object: &mut impl ResourceExt) {
    object.managed_fields_mut().clear();
    object
        .annotations_mut()
        .retain(|key, _| KEPT_ANNOTATIONS.contains(&key.as_str()));
    object.labels_mut().retain(|key, _| key == ALLOW);
}

/// Whether the labels of a Secret say that its values may leave the cluster.
pub(crate) fn is_labelled(labels: &BTreeMap<String, String>) -> bool {
    labels.get(ALLOW).is_some_and(|value| value == "true")
}

/// The record of a name that was never written.
pub(crate) fn unwritten(name: &str) -> EntryStatus {
    EntryStatus {
        name: name.to_owned(),
        state: EntryState::Pending,
        reason: Some(Reason::Progressing.as_str().to_owned()),
        digest: None,
        remote_id: None,
        remote_version: None,
        last_write_time: None,
        found: None,
        drift: None,
        leaving: false,
        seal: None,
        attempted: None,
        attempted_time: None,
    }
}

/// A time as status shows it: whole seconds.
pub(crate) fn time(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// The resource version of an object.
pub(crate) fn version(object: &ProviderSecret) -> &str {
    let version = object.metadata.resource_version.as_deref();
    version.unwrap_or_default()
}

/// Whether `seen` is a later version than `known`. Kubernetes has declared the resource versions of
/// one resource comparable as numbers; where one is not a number, only equality is known, and what
/// cannot be compared counts as later.
pub(crate) fn is_newer(seen: &str, known: &str) -> bool {
    match (seen.parse::<u64>(), known.parse::<u64>()) {
        (Ok(seen), Ok(known)) => seen > known,
        _ => seen != known,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A label that says something else must not open the door.
    #[rstest]
    #[case("providersecrets.dev/allow", "true", true)]
    #[case("providersecrets.dev/allow", "false", false)]
    #[case("providersecrets.dev/allow", "True", false)]
    #[case("providersecrets.dev/allow", "", false)]
    #[case("providersecrets.dev/allowed", "true", false)]
    #[case("allow", "true", false)]
    fn a_secret_is_allowed_by_one_word(
        #[case] key: &str,
        #[case] value: &str,
        #[case] is_it: bool,
    ) {
        let labels = [("app", "web"), (key, value)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(is_labelled(&labels.into()), is_it, "{key}={value}");
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_newer("100", "99"));
        assert!(!is_newer("99", "100"));
        assert!(!is_newer("7", "7"));
        assert!(is_newer("b", "a"));
        assert!(!is_newer("a", "a"));
    }
}
