//! What keeps a status from being written over by an older one, of another object or of a process that leads
//! no more. Pure.

use std::collections::BTreeSet;

use kube::{ResourceExt, api::Patch};
use serde_json::{Value, json};

use super::status::summary;
use crate::{
    api::{EntryState, EntryStatus, ProviderSecret, ProviderSecretStatus},
    controller::object::REQUESTS,
};

/// Of the fields of a merge patch only the resourceVersion fences: one with the uid of a deleted
/// object is accepted on its namesake (docs/decisions/0003-status-merge-patch.md#fences).
pub(super) fn by_version(object: &ProviderSecret, next: &ProviderSecretStatus) -> Patch<Value> {
    let version = object.resource_version();
    Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": merge_patch(next)}))
}

/// A JSON patch whose tests fail on a namesake, and where another process has written status meanwhile;
/// others who write the same object all the time cannot hold it up. With `asks` it fails also where a user
/// has asked for something since.
pub(super) fn by_writer(
    object: &ProviderSecret,
    next: &ProviderSecretStatus,
    asks: bool,
) -> Option<Patch<Value>> {
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.uid()?}),
        json!({"op": "add", "path": "/status", "value": next}),
    ];
    if let Some(status) = &object.status {
        let test = json!({"op": "test", "path": "/status/writer", "value": status.writer});
        operations.insert(1, test);
    }
    if asks {
        operations.splice(1..1, asked_tests(object));
    }
    serde_json::from_value(Value::Array(operations))
        .ok()
        .map(Patch::Json)
}

/// Tests that fail where the object was edited, or a sync of it was requested.
fn asked_tests(object: &ProviderSecret) -> Vec<Value> {
    let test = |path: &str, value: Value| json!({"op": "test", "path": path, "value": value});
    let mut tests = vec![test(
        "/metadata/generation",
        json!(object.metadata.generation),
    )];
    let annotations = object.annotations();
    if annotations.is_empty() {
        // A test below what is missing fails.
        tests.push(test("/metadata/annotations", Value::Null));
        return tests;
    }
    tests.extend(REQUESTS.map(|key| {
        let path = format!("/metadata/annotations/{}", key.replace('/', "~1"));
        test(&path, json!(annotations.get(key)))
    }));
    tests
}

/// The greatest number beyond the own term's that is believed. A Lease counts its holders, and has no such number;
/// a user who may write a status may write any.
const GREATEST_EPOCH: i64 = 1 << 30;

/// The number of the term in which a status was written, if a process wrote it that led by a lease. `ours` is the
/// own term's: what was before it may have been, however great it is.
pub(super) fn epoch(status: Option<&ProviderSecretStatus>, ours: Option<i64>) -> Option<i64> {
    let epoch = status?.writer.as_ref()?.epoch;
    let greatest = ours.map_or(GREATEST_EPOCH, |ours| ours.max(GREATEST_EPOCH));
    (0..=greatest).contains(&epoch).then_some(epoch)
}

/// The status that a reconcile came to which began at `base`, and finds that it is `live` meanwhile. What
/// another process recorded since stays, where the reconcile says nothing else of it. None where that one left
/// it at work, or with a failure: what the reconcile says of the whole object is not true then.
pub(super) fn merged(
    base: Option<&ProviderSecretStatus>,
    next: ProviderSecretStatus,
    live: Option<&ProviderSecretStatus>,
) -> Option<ProviderSecretStatus> {
    let Some(live) = live.filter(|live| is_by_another(&next, live)) else {
        return Some(next);
    };
    let of = |entries: &[EntryStatus], name: &str| {
        entries.iter().find(|entry| entry.name == name).cloned()
    };
    let known = base.map_or(&[][..], |base| &base.entries);
    let names: BTreeSet<&str> = next
        .entries
        .iter()
        .chain(&live.entries)
        .map(|entry| entry.name.as_str())
        .collect();
    let mut entries = Vec::new();
    for name in names {
        let ours = of(&next.entries, name);
        let is_untouched = ours == of(known, name);
        // In doubt a record stays.
        let theirs = of(&live.entries, name).filter(|_| is_untouched);
        let is_news = theirs.is_some() && theirs != ours;
        if is_news
            && theirs
                .as_ref()
                .is_some_and(|theirs| theirs.state != EntryState::Synced)
        {
            return None;
        }
        entries.extend(theirs.or(ours));
    }
    // What this process has not changed, the other one may have.
    let of_either = |of: fn(&ProviderSecretStatus) -> Option<&String>| {
        let is_untouched = of(&next) == base.and_then(of);
        of(if is_untouched { live } else { &next }).cloned()
    };
    Some(ProviderSecretStatus {
        summary: Some(summary(&entries)),
        approval_seal: of_either(|status| status.approval_seal.as_ref()),
        last_approved_plan: of_either(|status| status.last_approved_plan.as_ref()),
        entries,
        ..next
    })
}

/// Whether a process of another term than the one that writes `next` wrote `live`, and under the same API key:
/// records of two keys do not mix.
fn is_by_another(next: &ProviderSecretStatus, live: &ProviderSecretStatus) -> bool {
    let ours = next.writer.as_ref().map(|writer| writer.epoch);
    let theirs = epoch(Some(live), ours);
    theirs.is_some() && theirs != ours && live.key_fingerprint == next.key_fingerprint
}

/// The status as a merge patch: what is absent is said to be absent.
fn merge_patch(next: &ProviderSecretStatus) -> Value {
    let mut patch = json!({
        "conditions": [],
        "observedGeneration": null,
        "provider": null,
        "scope": null,
        "summary": null,
        "lastSyncTime": null,
        "lastHandledSyncRequest": null,
        "keyFingerprint": null,
        "sources": [],
        "sourcesSeal": null,
        "plan": null,
        "approvalSeal": null,
        "lastApprovedPlan": null,
        "writer": null,
        "entries": [],
    });
    if let (Some(patch), Ok(Value::Object(next))) =
        (patch.as_object_mut(), serde_json::to_value(next))
    {
        patch.extend(next);
    }
    patch
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::{
        api::{PlanStatus, WriterStatus},
        controller::object::{time, unwritten},
    };

    fn object(status: Option<&ProviderSecretStatus>) -> ProviderSecret {
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "o", "uid": "u"},
            "spec": {"provider": {}},
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn status(epoch: Option<i64>, entries: &[(&str, &str)]) -> ProviderSecretStatus {
        let entry = |(name, digest): &(&str, &str)| EntryStatus {
            state: EntryState::Synced,
            digest: Some((*digest).to_owned()),
            ..unwritten(name)
        };
        ProviderSecretStatus {
            writer: epoch.map(|epoch| WriterStatus { epoch }),
            entries: entries.iter().map(entry).collect(),
            ..ProviderSecretStatus::default()
        }
    }

    #[rstest]
    #[case::never_written(None, None)]
    #[case::without_a_lease(Some(status(None, &[])), Some(Value::Null))]
    #[case::under_a_lease(Some(status(Some(3), &[])), Some(json!({"epoch": 3})))]
    fn a_patch_tests_the_object_and_the_writer(
        #[case] shown: Option<ProviderSecretStatus>,
        #[case] tested: Option<Value>,
    ) {
        let Some(Patch::Json(patch)) = by_writer(
            &object(shown.as_ref()),
            &ProviderSecretStatus::default(),
            false,
        ) else {
            panic!("a JSON patch")
        };
        let patch = serde_json::to_value(patch).unwrap();
        let test = |path: &str, value: Value| json!({"op": "test", "path": path, "value": value});
        let mut expected = vec![test("/metadata/uid", json!("u"))];
        expected.extend(tested.map(|writer| test("/status/writer", writer)));
        expected.push(json!({"op": "add", "path": "/status", "value": {}}));
        assert_eq!(patch, Value::Array(expected));
    }

    #[rstest]
    #[case::without_annotations(json!(null), &[("/metadata/annotations", json!(null))])]
    #[case::of_others(json!({"a": "b"}), &[
        ("/metadata/annotations/providersecrets.dev~1sync-requested-at", json!(null)),
        ("/metadata/annotations/reconcile.fluxcd.io~1requestedAt", json!(null)),
    ])]
    #[case::of_a_request(json!({"providersecrets.dev/sync-requested-at": "1"}), &[
        ("/metadata/annotations/providersecrets.dev~1sync-requested-at", json!("1")),
        ("/metadata/annotations/reconcile.fluxcd.io~1requestedAt", json!(null)),
    ])]
    fn what_asks_a_user_tests_that_none_has_answered(
        #[case] annotations: Value,
        #[case] tested: &[(&str, Value)],
    ) {
        let mut shown = object(None);
        shown.metadata.generation = Some(7);
        shown.metadata.annotations = serde_json::from_value(annotations).unwrap();
        let Some(Patch::Json(patch)) = by_writer(&shown, &ProviderSecretStatus::default(), true)
        else {
            panic!("a JSON patch")
        };
        let patch = serde_json::to_value(patch).unwrap();
        let mut expected = vec![
            ("/metadata/uid", json!("u")),
            ("/metadata/generation", json!(7)),
        ];
        expected.extend(tested.iter().cloned());
        let operations = patch.as_array().unwrap();
        for ((path, value), operation) in expected.iter().zip(operations) {
            assert_eq!(operation["op"], "test");
            assert_eq!(
                (&operation["path"], &operation["value"]),
                (&json!(path), value)
            );
        }
        assert_eq!(operations.len(), expected.len() + 1);
    }

    /// A is written by this process, B by another one meanwhile, C by neither. The base is of term 1, and this
    /// process of term 3.
    #[rstest]
    #[case::the_one_before(Some(1), &[("A", "2"), ("B", "9"), ("C", "1"), ("NEW", "1")])]
    #[case::one_in_between(Some(2), &[("A", "2"), ("B", "9"), ("C", "1"), ("NEW", "1")])]
    #[case::no_other(Some(3), &[("A", "2"), ("B", "1"), ("C", "1")])]
    #[case::no_process(None, &[("A", "2"), ("B", "1"), ("C", "1")])]
    #[case::no_term(Some(i64::MAX), &[("A", "2"), ("B", "1"), ("C", "1")])]
    fn what_another_process_recorded_meanwhile_stays(
        #[case] writer: Option<i64>,
        #[case] expected: &[(&str, &str)],
    ) {
        let base = status(
            Some(1),
            &[("A", "1"), ("B", "1"), ("C", "1"), ("GONE", "1")],
        );
        let next = status(Some(3), &[("A", "2"), ("B", "1"), ("C", "1")]);
        let live = status(
            writer,
            &[("A", "7"), ("B", "9"), ("GONE", "1"), ("NEW", "1")],
        );
        let merged = merged(Some(&base), next, Some(&live)).unwrap();
        assert_eq!(merged.entries, status(None, expected).entries);
        assert_eq!(epoch(Some(&merged), None), Some(3));
    }

    /// Else an object could be Ready over what the one before began.
    #[rstest]
    #[case::of_what_it_left("B", EntryState::Pending, false)]
    #[case::of_what_failed("B", EntryState::Failed, false)]
    #[case::of_what_is_new("NEW", EntryState::Pending, false)]
    #[case::of_what_was_so_before("OLD", EntryState::Failed, true)]
    #[case::of_what_this_one_wrote("A", EntryState::Pending, true)]
    fn a_status_is_written_over_no_news_that_is_unfinished(
        #[case] name: &str,
        #[case] state: EntryState,
        #[case] is_written: bool,
    ) {
        let unfinished = |mut status: ProviderSecretStatus, name: &str, state| {
            let mut entries = status.entries.iter_mut();
            entries.find(|entry| entry.name == name).unwrap().state = state;
            status
        };
        let old = |status| unfinished(status, "OLD", EntryState::Failed);
        let base = old(status(Some(1), &[("A", "1"), ("B", "1"), ("OLD", "1")]));
        let next = old(status(Some(3), &[("A", "2"), ("B", "1"), ("OLD", "1")]));
        let live = status(
            Some(1),
            &[("A", "1"), ("B", "1"), ("NEW", "1"), ("OLD", "1")],
        );
        let live = unfinished(old(live), name, state);
        let merged = merged(Some(&base), next, Some(&live));
        assert_eq!(merged.is_some(), is_written);
    }

    #[rstest]
    #[case::given_by_the_one_before(None, None, Some("theirs"), Some("theirs"))]
    #[case::given_by_this_one(None, Some("ours"), None, Some("ours"))]
    #[case::given_by_both(None, Some("ours"), Some("theirs"), Some("ours"))]
    #[case::of_before(Some("before"), Some("before"), Some("before"), Some("before"))]
    fn an_approval_that_another_process_sealed_meanwhile_stays(
        #[case] base: Option<&str>,
        #[case] next: Option<&str>,
        #[case] live: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let sealed = |epoch, seal: Option<&str>| ProviderSecretStatus {
            approval_seal: seal.map(str::to_owned),
            last_approved_plan: seal.map(str::to_owned),
            ..status(Some(epoch), &[("A", "1")])
        };
        let (base, next, live) = (sealed(1, base), sealed(3, next), sealed(1, live));
        let merged = merged(Some(&base), next, Some(&live)).unwrap();
        assert_eq!(merged.approval_seal.as_deref(), expected);
        assert_eq!(merged.last_approved_plan.as_deref(), expected);
    }

    /// Else a user who may write a status could stop every rotation of the object.
    #[rstest]
    #[case::the_first(0, 7, true)]
    #[case::the_greatest(GREATEST_EPOCH, 7, true)]
    #[case::beyond_it(GREATEST_EPOCH + 1, 7, false)]
    #[case::of_no_lease(i64::from(i32::MAX) + 1, 7, false)]
    #[case::of_no_number(-1, 7, false)]
    // A forged one may have driven the Lease so far.
    #[case::the_one_before(GREATEST_EPOCH + 1, GREATEST_EPOCH + 2, true)]
    #[case::beyond_a_great_one(GREATEST_EPOCH + 3, GREATEST_EPOCH + 2, false)]
    fn a_term_that_no_lease_can_give_is_not_believed(
        #[case] shown: i64,
        #[case] ours: i64,
        #[case] is_believed: bool,
    ) {
        let known = epoch(Some(&status(Some(shown), &[])), Some(ours));
        assert_eq!(known, is_believed.then_some(shown));
    }

    #[test]
    fn records_of_two_keys_do_not_mix() {
        let base = status(Some(1), &[("A", "1"), ("B", "1")]);
        let next = status(Some(3), &[("A", "2"), ("B", "1")]);
        let live = ProviderSecretStatus {
            key_fingerprint: Some("other".to_owned()),
            ..status(Some(2), &[("A", "1"), ("B", "9")])
        };
        assert_eq!(merged(Some(&base), next.clone(), Some(&live)), Some(next));
    }

    #[test]
    fn a_patch_names_every_field_of_status() {
        let full = ProviderSecretStatus {
            conditions: Vec::new(),
            observed_generation: Some(1),
            provider: Some(String::new()),
            scope: Some(String::new()),
            summary: Some(String::new()),
            last_sync_time: Some(time(Timestamp::now())),
            last_handled_sync_request: Some(String::new()),
            key_fingerprint: Some(String::new()),
            sources: Vec::new(),
            sources_seal: Some(String::new()),
            plan: Some(PlanStatus {
                hash: String::new(),
                create: 0,
                update: 0,
                delete: 0,
                refuse: 0,
                keep: 0,
                calls: 0,
                actions: Vec::new(),
            }),
            approval_seal: Some(String::new()),
            last_approved_plan: Some(String::new()),
            writer: Some(WriterStatus { epoch: 1 }),
            entries: Vec::new(),
        };
        let fields = |status| merge_patch(&status).as_object().unwrap().len();
        assert_eq!(fields(full), fields(ProviderSecretStatus::default()));
    }
}
