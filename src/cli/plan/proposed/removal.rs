//! What a file takes away: what goes, and what the operator waits with or holds. Pure.

use std::collections::BTreeMap;

use super::Proposal;
use crate::{
    api::{ActionKind, DeletionPolicy, EntryStatus},
    cli::plan::{Plan, document::Wanted},
    controller::{is_held_back, is_much, was_held_back},
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
        let (mut forgotten, mut braked) = (0, Vec::new());
        let records = document.records().iter();
        for record in records.filter(|record| !is_wanted(record)) {
            let key = (rules.fold)(&record.name);
            let claimed = set.unwrap_or(&key);
            let successor = self.this.successor(&self.neighbours, claimed, &key);
            if document.may_be_given(record) {
                // While a source cannot be read nothing is removed.
                plan.keep += 1;
            } else if record.last_write_time.is_none() {
            } else if let Some(successor) = successor {
                let note = format!(
                    "{} goes over to {}",
                    record.name,
                    successor.namespaced_name()
                );
                plan.notes.push(note);
            } else if document.is_braked(record) {
                braked.push(record);
            } else if deletes {
                plan.act(&record.name, ActionKind::Delete, None);
            } else {
                forgotten += 1;
            }
        }
        let is_held = self.is_held(&braked);
        for record in &braked {
            if is_held {
                plan.keep += 1;
            } else {
                plan.act(&record.name, ActionKind::Delete, None);
            }
        }
        let of_braked = if is_held {
            "that a Secret may have taken away: held until a sync is requested or the spec is edited (RemovalHeld)"
        } else {
            "that a Secret may have taken away: deleted when --removal-grace is over"
        };
        for (count, what) in [
            (
                forgotten,
                "no longer wanted: they stay at the provider and are forgotten (deletionPolicy Retain)",
            ),
            (braked.len(), of_braked),
        ] {
            if count > 0 {
                plan.notes.push(format!("{count} {what}"));
            }
        }
    }

    /// Whether the operator holds what it does not delete at once. A hold of one is a hold of all.
    fn is_held(&self, braked: &[&EntryStatus]) -> bool {
        let records = self.document.records().iter();
        let written = records.filter(|record| record.last_write_time.is_some());
        let mut held = braked.iter();
        is_much(braked.len(), written.count())
            || held.any(|record| is_held_back(record) || was_held_back(record))
    }
}
