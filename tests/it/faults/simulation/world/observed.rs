//! What objects and events show, and how long it takes until they do.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{FOREIGN, World};
use crate::{faults::simulation::store::Resource, harness::Target};

/// How often it is looked at least. Changes at the API server and at the provider are seen at once.
const OFTEN: Duration = Duration::from_millis(100);

impl World {
    /// An object, if it is there.
    pub(in crate::faults::simulation) fn get(&self, name: &str) -> Option<Value> {
        self.store.find(Resource::ProviderSecrets, name)
    }

    /// The reason of an object's condition Ready; none until its newest generation was acted on.
    pub(in crate::faults::simulation) fn ready_reason(&self, name: &str) -> Option<String> {
        let object = self.get(name)?;
        let (status, generation) = (&object["status"], &object["metadata"]["generation"]);
        // Ready, or Suspended where there is no Ready.
        let ready = status["conditions"].as_array()?.first()?;
        let is_current = status["observedGeneration"] == *generation;
        is_current.then(|| ready["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// The message of the object's first condition.
    pub(in crate::faults::simulation) fn message(&self) -> String {
        let object = self.object().expect("the object");
        let message = object["status"]["conditions"][0]["message"].as_str();
        message.expect("it was acted on").to_owned()
    }

    /// The notes of the events with a reason.
    pub(in crate::faults::simulation) fn notes(&self, reason: &str) -> Vec<String> {
        let mut events = self.store.list(Resource::Events, None);
        events.retain(|event| event["reason"] == reason);
        let notes = events.iter().map(|event| event["note"].as_str());
        notes
            .map(|note| note.unwrap_or_default().to_owned())
            .collect()
    }

    /// Calls so far whose line begins so.
    pub(in crate::faults::simulation) fn calls(&self, begin: &str) -> usize {
        let lines = self.call_log.lines();
        lines.iter().filter(|line| line.starts_with(begin)).count()
    }

    /// Writes at the provider by every incarnation so far, refused ones too.
    pub(in crate::faults::simulation) fn provider_writes(&self) -> usize {
        self.remote.counts().values().sum()
    }

    /// At Pipecat, deletes the set that the other client made: under `conflictPolicy: Fail` its keys are not written.
    pub(in crate::faults::simulation) fn without_foreign_set(&self) {
        if let (Target::Pipecat, Some(set)) = (self.target, self.scope()) {
            let deleted = self.account.foreign_delete(None, &set);
            deleted.expect("the set is deleted");
        }
    }

    /// The other client writes its secret again.
    pub(in crate::faults::simulation) fn with_foreign_secret(&self) {
        if self.target == Target::Pipecat {
            self.foreign_write(FOREIGN, "foreign");
        }
    }

    /// Waits until something holds, for at most so long, and returns how long that took.
    pub(in crate::faults::simulation) async fn wait(
        &self,
        what: &str,
        most: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Duration {
        let began = Instant::now();
        let (mut stored, mut written) = (self.store.subscribe(), self.call_log.changes());
        while !holds(self) {
            assert!(
                began.elapsed() < most,
                "{:?}: not within {most:?}: {what}; {:#?} {:#?}",
                self.target,
                self.call_log.lines(),
                self.store.list(Resource::ProviderSecrets, None),
            );
            let changed = async {
                tokio::select! {
                    _ = stored.changed() => (),
                    _ = written.changed() => (),
                }
            };
            let _ = timeout(OFTEN, changed).await;
        }
        began.elapsed()
    }
}
