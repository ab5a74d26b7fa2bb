//! What of a plan waits for approval, and how a plan is shown. Pure.

use std::collections::BTreeSet;

use super::{Change, PlannedEntry, PlannedRemoval, RemovalAction, was_written};
use crate::{
    api::{ActionKind, Approval, MAX_ACTIONS, PlanStatus, PlannedAction, ProviderSecretSpec},
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
    /// The seal of what this plan is a part of: names, sources and account.
    pub(crate) scope: &'a str,
    /// The seal of what was approved last.
    pub(crate) approved_scope: Option<&'a str>,
    /// The hash of this plan.
    pub(crate) hash: &'a str,
    /// The hash of the plan that a user approved last.
    pub(crate) approved_plan: Option<&'a str>,
}

/// Decides whether a plan may be carried out. What deletes waits unless it was approved by itself: its records
/// say so from then on, and need no second approval when the first try fails.
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
    if is_free {
        Consent::NotNeeded
    } else if inputs.approved_plan == Some(inputs.hash) {
        Consent::Given
    } else {
        Consent::Missing
    }
}

/// What an approval is for, besides the account: the spec as far as it decides what is sent where, and every
/// name. `kept` are names that a source which cannot be read may still ask for.
pub(crate) fn scope_facts(
    spec: &ProviderSecretSpec,
    entries: &[PlannedEntry<'_>],
    kept: impl Iterator<Item = String>,
) -> Vec<String> {
    let mut data = spec.entries().to_vec();
    data.sort_by(|a, b| a.name.cmp(&b.name));
    let sources = serde_json::json!({
        "provider": spec.provider,
        "data": data,
        "dataFrom": spec.bulk_sources(),
        "deletionPolicy": spec.deletion_policy(),
        "conflictPolicy": spec.conflict_policy(),
    });
    // What is refused and was never written is no part of what a person sees go out.
    let may_go = |entry: &&PlannedEntry<'_>| {
        !matches!(entry.change, Change::Refuse(_)) || entry.record.is_some_and(was_written)
    };
    let names = entries.iter().filter(may_go);
    let names = names.map(|entry| entry.desired.folded.clone());
    let mut names: Vec<String> = names.chain(kept).collect();
    names.sort();
    if waits_for_every_change(spec) {
        // A value is known by its keyed digest.
        names.extend(entries.iter().filter_map(|entry| entry.digest.clone()));
    }
    let facts = ["scope".to_owned(), sources.to_string()].into_iter();
    facts.chain(names).collect()
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
    unit: Unit,
    seal: impl FnOnce(&[PlannedAction]) -> String,
) -> PlanStatus {
    let mut actions: Vec<PlannedAction> = entries.iter().filter_map(action).collect();
    let deletes = removals.iter().filter(|removal| is_delete(removal));
    actions.extend(deletes.map(|removal| PlannedAction {
        name: removal.record.name.clone(),
        action: ActionKind::Delete,
        reason: None,
    }));
    actions.sort_by(|a, b| (&a.name, a.action).cmp(&(&b.name, b.action)));
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

/// What the hash of a plan is made from: what may be sent, and what would be.
pub(crate) fn plan_facts<'a>(
    scope: &'a str,
    actions: &'a [PlannedAction],
) -> impl Iterator<Item = &'a str> {
    let done = actions
        .iter()
        .filter(|action| action.action != ActionKind::Refuse);
    let done = done.flat_map(|action| [action.action.as_str(), action.name.as_str()]);
    ["plan", scope].into_iter().chain(done)
}

fn action(entry: &PlannedEntry<'_>) -> Option<PlannedAction> {
    let (action, reason) = match &entry.change {
        Change::Keep => return None,
        Change::Create => (ActionKind::Create, None),
        Change::Update(_) => (ActionKind::Update, None),
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
