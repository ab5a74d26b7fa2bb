//! What the provider does not change is deleted and created, where the spec allows it.

use super::Reconcile;
use crate::{
    api::Reason,
    controller::{
        apply::{Applied, EntryOutcome, Writer},
        kubernetes::KubernetesError,
        plan::{self, DesiredEntry, Planned},
        report::messages,
    },
};

impl Reconcile<'_> {
    /// Deletes and creates what refused an update and is ours by its record.
    pub(crate) async fn recreate(
        &self,
        writer: &Writer<'_>,
        desired: &[DesiredEntry],
        planned: &[Planned],
        applied: &mut Applied,
    ) -> Result<(), KubernetesError> {
        if !writer.session.choice.may_recreate() {
            return Ok(());
        }
        let Applied { outcomes, failure } = applied;
        for ((entry, planned), outcome) in desired.iter().zip(planned).zip(outcomes) {
            let is_refused = matches!(outcome, EntryOutcome::Failed(refused) if refused.reason == Reason::Immutable);
            if !is_refused {
                continue;
            }
            let Some(recorded) = planned
                .recorded
                .as_ref()
                .filter(|entry| plan::is_ours(entry))
            else {
                *outcome =
                    EntryOutcome::Failed(messages::not_ours(&entry.name, writer.session.choice));
                continue;
            };
            self.still_wants().await?;
            *outcome = writer.recreate(entry, recorded, failure).await;
        }
        Ok(())
    }
}
