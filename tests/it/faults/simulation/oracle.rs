//! What must hold at the end of a run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulator::Held;

use super::{
    plan::{Plan, Run},
    provider::Counts,
    store::Resource,
    workload::{Conflict, End, Policy},
    world::{SOURCE, World},
};
use crate::faults::call_log::Variant;
use crate::harness::{CANARY, traces, unknown_shape, violations};

/// What counts of a state: no times, no versions, no ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) object: Option<Value>,
    /// Names and values at the provider, in each scope.
    pub(super) secrets: BTreeMap<String, String>,
}

/// The state of a world.
pub(super) fn state(world: &World) -> State {
    let mut secrets = BTreeMap::new();
    for scope in world.account.scopes() {
        for (name, value) in world.account.values(scope.as_deref()) {
            let scope = scope.as_deref().unwrap_or_default();
            secrets.insert(format!("{scope}/{name}"), value);
        }
    }
    let object = world.object().map(|object| {
        let metadata = &object["metadata"];
        json!({
            "generation": metadata["generation"],
            "finalizers": metadata["finalizers"],
            "isDeleting": !metadata["deletionTimestamp"].is_null(),
            "status": plain(&object["status"]),
        })
    });
    State { object, secrets }
}

/// Keeps only the presence of times, versions and ids.
fn plain(value: &Value) -> Value {
    const MOVING: [&str; 12] = [
        "attemptedTime",
        "lastTransitionTime",
        "lastSyncTime",
        "lastWriteTime",
        "resourceVersion",
        "remoteId",
        "remoteVersion",
        "seal",
        "sourcesSeal",
        "approvalSeal",
        "lastApprovedPlan",
        // Depends on the uid, which differs between runs.
        "digest",
    ];
    match value {
        Value::Object(fields) => fields
            .iter()
            // Another history has other repairs and other writers, and found other secrets, or asked for none.
            .filter(|(name, _)| !["drift", "found", "writer"].contains(&name.as_str()))
            .map(|(name, value)| {
                let is_moving = MOVING.contains(&name.as_str());
                let value = if is_moving { true.into() } else { plain(value) };
                (name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// What is wrong in a world at rest, whatever happened before.
pub(super) fn faults(world: &World, policy: Policy) -> Vec<String> {
    let mut faults = violations(&world.account.requests());
    for resource in [Resource::ProviderSecrets, Resource::Events] {
        let text = Value::from(world.store.list(resource, None)).to_string();
        if !traces(&text).is_empty() {
            faults.push(format!("the canary is in the {resource:?}"));
        }
    }
    for (_, object) in world.store.history(Resource::ProviderSecrets) {
        if let Some(shape) = unknown_shape(&object) {
            faults.push(format!("tests/statuses.jsonl has no {shape}"));
        }
    }
    let held = held(world);
    if held
        .get(&world.target.fold("FOREIGN_KEY"))
        .is_none_or(|held| held.value != "foreign")
    {
        faults.push("what is foreign was touched".to_owned());
    }
    let object = world.object();
    let desired = object
        .as_ref()
        .map(|object| desired_entries(world, object))
        .unwrap_or_default();
    let status = object.as_ref().map(|object| &object["status"]);
    if let Some(status) = status {
        faults.extend(inconsistencies(world, status, &desired));
    }
    if policy == Policy::Delete {
        for (name, held) in &held {
            let is_ours = held.value.starts_with(CANARY);
            let is_recorded = status.is_some_and(|status| {
                let entries = status["entries"].as_array();
                let names = entries.into_iter().flatten();
                names
                    .filter_map(|entry| entry["name"].as_str())
                    .any(|recorded| world.target.fold(recorded) == *name)
            });
            // A foreign secret that the operator overwrote without an acknowledgement is left behind.
            let is_left = is_recorded || world.was_foreign(name);
            if is_ours && !is_left && !desired.contains_key(name) {
                faults.push(format!("{name} is an orphan"));
            }
        }
    }
    faults
}

/// What the provider holds in the scope, by folded name.
fn held(world: &World) -> BTreeMap<String, Held> {
    let held = world.account.held(world.scope().as_deref()).into_iter();
    held.map(|(name, held)| (world.target.fold(&name), held))
        .collect()
}

/// Remote names that a spec asks for, with their keys.
fn desired_entries(world: &World, object: &Value) -> BTreeMap<String, String> {
    let data = object["spec"]["data"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    data.into_iter()
        .flatten()
        .map(|entry| {
            let name = world.target.fold(&text(&entry["name"]));
            (name, text(&entry["secretKeyRef"]["key"]))
        })
        .collect()
}

/// Status, remote and source say the same.
fn inconsistencies(
    world: &World,
    status: &Value,
    desired: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let conditions = status["conditions"].as_array();
    // Ready, or Suspended where there is no Ready.
    let Some(ready) = conditions.and_then(|all| all.first()) else {
        return vec!["there is no condition".to_owned()];
    };
    let held = held(world);
    let source = world.data(SOURCE);
    let entries: Vec<&Value> = status["entries"].as_array().into_iter().flatten().collect();
    for entry in &entries {
        let name = &world
            .target
            .fold(entry["name"].as_str().unwrap_or_default());
        if entry["state"] != "Synced" {
            continue;
        }
        let remote = held.get(name);
        let value = desired.get(name).and_then(|key| source.get(key));
        let is_held = remote.is_some_and(|remote| Some(&remote.value) == value);
        // A suspended object speaks of what was synced before.
        if !is_held && ready["reason"] != "Suspended" {
            faults.push(format!("{name} is shown as synced and is not"));
        }
        let id = remote.and_then(|remote| remote.id.as_deref());
        if entry["remoteId"].as_str() != id {
            faults.push(format!("{name} is recorded with a wrong id"));
        }
    }
    let names: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .map(|name| world.target.fold(name))
        .collect();
    let is_ready = ready["type"] == "Ready" && ready["status"] == "True";
    if is_ready && !names.iter().eq(desired.keys()) {
        faults.push(format!("ready with the entries {names:?}"));
    }
    if !is_ready && ready["reason"] != "Conflict" {
        faults.push(format!("it ends with {}", ready["reason"]));
    }
    faults
}

/// What is wrong with a run, compared with one without a crash.
pub(super) fn compare(plan: &Plan, run: &Run, reference: &Run) -> Vec<String> {
    let (end, mut faults) = (plan.workload.end, run.faults.clone());
    if run.end.object != reference.end.object {
        faults.push(format!(
            "the object is\n{:#}\nand should be\n{:#}",
            run.end.object.clone().unwrap_or_default(),
            reference.end.object.clone().unwrap_or_default()
        ));
    }
    let names: BTreeSet<&String> = [&run.end, &run.before, &reference.end]
        .iter()
        .flat_map(|state| state.secrets.keys())
        .collect();
    for name in names {
        let [is, was, should] =
            [&run.end, &run.before, &reference.end].map(|state| state.secrets.get(name));
        let is_ours = is.is_some_and(|value| value.starts_with(CANARY));
        // A foreign secret that the operator overwrote without an acknowledgement does not count as ours and is not
        // deleted.
        let is_left = is_ours && was.is_some_and(|value| !value.starts_with(CANARY));
        let is_right = is == should || end == End::Fewer && (is == was || is_left);
        if !is_right {
            faults.push(format!("{name} is {is:?} and should be {should:?}"));
        }
    }
    if plan.workload.conflict == Conflict::Fail {
        let foreign = run
            .before
            .secrets
            .iter()
            .filter(|(_, value)| !value.starts_with(CANARY));
        let touched = foreign.filter(|(name, value)| run.end.secrets.get(*name) != Some(*value));
        faults.extend(touched.map(|(name, _)| format!("{name} is foreign and was touched")));
    }
    faults.extend(too_many(&run.counts, &reference.counts, plan));
    faults
}

/// One more write for each crash. Where a create that was on its way comes first, one more is
/// refused. Where the provider shows no change, what an incarnation writes after one that crashed is confirmed.
fn too_many(counts: &Counts, reference: &Counts, plan: &Plan) -> Vec<String> {
    let late = plan
        .crashes
        .iter()
        .filter(|crash| matches!(crash.variant, Variant::Late | Variant::Stopped));
    let crashes = plan.crashes.len();
    let confirmed = if plan.target.is_blind() { crashes } else { 0 };
    let more = crashes + late.count() + confirmed;
    let allowed = |name: &String| reference.get(name).copied().unwrap_or_default() + more;
    counts
        .iter()
        .filter(|(name, count)| **count > allowed(name))
        .map(|(name, count)| {
            format!(
                "{name} was written {count} times, {} expected",
                allowed(name)
            )
        })
        .collect()
}
