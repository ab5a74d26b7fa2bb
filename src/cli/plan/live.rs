//! The plan of an object in the cluster, as its status tells it. Pure.

use super::Plan;
use crate::{
    api::{
        ActionKind, Approval, DeletionPolicy, EntryState, EntryStatus, Found, PlanStatus,
        ProviderSecret, Reason,
    },
    cli::{
        origin::{Keys, origins},
        output::some,
        reasons,
        view::{Standing, foreign_finalizers, is_observed, namespaced_name},
    },
    controller::{is_held_back, is_removed_by_source, is_stored, was_held_back},
};

impl Plan {
    /// What the operator would do for an object: its plan that waits, else what it has not finished.
    pub(in crate::cli) fn live(object: &ProviderSecret) -> Self {
        let (namespace, name) = namespaced_name(object);
        let status = object.status.as_ref();
        let choice = object.spec.provider.choice();
        let mut plan = Self {
            provider: choice.map(|choice| choice.kind().as_str()),
            scope: status.and_then(|status| status.scope.clone()),
            namespace,
            name,
            ..Self::default()
        };
        if let Some(finalizers) = foreign_finalizers(object) {
            plan.is_blocked = true;
            plan.notes.push(format!(
                "it is being deleted, and waits for other controllers alone: {}",
                some(finalizers)
            ));
            return plan;
        }
        let is_deleted = object.metadata.deletion_timestamp.is_some();
        if !is_observed(object) && !is_deleted {
            plan.is_unseen = true;
            let generation = object.metadata.generation.unwrap_or_default();
            plan.notes.push(format!(
                "the operator has not looked at generation {generation} yet"
            ));
        }
        if let Some(waiting) = status.and_then(|status| status.plan.as_ref()) {
            return plan.with(waiting, object);
        }
        let entries = status.map_or(&[][..], |status| &status.entries);
        for entry in entries {
            plan.take(entry, object, is_deleted);
        }
        let is_set = choice.is_some_and(|choice| choice.set_name(&plan.name).is_some());
        plan.count_calls(is_set);
        if is_deleted && plan.delete > 0 {
            // A set that the object made goes with the last of its keys.
            let has_made_set = |entry: &EntryStatus| entry.found == Some(Found::NoSet);
            plan.calls += usize::from(entries.iter().any(has_made_set));
        }
        if !Standing::of(object).is_ready() && !plan.is_unseen {
            plan.wait(object, is_deleted);
        }
        plan
    }

    /// Notes why the object is not finished. What has changed since the operator could act is in no status: it may be that
    /// more cannot be done than is counted.
    fn wait(&mut self, object: &ProviderSecret, is_deleted: bool) {
        let waits = format!("it waits: {}", Standing::of(object).reason);
        let is_suspended = object.spec.is_suspended();
        self.notes.push(if is_deleted && !is_observed(object) {
            "the operator has not looked at the deletion yet".to_owned()
        } else if is_deleted || is_suspended {
            waits
        } else {
            format!("{waits}; whether its Secrets have changed since is not known")
        });
        self.is_blocked = is_deleted || !is_suspended;
    }

    /// The plan that the operator made and does not carry out.
    fn with(mut self, waiting: &PlanStatus, object: &ProviderSecret) -> Self {
        let count = |number: i32| usize::try_from(number).unwrap_or_default();
        self.create = count(waiting.create);
        self.update = count(waiting.update);
        self.delete = count(waiting.delete);
        self.refuse = count(waiting.refuse);
        self.keep = count(waiting.keep);
        self.calls = count(waiting.calls);
        self.actions.clone_from(&waiting.actions);
        let all = self.create + self.update + self.delete + self.refuse;
        if all > self.actions.len() {
            let more = all - self.actions.len();
            self.notes.push(format!("{more} more names are not shown"));
        }
        let is_deleted = object.metadata.deletion_timestamp.is_some();
        if object.spec.is_suspended() && !is_deleted {
            let text = "it is suspended, and the provider was not asked what it holds";
            self.notes.push(text.to_owned());
        } else if object.spec.approval() != Approval::Automatic {
            self.hash = Some(waiting.hash.clone());
        }
        self
    }

    /// Counts an entry of which the operator has made no plan that waits.
    fn take(&mut self, entry: &EntryStatus, object: &ProviderSecret, is_deleted: bool) {
        let is_held = is_held_back(entry) || was_held_back(entry);
        let reason = if is_held && !is_deleted {
            Some(Reason::RemovalHeld.as_str().to_owned())
        } else {
            entry.reason.clone()
        };
        let is_refused = reason.as_deref().is_some_and(is_stalling);
        let is_kept = object.spec.deletion_policy() == DeletionPolicy::Retain;
        let was_written = entry.last_write_time.is_some();
        // What neither the spec nor a source may ask for goes, perhaps after a while.
        let is_unwanted =
            || is_removed_by_source(entry) || origins(object, &entry.name, &Keys::new()).is_empty();
        let action = if is_deleted {
            if is_kept || !was_written {
                self.keep += usize::from(was_written);
                return;
            }
            ActionKind::Delete
        } else if entry.state == EntryState::Synced {
            self.keep += 1;
            return;
        } else if is_held {
            ActionKind::Refuse
        } else if entry.leaving || (!is_kept && was_written && is_unwanted()) {
            ActionKind::Delete
        } else if is_refused {
            ActionKind::Refuse
        } else if entry.last_write_time.is_some() {
            ActionKind::Update
        } else {
            ActionKind::Create
        };
        self.act(&entry.name, action, reason.as_deref());
        if action == ActionKind::Update && is_stored(entry, entry.digest.as_deref()) {
            self.note("entries that still have the value of their last write are not sent");
        }
    }
}

/// Whether a person must act on a reason.
fn is_stalling(reason: &str) -> bool {
    reasons::row(reason).is_some_and(|row| row.class.starts_with("Stalled"))
}
