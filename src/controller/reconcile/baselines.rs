//! Baselines: the versions that our writes left at the provider, where its answers had none. A listing shows them.

use tokio::time::Instant;

use super::{Reconcile, write_ahead::replace_records};
use crate::{
    account::{LastWrite, Snapshot},
    api::{EntryState, EntryStatus},
    controller::{
        kubernetes::KubernetesError,
        plan::{self, ABSENCE_COUNTS_AFTER, Evidence, Shown},
        report::{self, Asks},
        session::Session,
    },
};

impl Reconcile<'_> {
    /// The records with the versions that the listing shows, where the answer to our write had none.
    pub(super) fn with_baselines(
        &self,
        session: &Session<'_>,
        snapshot: &Snapshot,
    ) -> Option<Vec<EntryStatus>> {
        let rules = session.rules();
        let mut is_changed = false;
        let records = session.records.verified.iter().map(|record| {
            let mut record = record.clone();
            if !has_no_version(&record) {
                return record;
            }
            let evidence = self.evidence(session, &(rules.fold)(&record.name), &record, snapshot);
            if let Shown::Ours(remote) = plan::find_recorded(&record, snapshot, rules)
                && plan::is_baseline(&record, remote, evidence)
            {
                record.remote_id = record.remote_id.or_else(|| remote.id.clone());
                record.remote_version.clone_from(&remote.version);
                is_changed = true;
                record = session.sealed(record);
            }
            record
        });
        let records = records.collect();
        (is_changed && rules.shows_versions()).then_some(records)
    }

    /// Records baselines and nothing else, so that the object goes on saying what stops its other entries.
    pub(super) async fn record_baselines(
        &self,
        session: &Session<'_>,
        records: Vec<EntryStatus>,
    ) -> Result<(), KubernetesError> {
        let newest = self.newest();
        let mut next = newest.status.clone().unwrap_or_default();
        replace_records(&mut next, records, session.rules().fold);
        report::write(self.context, &newest, next, Asks::Nothing).await?;
        Ok(())
    }

    /// Whether a listing shows a version that may be the one before our write, whose answer had none.
    pub(super) fn lacks_baselines(&self, session: &Session<'_>, snapshot: &Snapshot) -> bool {
        let rules = session.rules();
        let mut records = session.records.verified.iter();
        records.any(|record| {
            if !rules.shows_versions() || !has_no_version(record) {
                return false;
            }
            let evidence = self.evidence(session, &(rules.fold)(&record.name), record, snapshot);
            let Shown::Ours(remote) = plan::find_recorded(record, snapshot, rules) else {
                return false;
            };
            remote.version.is_some()
                && evidence == Evidence::Presence
                && !plan::is_baseline(record, remote, evidence)
        })
    }

    /// After when a listing must have begun to show the versions that our writes left whose answers had none. Once there
    /// can be one that is believed in everything, an older one does not do.
    pub(super) fn baseline_since(&self, session: &Session<'_>) -> Option<Instant> {
        let rules = session.rules();
        let records = session.records.verified.iter();
        let records = records.filter(|record| rules.shows_versions() && has_no_version(record));
        let last = |record: &EntryStatus| self.last_write(session, &(rules.fold)(&record.name));
        let ends = records.filter_map(|record| match last(record) {
            LastWrite::At(ended) => Some(ended),
            LastWrite::UnderWay | LastWrite::LongAgo => None,
        });
        let ended = ends.max()?;
        let believed = ended + ABSENCE_COUNTS_AFTER.unsigned_abs();
        let is_over = believed < Instant::now();
        Some(if is_over { believed } else { ended })
    }
}

/// Whether the answer to the last write of an entry had no version, and no listing has shown one since.
fn has_no_version(record: &EntryStatus) -> bool {
    let is_acknowledged = plan::was_written(record) && record.state == EntryState::Synced;
    is_acknowledged && record.remote_version.is_none()
}
