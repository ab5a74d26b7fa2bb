//! What of a plan waits for approval, and how a plan is shown. Pure.

use std::collections::BTreeSet;

use super::{
    Change, PlannedEntry, PlannedRemoval, RemovalAction, is_held_back, is_ours,
    is_removed_by_source, was_written,
};
use crate::{
    api::{
        ActionKind, Approval, DataFromSource, EntryStatus, MAX_ACTIONS, PlanStatus, PlannedAction,
        ProviderSecretSpec,
    },
    provider::{Choice, Unit},
};

/// Whether a plan may be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// It needs no approval.
    NotNeeded,
    /// It was approved.
    Given,
    /// It waits for approval.
    Missing,
}

/// What decides whether a plan may be carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsentInputs<'a> {
    /// `spec.approval`.
    pub(crate) approval: Approval,
    /// What an approval of this plan is for ([`approval_scope`]).
    pub(crate) scope: &'a str,
    /// What was approved last.
    pub(crate) approved_scope: Option<&'a str>,
    /// The hash of this plan.
    pub(crate) hash: &'a str,
    /// The hash of the plan that a user approved last.
    pub(crate) approved_plan: Option<&'a str>,
}

/// Decides whether a plan may be carried out. What deletes waits unless it was approved by itself: its records
/// say so from then on, and need no second approval when the first try fails. An approval of the plan is used up by
/// it, also where it needs none.
pub(crate) fn consent(
    entries: &[PlannedEntry<'_>],
    removals: &[PlannedRemoval],
    inputs: ConsentInputs<'_>,
) -> Consent {
    let writes = entries.iter().any(|entry| entry.change.is_write());
    let mut deletes = removals.iter().filter(|removal| is_delete(removal));
    let is_known = inputs.approved_scope == Some(inputs.scope);
    let is_free = match inputs.approval {
        Approval::Automatic => true,
        Approval::Manual | Approval::ManualEveryChange => {
            (is_known || !writes) && deletes.all(|removal| removal.record.leaving)
        }
    };
    if inputs.approved_plan == Some(inputs.hash) {
        Consent::Given
    } else if is_free {
        Consent::NotNeeded
    } else {
        Consent::Missing
    }
}

/// A record, as far as what leaves was approved. Under approval a status that holds none shows what began to leave
/// before, when no plan waited: no user has seen a plan of that.
pub(crate) fn approved_leaving(
    record: EntryStatus,
    approval: Approval,
    approved_scope: Option<&str>,
) -> EntryStatus {
    let is_approved = approval == Approval::Automatic || approved_scope.is_some();
    EntryStatus {
        leaving: record.leaving && is_approved,
        ..record
    }
}

/// The reason beside an update that may be a deletion and a first write: the provider may refuse to update what is there.
pub(crate) const RECREATE: &str = "Recreate";
/// What parts the seals of a scope.
const SEPARATOR: &str = ".";

/// What an approval is for, besides the account, as seals: one of the spec as far as it decides what is sent where,
/// with the names of its own entries; and one of each `dataFrom` source, with its Secret, the keys that it gives and
/// their names. A source that gives nothing cannot be read, or is empty: what was `approved` of it stays, because it
/// changes nothing at the provider and holds up no other entry. So does what was approved of own entries that have no
/// value now.
pub(crate) fn approval_scope(
    spec: &ProviderSecretSpec,
    entries: &[PlannedEntry<'_>],
    approved: Option<&str>,
    seal: impl Fn(&[String]) -> String,
) -> String {
    let mut approved = approved.unwrap_or_default().split(SEPARATOR);
    let approved_spec = approved.next().unwrap_or_default();
    let own = |counts: fn(&PlannedEntry<'_>) -> bool| seal(&spec_facts(spec, entries, counts));
    let mut seals = vec![own(may_go)];
    if seals[0] != approved_spec && own(may_go_with_a_value) == approved_spec {
        approved_spec.clone_into(&mut seals[0]);
    }
    for (index, source) in spec.bulk_sources().iter().enumerate() {
        let approved = approved.next().unwrap_or_default();
        let is_given = |entry: &&PlannedEntry<'_>| {
            let bulk = entry.desired.bulk.as_ref();
            bulk.is_some_and(|bulk| bulk.source == index)
        };
        let given: Vec<&PlannedEntry<'_>> = entries.iter().filter(is_given).collect();
        seals.push(if given.is_empty() {
            approved.to_owned()
        } else {
            seal(&source_facts(spec, source, &given))
        });
    }
    seals.join(SEPARATOR)
}

/// Whether what was approved under one spec is approved under another one too, as long as the names and the keys of the
/// Secrets are the same.
pub(crate) fn is_approved_alike(one: &ProviderSecretSpec, other: &ProviderSecretSpec) -> bool {
    sealed_fields(one) == sealed_fields(other)
        && waits_for_every_change(one) == waits_for_every_change(other)
}

/// What of a spec an approval is for.
fn sealed_fields(spec: &ProviderSecretSpec) -> serde_json::Value {
    let mut data = spec.entries().to_vec();
    data.sort_by(|a, b| a.name.cmp(&b.name));
    serde_json::json!({
        "provider": spec.provider,
        "data": data,
        "dataFrom": spec.bulk_sources(),
        "deletionPolicy": spec.deletion_policy(),
        "conflictPolicy": spec.conflict_policy(),
    })
}

/// Those of the own entries that count.
fn spec_facts(
    spec: &ProviderSecretSpec,
    entries: &[PlannedEntry<'_>],
    counts: fn(&PlannedEntry<'_>) -> bool,
) -> Vec<String> {
    let own = entries.iter().filter(|entry| entry.desired.bulk.is_none());
    let own: Vec<&PlannedEntry<'_>> = own.filter(|entry| counts(entry)).collect();
    let names = own.iter().map(|entry| entry.desired.folded.clone());
    let mut names: Vec<String> = names.collect();
    names.sort();
    if waits_for_every_change(spec) {
        names.extend(own.iter().filter_map(|entry| value_digest(entry)));
    }
    let facts = ["scope".to_owned(), sealed_fields(spec).to_string()].into_iter();
    facts.chain(names).collect()
}

fn source_facts(
    spec: &ProviderSecretSpec,
    source: &DataFromSource,
    given: &[&PlannedEntry<'_>],
) -> Vec<String> {
    let has_values = waits_for_every_change(spec);
    let mut facts = vec!["source".to_owned(), source.secret_ref.name.clone()];
    for entry in given.iter().filter(|entry| may_go(entry)) {
        let key = entry.desired.bulk.as_ref().map(|bulk| bulk.key.clone());
        let value = value_digest(entry).filter(|_| has_values);
        facts.push(entry.desired.folded.clone());
        facts.extend([key, value].map(Option::unwrap_or_default));
    }
    facts
}

/// What is refused and was never written is no part of what a person sees go out.
fn may_go(entry: &PlannedEntry<'_>) -> bool {
    !matches!(entry.change, Change::Refuse(_)) || entry.record.is_some_and(was_written)
}

/// The same with what has no value, as while its Secret is gone: it may have been approved when it had one.
fn may_go_with_a_value(entry: &PlannedEntry<'_>) -> bool {
    may_go(entry) || entry.desired.value.is_err()
}

/// What stands for the value that the provider holds of an entry once the plan is carried out: where the entry is
/// refused, that is the value that was written.
fn value_digest(entry: &PlannedEntry<'_>) -> Option<String> {
    let recorded = entry.record.and_then(|record| record.digest.as_ref());
    let digest = match entry.change {
        Change::Refuse(_) => recorded.or(entry.digest.as_ref()),
        Change::Keep | Change::Create | Change::Update(_) => entry.digest.as_ref(),
    };
    digest.cloned()
}

/// Whether another value waits too. What may be deleted to be written again counts as a deletion each time.
fn waits_for_every_change(spec: &ProviderSecretSpec) -> bool {
    let may_recreate = spec.provider.choice().is_some_and(Choice::may_recreate);
    spec.approval() == Approval::ManualEveryChange || may_recreate
}

/// The plan as status shows it. `seal` makes the hash of the actions that need approval: what is written again because
/// of its age or of another writer comes and goes by itself.
pub(crate) fn shown(
    entries: &[PlannedEntry<'_>],
    removals: &[PlannedRemoval],
    (unit, may_recreate): (Unit, bool),
    seal: impl FnOnce(&[PlannedAction]) -> String,
) -> PlanStatus {
    let actions = entries.iter();
    let actions = actions.filter_map(|entry| action(entry, may_recreate));
    let mut actions: Vec<PlannedAction> = actions.collect();
    let deletes = removals.iter().filter(|removal| is_delete(removal));
    actions.extend(deletes.map(|removal| PlannedAction {
        name: removal.record.name.clone(),
        action: ActionKind::Delete,
        reason: None,
    }));
    sort(&mut actions);
    let of = |kind| {
        actions
            .iter()
            .filter(|action| action.action == kind)
            .count()
    };
    let (create, update, delete) = (
        of(ActionKind::Create),
        of(ActionKind::Update),
        of(ActionKind::Delete),
    );
    let again: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| is_written_again(entry))
        .map(PlannedEntry::name)
        .collect();
    let needing = actions.iter();
    let needing = needing.filter(|action| !again.contains(action.name.as_str()));
    let hash = seal(&needing.cloned().collect::<Vec<_>>());
    let writes = match unit {
        Unit::Each => create + update,
        Unit::Set => (create + update).min(1),
    };
    let keep = entries.iter().filter(|entry| entry.change == Change::Keep);
    PlanStatus {
        hash,
        create: count(create),
        update: count(update),
        delete: count(delete),
        refuse: count(of(ActionKind::Refuse)),
        keep: count(keep.count()),
        calls: count(writes + delete),
        actions: actions.into_iter().take(MAX_ACTIONS).collect(),
    }
}

/// The plan of a suspended object with the records that the brake retains: what waits goes when the object goes on, and
/// what is held stays.
pub(crate) fn with_braked(plan: PlanStatus, retained: &[EntryStatus]) -> PlanStatus {
    let braked = |record: &EntryStatus| {
        let (action, reason) = if is_held_back(record) {
            (ActionKind::Refuse, record.reason.clone())
        } else if is_removed_by_source(record) && is_ours(record) {
            (ActionKind::Delete, None)
        } else {
            return None;
        };
        Some(PlannedAction {
            name: record.name.clone(),
            action,
            reason,
        })
    };
    let braked: Vec<PlannedAction> = retained.iter().filter_map(braked).collect();
    let refused = braked.iter();
    let refused = refused.filter(|action| action.action == ActionKind::Refuse);
    let refused = refused.count();
    let deleted = count(braked.len() - refused);
    let mut actions = plan.actions;
    actions.extend(braked);
    sort(&mut actions);
    actions.truncate(MAX_ACTIONS);
    PlanStatus {
        delete: plan.delete + deleted,
        refuse: plan.refuse + count(refused),
        calls: plan.calls + deleted,
        actions,
        ..plan
    }
}

fn sort(actions: &mut [PlannedAction]) {
    actions.sort_by(|a, b| (&a.name, a.action).cmp(&(&b.name, b.action)));
}

/// What the hash of a plan is made from: what may be sent, what would be, and the hash of the plan that was approved
/// `last`, so that no approval counts for a later plan that would do the same.
pub(crate) fn plan_facts<'a>(
    scope: &'a str,
    last: Option<&'a str>,
    actions: &'a [PlannedAction],
) -> impl Iterator<Item = &'a str> {
    let done = actions
        .iter()
        .filter(|action| action.action != ActionKind::Refuse);
    let done = done.flat_map(|action| [action.action.as_str(), action.name.as_str()]);
    ["plan", scope].into_iter().chain(last).chain(done)
}

fn action(entry: &PlannedEntry<'_>, may_recreate: bool) -> Option<PlannedAction> {
    let is_recreated = may_recreate && entry.record.is_some_and(is_ours);
    let (action, reason) = match &entry.change {
        Change::Keep => return None,
        Change::Create => (ActionKind::Create, None),
        Change::Update(_) => (
            ActionKind::Update,
            is_recreated.then(|| RECREATE.to_owned()),
        ),
        Change::Refuse(failure) => (ActionKind::Refuse, Some(failure.reason.as_str().to_owned())),
    };
    Some(PlannedAction {
        name: entry.name().to_owned(),
        action,
        reason,
    })
}

/// Whether the provider has had this very value before.
fn is_written_again(entry: &PlannedEntry<'_>) -> bool {
    let recorded = entry.record.and_then(|record| record.digest.as_ref());
    entry.cause.is_some() && recorded.is_some() && recorded == entry.digest.as_ref()
}

fn is_delete(removal: &PlannedRemoval) -> bool {
    removal.action == RemovalAction::Delete
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
