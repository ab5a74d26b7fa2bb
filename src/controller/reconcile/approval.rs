//! Plans that wait for a person: what is approved is sealed before anything is sent
//! (docs/architecture.md#approval).

use super::{
    Reconcile, Stop,
    inputs::{ApprovedPlan, Inputs, Planned},
    not_applied::awaiting_approval,
    write_ahead::replace_records,
};
use crate::{
    api::{Approval, EntryStatus, Found, PlanStatus, PlannedAction, ProviderSecret},
    controller::{
        error::Failure,
        kubernetes::KubernetesError,
        object::{approved_plan, approved_scope, last_approved_plan},
        plan::{
            Claimed as _, Consent, ConsentInputs, PlannedEntry, PlannedRemoval, RemovalAction,
            Successor, approval_scope, approved_leaving, consent, plan_facts, shown,
        },
        report::{self, Asks, messages},
        session::Session,
    },
    provider::SetKeys,
};

/// What an approval of these entries is for, as seals.
fn sealed_scope(
    object: &ProviderSecret,
    session: &Session<'_>,
    entries: &[PlannedEntry<'_>],
) -> String {
    let seal = |facts: &[String]| session.approval_seal(facts.iter().map(String::as_str));
    approval_scope(&object.spec, entries, approved_scope(object), seal)
}

/// The same where plans wait for approval.
pub(super) fn awaited_scope(
    object: &ProviderSecret,
    session: &Session<'_>,
    entries: &[PlannedEntry<'_>],
) -> Option<String> {
    let waits = object.spec.approval() != Approval::Automatic;
    waits.then(|| sealed_scope(object, session, entries))
}

impl Reconcile<'_> {
    /// Ends the reconcile where the plan waits for approval, and notes what an approval is for.
    pub(super) fn ensure_approved<'i>(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        planned: Planned<'i>,
    ) -> Result<Planned<'i>, Stop> {
        let (approval, annotated) = (self.object.spec.approval(), approved_plan(&self.object));
        let is_free = approval == Approval::Automatic && annotated.is_none();
        if is_free || !planned.calls_provider() {
            return Ok(planned);
        }
        let (scope, plan) = self.shown_plan(session, &planned);
        let consent_inputs = ConsentInputs {
            approval,
            scope: &scope,
            approved_scope: approved_scope(&self.object),
            hash: &plan.hash,
            approved_plan: annotated,
        };
        match consent(&planned.entries, &planned.removals, consent_inputs) {
            Consent::NotNeeded => Ok(planned),
            Consent::Given => {
                let hash = plan.hash;
                Ok(Planned {
                    approved: Some(ApprovedPlan { scope, hash }),
                    ..planned
                })
            }
            Consent::Missing => {
                let outcome = awaiting_approval(&self.object, session, inputs, &planned, plan);
                Err(outcome.into())
            }
        }
    }

    /// A record of this object, as far as what leaves was approved.
    pub(super) fn approved_leaving(&self, record: EntryStatus) -> EntryStatus {
        let approval = self.object.spec.approval();
        approved_leaving(record, approval, approved_scope(&self.object))
    }

    /// The plan as status shows it, and what an approval of it is for.
    pub(super) fn shown_plan(
        &self,
        session: &Session<'_>,
        planned: &Planned<'_>,
    ) -> (String, PlanStatus) {
        let scope = sealed_scope(&self.object, session, &planned.entries);
        let last = last_approved_plan(&self.object);
        let seal =
            |actions: &[PlannedAction]| session.approval_seal(plan_facts(&scope, last, actions));
        let how = (session.rules().unit, session.choice.may_recreate());
        let plan = shown(&planned.entries, &planned.removals, how, seal);
        (scope, plan)
    }

    /// Why a cleanup does not delete yet, and the plan of it. What is approved is recorded as leaving before anything
    /// is deleted: what fails on the way needs no second approval.
    pub(super) async fn approve_cleanup(
        &self,
        session: &Session<'_>,
        removals: &[PlannedRemoval],
    ) -> Result<Option<(Failure, PlanStatus)>, KubernetesError> {
        if self.object.spec.approval() == Approval::Automatic {
            return Ok(None);
        }
        let is_new = |removal: &&PlannedRemoval| {
            removal.action == RemovalAction::Delete && !removal.record.leaving
        };
        let new = removals.iter().filter(is_new);
        let leaving: Vec<EntryStatus> = new.map(|new| session.sealed(new.leaving())).collect();
        if leaving.is_empty() {
            return Ok(None);
        }
        let last = last_approved_plan(&self.object);
        let seal =
            |actions: &[PlannedAction]| session.approval_seal(plan_facts("cleanup", last, actions));
        let mut plan = shown(&[], removals, (session.rules().unit, false), seal);
        if approved_plan(&self.object) != Some(&plan.hash) {
            let is_free = self.claims(session).successor("") == Successor::None;
            plan.calls += i32::from(is_free && is_set_deleted(session, removals).await);
            let kind = session.choice.kind();
            let failure = messages::awaiting_approval(&plan, &self.object, kind);
            return Ok(Some((failure, plan)));
        }
        let newest = self.newest();
        let mut next = newest.status.clone().unwrap_or_default();
        next.plan = None;
        next.approval_seal = Some(plan.hash.clone());
        next.last_approved_plan = Some(plan.hash);
        replace_records(&mut next, leaving, session.rules().fold);
        report::write(self.context, &newest, next, Asks::Nothing).await?;
        Ok(None)
    }
}

/// Whether the set goes with these keys: the object made it, and another client has no key in it. One that cannot be
/// looked at is taken for such a set.
async fn is_set_deleted(session: &Session<'_>, removals: &[PlannedRemoval]) -> bool {
    let mut founds = removals.iter().map(|removal| removal.record.found);
    if !founds.any(|found| found == Some(Found::NoSet)) {
        return false;
    }
    let keys = match session.provider.set_keys().await {
        Ok(SetKeys::Shown(keys)) => keys,
        Ok(SetKeys::NoSet | SetKeys::NotShown | SetKeys::Referenced) => return false,
        Err(_) => return true,
    };
    let is_deleted = |key: &String| {
        let mut named = removals
            .iter()
            .filter(|removal| removal.record.name == *key);
        named.any(|removal| removal.action == RemovalAction::Delete)
    };
    keys.iter().all(is_deleted)
}
