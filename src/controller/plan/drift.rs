//! Drift: what a listing proves about what was written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    locate::{Shown, find_recorded, is_earlier, is_written_since, same_instant},
    was_ambiguous, was_written,
};
use crate::{
    account::Snapshot,
    api::{DriftStatus, EntryState, EntryStatus},
    controller::object::time,
    provider::{ListingNeed, Rules, SetKeys, Unit},
};

/// How often in a day an entry is written again because another writer changed it.
const MAX_REPAIRS: i32 = 3;
/// After which the count begins anew.
const REPAIR_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// Why an entry is written although nothing changed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// Another writer touched it.
    Drift(Drift),
    /// `spec.rewriteInterval` is over, or the time of the last write lies ahead.
    Due,
    /// A write whose outcome was never known may have come in last.
    Unsure,
    /// Another object that has no claim on the name wrote it.
    OverwrittenByPeer,
}

/// What another writer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Drift {
    /// Deleted it.
    Missing,
    /// Changed it, or made it anew.
    Changed,
}

impl Drift {
    /// The metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
        }
    }
}

/// What a listing may prove about one name, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// Nothing: it began before our last write ended.
    None,
    /// That something is there, and in which version; not that nothing is.
    Presence,
    /// Absence too.
    Full,
}

/// The entries that another writer touched. `set_keys` is what is shown of the set, where there are sets;
/// `evidence` says of a folded name what the listing may prove.
pub(crate) fn drifted(
    recorded: &[EntryStatus],
    snapshot: &Snapshot,
    set_keys: Option<&SetKeys>,
    rules: &Rules,
    evidence: impl Fn(&str, &EntryStatus) -> Evidence,
) -> BTreeMap<String, Drift> {
    recorded
        .iter()
        // What was not acknowledged is not held, so no other writer can have taken it away.
        .filter(|entry| was_written(entry) && entry.state != EntryState::Pending)
        .filter_map(|entry| {
            let folded = (rules.fold)(&entry.name);
            let (drift, needed) = match rules.unit {
                Unit::Each => of_secret(entry, snapshot, rules),
                Unit::Set => of_member(entry, set_keys),
            }?;
            (evidence(&folded, entry) >= needed).then_some((folded, drift))
        })
        .collect()
}

/// The entries, by folded name, of which the provider shows several secrets where a name is meant to be one: which of
/// them is used there is not known. Of an entry of which the listing may prove nothing, the record still holds.
pub(crate) fn doubled(
    recorded: &[EntryStatus],
    snapshot: &Snapshot,
    rules: &Rules,
    evidence: impl Fn(&str, &EntryStatus) -> Evidence,
) -> BTreeSet<String> {
    // Where a write is an upsert by name, several of a name are those of several teams.
    if rules.unit != Unit::Each || rules.listing != ListingNeed::Create {
        return BTreeSet::new();
    }
    let written = recorded.iter().filter(|entry| was_written(entry));
    let names = written.filter_map(|entry| {
        let folded = (rules.fold)(&entry.name);
        let is_doubled = match evidence(&folded, entry) {
            Evidence::None => was_ambiguous(entry),
            Evidence::Presence | Evidence::Full => snapshot.named(&folded).nth(1).is_some(),
        };
        is_doubled.then_some(folded)
    });
    names.collect()
}

/// What another writer did, and how much a listing must prove before that counts.
fn of_secret(entry: &EntryStatus, snapshot: &Snapshot, rules: &Rules) -> Option<(Drift, Evidence)> {
    match find_recorded(entry, snapshot, rules) {
        Shown::Absent => Some((Drift::Missing, Evidence::Full)),
        Shown::Other => Some((Drift::Changed, Evidence::Presence)),
        Shown::Ours(remote) => match (&entry.remote_version, &remote.version) {
            (Some(known), Some(shown)) if !same_instant(known, shown) => {
                // What another client writes after us has a later time. An earlier one is the state
                // before our own write, which is not shown yet.
                let needed = if is_earlier(shown, known) {
                    Evidence::Full
                } else {
                    Evidence::Presence
                };
                Some((Drift::Changed, needed))
            }
            // Right after our write it is the provider's clock that is ahead, and the version becomes the baseline.
            (None, Some(_)) if is_written_since(entry, remote) => {
                Some((Drift::Changed, Evidence::Full))
            }
            _ => None,
        },
    }
}

/// A set shows its keys only.
fn of_member(entry: &EntryStatus, set_keys: Option<&SetKeys>) -> Option<(Drift, Evidence)> {
    let is_there = match set_keys {
        None | Some(SetKeys::NotShown) => return None,
        // Another writer has put it in the place of the set.
        Some(SetKeys::Referenced) => return Some((Drift::Changed, Evidence::Presence)),
        Some(SetKeys::NoSet) => false,
        Some(SetKeys::Shown(keys)) => keys.contains(&entry.name),
    };
    (!is_there).then_some((Drift::Missing, Evidence::Full))
}

/// Whether an entry was written again so often that another writer must be at work.
pub(crate) fn is_contended(drift: Option<&DriftStatus>, now: Timestamp) -> bool {
    drift.is_some_and(|drift| drift.repairs >= MAX_REPAIRS && is_recent(drift, now))
}

/// The count with one more repair.
pub(crate) fn counted(drift: Option<&DriftStatus>, now: Timestamp) -> DriftStatus {
    match drift {
        Some(drift) if is_recent(drift, now) => DriftStatus {
            repairs: drift.repairs + 1,
            since: drift.since.clone(),
        },
        _ => DriftStatus {
            repairs: 1,
            since: time(now),
        },
    }
}

fn is_recent(drift: &DriftStatus, now: Timestamp) -> bool {
    now.duration_since(drift.since.0).abs() < REPAIR_WINDOW
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::tests::snapshot, *};
    use crate::{
        api::ProviderKind,
        controller::object::unwritten,
        provider::{self, Remote},
    };

    fn written() -> EntryStatus {
        EntryStatus {
            state: EntryState::Synced,
            remote_id: Some("id".to_owned()),
            remote_version: Some("2026-11-21T12:00:00.123456Z".to_owned()),
            last_write_time: Some(time(Timestamp::UNIX_EPOCH)),
            ..unwritten("A")
        }
    }

    fn remote(id: &str, version: &str) -> Remote {
        Remote {
            name: "A".to_owned(),
            id: Some(id.to_owned()),
            version: Some(version.to_owned()),
            ..Remote::default()
        }
    }

    /// Cases: P-35, P-36
    #[rstest]
    #[case::same(Some(remote("id", "2026-11-21T12:00:00.123456Z")), None)]
    #[case::fewer_digits(Some(remote("id", "2026-11-21T12:00:00.123Z")), None)]
    #[case::no_digits(Some(remote("id", "2026-11-21T12:00:00Z")), None)]
    #[case::later(Some(remote("id", "2026-11-21T12:00:01Z")), Some(Drift::Changed))]
    #[case::anew(
        Some(remote("other", "2026-11-21T12:00:00.123456Z")),
        Some(Drift::Changed)
    )]
    #[case::missing(None, Some(Drift::Missing))]
    fn a_listing_tells_what_somebody_else_did(
        #[case] shown: Option<Remote>,
        #[case] drift: Option<Drift>,
    ) {
        let shown: Vec<Remote> = shown.into_iter().collect();
        let shown = snapshot(ProviderKind::PrimeIntellect, &shown);
        let rules = provider::rules(ProviderKind::PrimeIntellect);
        let drifts = |evidence| drifted(&[written()], &shown, None, rules, |_, _| evidence);
        assert_eq!(drifts(Evidence::Full).get("A").copied(), drift);
        // What began before our write ended says nothing, and absence needs more than presence.
        assert!(drifts(Evidence::None).is_empty());
        let seen = drift.filter(|drift| *drift == Drift::Changed);
        assert_eq!(drifts(Evidence::Presence).get("A").copied(), seen);
    }

    /// Cases: P-34
    #[test]
    fn a_version_before_ours_is_believed_when_it_stays() {
        let rules = provider::rules(ProviderKind::PrimeIntellect);
        let before = [remote("id", "2026-11-21T11:59:59Z")];
        let before = snapshot(ProviderKind::PrimeIntellect, &before);
        let drifts = |evidence| drifted(&[written()], &before, None, rules, |_, _| evidence);
        assert!(drifts(Evidence::Presence).is_empty());
        assert_eq!(drifts(Evidence::Full)["A"], Drift::Changed);
    }

    /// The answer to our write had no version.
    /// Cases: R-10
    #[rstest]
    #[case::of_our_write("1970-01-01T00:00:00Z", None)]
    #[case::clocks_differ_a_little("1970-01-01T00:01:00Z", None)]
    #[case::long_before("1969-12-31T00:00:00Z", None)]
    #[case::long_after("1970-01-01T00:01:01Z", Some(Drift::Changed))]
    fn without_a_version_of_ours_a_time_long_after_it_is_anothers(
        #[case] shown: &str,
        #[case] drift: Option<Drift>,
    ) {
        let entry = EntryStatus {
            remote_version: None,
            ..written()
        };
        let rules = provider::rules(ProviderKind::PrimeIntellect);
        let shown = snapshot(ProviderKind::PrimeIntellect, &[remote("id", shown)]);
        let drifts = |evidence| {
            drifted(std::slice::from_ref(&entry), &shown, None, rules, |_, _| {
                evidence
            })
            .get("A")
            .copied()
        };
        assert_eq!(drifts(Evidence::Full), drift);
        assert_eq!(drifts(Evidence::Presence), None);
    }

    /// Cases: P-37
    #[rstest]
    #[case::one(&["id"], None, Evidence::Presence, false)]
    #[case::two(&["id", "other"], None, Evidence::Presence, true)]
    #[case::two_of_others(&["one", "other"], None, Evidence::Full, true)]
    #[case::two_of_before_our_write(&["id", "other"], None, Evidence::None, false)]
    #[case::one_again(&["id"], Some("Ambiguous"), Evidence::Full, false)]
    #[case::not_looked_at_since(&["id"], Some("Ambiguous"), Evidence::None, true)]
    fn two_of_one_name_are_found_as_far_as_the_listing_tells(
        #[case] shown: &[&str],
        #[case] reason: Option<&str>,
        #[case] evidence: Evidence,
        #[case] is_doubled: bool,
    ) {
        let record = EntryStatus {
            reason: reason.map(str::to_owned),
            ..written()
        };
        let remotes = shown.iter().map(|id| remote(id, "2026-11-21T12:00:00Z"));
        let remotes: Vec<Remote> = remotes.collect();
        let found = |kind, record: EntryStatus| {
            let (shown, rules) = (snapshot(kind, &remotes), provider::rules(kind));
            !doubled(&[record], &shown, rules, |_, _| evidence).is_empty()
        };
        assert_eq!(
            found(ProviderKind::PrimeIntellect, record.clone()),
            is_doubled
        );
        // A write there changes the one of the name.
        assert!(!found(ProviderKind::Baseten, record));
        assert!(!found(ProviderKind::PrimeIntellect, unwritten("A")));
    }

    #[test]
    fn what_was_not_acknowledged_does_not_drift() {
        let pending = EntryStatus {
            state: EntryState::Pending,
            ..written()
        };
        let rules = provider::rules(ProviderKind::Braintrust);
        for entry in [pending, unwritten("A")] {
            let empty = snapshot(ProviderKind::Braintrust, &[]);
            assert!(drifted(&[entry], &empty, None, rules, |_, _| { Evidence::Full }).is_empty());
        }
    }

    #[test]
    fn a_set_shows_its_keys_only() {
        let rules = provider::rules(ProviderKind::Pipecat);
        let drifts = |set_keys: SetKeys| {
            let empty = snapshot(ProviderKind::Pipecat, &[]);
            drifted(&[written()], &empty, Some(&set_keys), rules, |_, _| {
                Evidence::Full
            })
            .len()
        };
        assert_eq!(drifts(SetKeys::Shown(vec!["A".to_owned()])), 0);
        assert_eq!(drifts(SetKeys::Shown(vec!["B".to_owned()])), 1);
        assert_eq!(drifts(SetKeys::NoSet), 1);
        assert_eq!(drifts(SetKeys::Referenced), 1);
        // Keys that are not shown are not missing.
        assert_eq!(drifts(SetKeys::NotShown), 0);
    }

    #[test]
    fn the_brake_holds_for_a_day() {
        let start = Timestamp::UNIX_EPOCH;
        let mut drift = None;
        for repairs in 1..=MAX_REPAIRS {
            assert!(!is_contended(drift.as_ref(), start));
            drift = Some(counted(drift.as_ref(), start));
            assert_eq!(drift.as_ref().map(|drift| drift.repairs), Some(repairs));
        }
        assert!(is_contended(drift.as_ref(), start));
        let next_day = start + REPAIR_WINDOW;
        assert!(!is_contended(drift.as_ref(), next_day));
        assert_eq!(counted(drift.as_ref(), next_day).repairs, 1);
    }
}
