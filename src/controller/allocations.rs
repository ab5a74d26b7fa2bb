//! How often the pure core allocates. Counts are the same on every machine and at every load, so a step
//! that becomes wasteful fails here and not in a benchmark that nobody runs before a merge. Each bound is what was
//! seen; a change that needs more says why in its commit.

use std::{collections::BTreeMap, sync::Arc};

use allocation_counter::measure;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    cache::{ObjectState, OtherEntries, Stored},
    gate::{Decision, Remembered, VersionNews, decide},
    object::Guarded,
    plan::{self, tests::Unclaimed},
    resolve::desired::{Sources, desired_state},
};
use crate::{
    api::{ConflictPolicy, DeletionPolicy, ProviderKind, ProviderSecret},
    provider,
};

const KIND: ProviderKind = ProviderKind::ALL[0];

/// An object of some entries that is synced, each from a key of one Secret.
fn synced(entries: usize) -> ProviderSecret {
    let entry = |number| json!({"name": format!("ENTRY_{number}"), "secretKeyRef": {"name": "source", "key": format!("key-{number}")}});
    let record = |number| {
        json!({
            "name": format!("ENTRY_{number}"), "state": "Synced", "lastWriteTime": "2026-01-01T00:00:00Z",
            "record": {"digest": format!("value-{number}"), "seal": "0123456789abcdef0123456789abcdef"},
        })
    };
    let all = |make: &dyn Fn(usize) -> Value| (0..entries).map(make).collect::<Vec<_>>();
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "Synced", "message": "Everything is synced.",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
    });
    let object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
        "metadata": {"name": "object", "namespace": "team", "generation": 1, "uid": "uid", "resourceVersion": "7"},
        "spec": {
            "provider": {KIND.member(): {"apiKeySecretRef": {"name": "key", "key": "key"}}},
            "data": all(&entry),
        },
        "status": {
            "observedGeneration": 1, "conditions": [ready], "entries": all(&record),
            "sources": [{"name": "key", "resourceVersion": "5"}, {"name": "source", "resourceVersion": "6"}],
        },
    });
    serde_json::from_value(object).unwrap()
}

fn sources(entries: usize) -> Sources {
    let values = (0..entries).map(|number| {
        let value = format!("value-{number}").into_bytes();
        (format!("key-{number}"), Zeroizing::new(value))
    });
    let data: BTreeMap<_, _> = values.collect();
    [("source".to_owned(), Ok(Arc::new(data)))].into()
}

/// How often a step allocates. It runs once before: what the first run sets up for all later ones
/// counts for none.
fn count<T>(step: impl Fn() -> T) -> u64 {
    drop(step());
    measure(|| drop(step())).count_total
}

/// Asserts how often something allocates at most for an object of one entry, and for each entry more.
fn assert_at_most(bounds: [u64; 2], count: impl Fn(usize) -> u64) {
    let (one, many) = (count(1), count(101));
    let seen = [one, (many - one).div_ceil(100)];
    let is_within = seen.iter().zip(bounds).all(|(seen, bound)| *seen <= bound);
    assert!(is_within, "{seen:?} of {bounds:?}");
}

#[test]
fn the_gate_of_an_object_at_rest() {
    let versions = |name: &str| Some(if name == "key" { "5" } else { "6" }.to_owned());
    let remembered = Remembered {
        state: &ObjectState::Resting,
        next_try: None,
        must_rewrite: false,
        is_verification_due: false,
        is_requeued: false,
        others: OtherEntries::Wait,
        news: VersionNews::Later,
        quiet_until: None,
    };
    let now = (Instant::now(), Timestamp::UNIX_EPOCH);
    assert_at_most([8, 1], |entries| {
        let object = synced(entries);
        let pass = || decide(&object, remembered, now, versions);
        assert_eq!(pass(), Decision::Rest);
        count(pass)
    });
}

#[test]
fn the_desired_state() {
    assert_at_most([8, 5], |entries| {
        let (object, sources) = (synced(entries), sources(entries));
        let rules = provider::rules(KIND);
        count(|| desired_state(&object.spec, "object", &sources, rules).is_ok())
    });
}

#[test]
fn the_plan_of_what_is_there() {
    assert_at_most([4, 2], |entries| {
        let (object, sources) = (synced(entries), sources(entries));
        let rules = provider::rules(KIND);
        let desired = desired_state(&object.spec, "object", &sources, rules);
        let desired = desired.ok().unwrap().entries;
        let suspects = BTreeMap::new();
        let inputs = plan::Inputs {
            recorded: &object.status.as_ref().unwrap().entries,
            snapshot: None,
            set_keys: None,
            is_scope_asked: true,
            rules,
            set: None,
            deletion: DeletionPolicy::Retain,
            conflict: ConflictPolicy::Overwrite,
            suspects: &suspects,
            is_inherited: false,
            is_requested: false,
            now: Timestamp::UNIX_EPOCH,
        };
        count(|| plan::plan(&desired, &inputs, &Unclaimed, |_| None))
    });
}

#[test]
fn packing_and_unpacking() {
    let guarded = |entries| Guarded(Ok(synced(entries)));
    assert_at_most([20, 6], |entries| {
        let object = guarded(entries);
        count(|| Stored::of(&object))
    });
    assert_at_most([26, 7], |entries| {
        let stored = Stored::of(&guarded(entries));
        count(|| stored.object())
    });
}
