//! Plans that wait for a person: what is approved is sealed before anything is sent
//! (docs/architecture.md#approval).

use super::{
    Reconcile, Stop,
    inputs::{Inputs, Planned},
    not_applied::awaiting_approval,
};
use crate::{
    api::{Approval, PlanStatus, PlannedAction},
    controller::{
        error::Failure,
        object::approved_plan,
        plan::{Consent, ConsentInputs, PlannedRemoval, consent, plan_facts, scope_facts, shown},
        report::messages,
        session::Session,
    },
};

impl Reconcile<'_> {
    /// Ends the reconcile where the plan waits for approval, and notes what an approval is for.
    pub(super) fn ensure_approved<'i>(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        planned: Planned<'i>,
    ) -> Result<Planned<'i>, Stop> {
        let spec = &self.object.spec;
        if spec.approval() == Approval::Automatic || !planned.calls_provider() {
            return Ok(planned);
        }
        let (scope, plan) = self.shown_plan(session, inputs, &planned);
        let status = self.object.status.as_ref();
        let consent_inputs = ConsentInputs {
            approval: spec.approval(),
            scope: &scope,
            approved_scope: status.and_then(|status| status.approval_seal.as_deref()),
            hash: &plan.hash,
            approved_plan: approved_plan(&self.object),
        };
        match consent(&planned.entries, &planned.removals, consent_inputs) {
            Consent::NotNeeded => Ok(planned),
            Consent::Given => Ok(Planned {
                approved: Some(scope),
                ..planned
            }),
            Consent::Missing => {
                let outcome = awaiting_approval(&self.object, session, inputs, &planned, plan);
                Err(outcome.into())
            }
        }
    }

    /// The plan as status shows it, and the seal of what an approval of it is for.
    pub(super) fn shown_plan(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        planned: &Planned<'_>,
    ) -> (String, PlanStatus) {
        let fold = session.rules().fold;
        let is_unread = !inputs.desired.unread.is_empty();
        let kept = planned.retained.iter().filter(|_| is_unread);
        let kept = kept.map(|record| fold(&record.name));
        let facts = scope_facts(&self.object.spec, &planned.entries, kept);
        let scope = session.approval_seal(facts.iter().map(String::as_str));
        let seal = |actions: &[PlannedAction]| session.approval_seal(plan_facts(&scope, actions));
        let unit = session.rules().unit;
        let plan = shown(&planned.entries, &planned.removals, unit, seal);
        (scope, plan)
    }

    /// Why a cleanup does not delete yet, and the plan of it: of a deleted object everything goes, and one
    /// approval is for all of it.
    pub(super) fn cleanup_consent(
        &self,
        session: &Session<'_>,
        removals: &[PlannedRemoval],
    ) -> Option<(Failure, PlanStatus)> {
        if self.object.spec.approval() == Approval::Automatic {
            return None;
        }
        let seal = |_: &[PlannedAction]| session.approval_seal(["cleanup"].into_iter());
        let plan = shown(&[], removals, session.rules().unit, seal);
        let is_needed = plan.delete > 0 && approved_plan(&self.object) != Some(&plan.hash);
        let failure = || messages::awaiting_approval(&plan, &self.object, session.choice.kind());
        is_needed.then(|| (failure(), plan.clone()))
    }
}
