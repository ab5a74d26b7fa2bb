//! What a file takes away: what goes, and what the operator waits with or holds. Pure.

use std::collections::BTreeMap;

use super::Proposal;
use crate::{
    api::{ActionKind, Approval, DeletionPolicy, EntryStatus, PlannedAction, Reason},
    cli::plan::{Plan, document::Wanted},
    controller::{is_held_back, is_much, is_ours, may_be_there, was_held_back},
    provider::Rules,
};

impl Proposal<'_> {
    /// What is recorded and not wanted any more.
    pub(super) fn remove(
        &self,
        plan: &mut Plan,
        entries: &BTreeMap<String, Wanted>,
        set: Option<&str>,
        rules: &Rules,
    ) {
        let document = self.document;
        let is_wanted = |record: &EntryStatus| {
            let folded = (rules.fold)(&record.name);
            entries.keys().any(|name| (rules.fold)(name) == folded)
        };
        let deletes = document.wanted.spec.deletion_policy() == DeletionPolicy::Delete;
        let none_comes = self.none_comes(plan, rules);
        let (mut forgotten, mut foreign) = (0, 0);
        let (mut going, mut braked) = (Vec::new(), Vec::new());
        let records = document.records().iter();
        for record in records.filter(|record| !is_wanted(record)) {
            let key = (rules.fold)(&record.name);
            let claimed = set.unwrap_or(&key);
            let successor = self.this.successor(&self.neighbours, claimed, &key);
            if document.may_be_given(record) {
                // While a source cannot be read nothing is removed.
                plan.keep += 1;
            } else if !may_be_there(record) {
            } else if let Some(successor) = successor {
                let note = format!(
                    "{} goes over to {}",
                    record.name,
                    successor.namespaced_name()
                );
                plan.notes.push(note);
            } else if deletes && !is_ours(record) {
                foreign += 1;
            } else if document.is_braked(record) {
                braked.push(record);
            } else if deletes {
                going.push(record);
            } else {
                forgotten += 1;
            }
        }
        let (mut held, mut waiting, mut awaiting) = (0, 0, 0);
        if self.is_held(&braked) {
            held = braked.len();
        } else {
            waiting = braked.len();
            going.append(&mut braked);
        }
        if none_comes {
            (waiting, awaiting) = (0, going.len());
            going.clear();
        }
        plan.keep += held + awaiting;
        for record in going {
            plan.act(&record.name, ActionKind::Delete, None);
        }
        for (count, what) in [
            (
                forgotten,
                "no longer wanted: they stay at the provider and are forgotten (deletionPolicy Retain)",
            ),
            (
                foreign,
                "no longer wanted: they stay at the provider, because another writer may have written them",
            ),
            (
                held,
                "that a Secret may have taken away: held until a sync is requested or the spec is edited (RemovalHeld)",
            ),
            (
                waiting,
                "that a Secret may have taken away: deleted when --removal-grace is over",
            ),
            (
                awaiting,
                "no longer wanted: they stay until one of the new names is at the provider",
            ),
        ] {
            if count > 0 {
                plan.notes.push(format!("{count} {what}"));
            }
        }
    }

    /// Whether all that is wanted is refused and nothing of it is at the provider: then what goes may be all that works, and
    /// the operator deletes none of it. A plan that waits for approval counts the deletions all the same.
    fn none_comes(&self, plan: &Plan, rules: &Rules) -> bool {
        let was_written = |name: &str| {
            let mut records = self.document.records().iter();
            let is_it = |of: &EntryStatus| (rules.fold)(&of.name) == (rules.fold)(name);
            records.any(|record| is_it(record) && record.last_write_time.is_some())
        };
        let is_new = |action: &PlannedAction| {
            let is_of_another = action.reason.as_deref() == Some(Reason::Conflict.as_str());
            let is_refused = action.action == ActionKind::Refuse;
            is_refused && (is_of_another || !was_written(&action.name))
        };
        self.document.wanted.spec.approval() == Approval::Automatic
            && plan.keep == 0
            && !plan.actions.is_empty()
            && plan.actions.iter().all(is_new)
    }

    /// Whether the operator holds what it does not delete at once. A hold of one is a hold of all.
    fn is_held(&self, braked: &[&EntryStatus]) -> bool {
        let records = self.document.records().iter();
        let is_there =
            |record: &&EntryStatus| record.last_write_time.is_some() || braked.contains(record);
        let there = records.filter(is_there);
        let mut held = braked.iter();
        is_much(braked.len(), there.count())
            || held.any(|record| is_held_back(record) || was_held_back(record))
    }
}
