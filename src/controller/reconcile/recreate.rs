//! What the provider does not change is deleted and created, where the spec allows it.

use super::Pass;
use crate::{
    api::{Choice, Reason},
    controller::{
        apply::{Applied, Outcome, Writer},
        kubernetes::Failure,
        plan::{self, Desired, Planned},
        report::messages,
    },
};

impl Pass<'_> {
    /// Deletes and creates what refused an update and is ours by its record.
    pub(crate) async fn recreate(
        &self,
        writer: &Writer<'_>,
        desired: &[Desired],
        planned: &[Planned],
        applied: &mut Applied,
    ) -> Result<(), Failure> {
        let Choice::Pipecat(spec) = writer.route.choice else {
            return Ok(());
        };
        if !spec.may_recreate() {
            return Ok(());
        }
        let Applied { outcomes, trouble } = applied;
        for ((entry, planned), outcome) in desired.iter().zip(planned).zip(outcomes) {
            let is_refused =
                matches!(outcome, Outcome::Failed(refused) if refused.reason == Reason::Immutable);
            if !is_refused {
                continue;
            }
            let Some(recorded) = planned
                .recorded
                .as_ref()
                .filter(|entry| plan::is_ours(entry))
            else {
                *outcome = Outcome::Failed(messages::not_ours(&entry.name, writer.route.choice));
                continue;
            };
            self.still_wants().await?;
            *outcome = writer.recreate(entry, recorded, trouble).await;
        }
        Ok(())
    }
}
