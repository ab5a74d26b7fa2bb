//! The rules of the plan, as tables and as properties.

mod image_pull;
pub(crate) mod samples;
mod sets;

use proptest::prelude::*;
use rstest::rstest;
use secrecy::ExposeSecret;

use self::samples::entry;
use super::*;
use crate::{
    account::Snapshot,
    api::{PrimeIntellectOptions, ProviderKind},
    controller::object::time,
    provider::{self, Form, Listing, Remote},
};

/// The entry, with its name folded as the provider folds names.
fn entry_at(kind: ProviderKind, name: &str, value: &str) -> DesiredEntry {
    DesiredEntry {
        folded: (provider::rules(kind).fold)(name),
        ..entry(name, value)
    }
}

fn record(name: &str, digest: Option<&str>, state: EntryState) -> EntryStatus {
    EntryStatus {
        name: name.to_owned(),
        state,
        reason: None,
        digest: digest.map(str::to_owned),
        remote_id: None,
        remote_version: None,
        last_write_time: Some(time(jiff::Timestamp::UNIX_EPOCH)),
        found: None,
        drift: None,
        leaving: false,
        seal: None,
        attempted: None,
        attempted_time: None,
    }
}

/// No other object claims anything.
pub(crate) struct Unclaimed;

impl Claimed for Unclaimed {
    fn lost(&self, _folded: &str) -> Option<Failure> {
        None
    }

    fn successor(&self, _folded: &str) -> Successor {
        Successor::None
    }
}

fn remote(name: &str, id: &str) -> Remote {
    Remote {
        name: name.to_owned(),
        id: Some(id.to_owned()),
        ..Remote::default()
    }
}

/// What a listing that has just ended shows.
pub(crate) fn snapshot(kind: ProviderKind, remotes: &[Remote]) -> Snapshot {
    let listing = Listing {
        remotes: remotes.to_vec(),
        ..Listing::default()
    };
    let began = (tokio::time::Instant::now(), Timestamp::UNIX_EPOCH);
    Snapshot::new(began, listing, None, provider::rules(kind).fold)
}

/// The value stands for its own digest.
fn digest(entry: &DesiredEntry) -> Option<String> {
    entry
        .value
        .as_ref()
        .ok()
        .map(|value| value.expose_secret().to_owned())
}

fn planned<'a>(
    kind: ProviderKind,
    desired: &'a [DesiredEntry],
    recorded: &'a [EntryStatus],
    observed: Option<&[Remote]>,
) -> Vec<PlannedEntry<'a>> {
    let snapshot = observed.map(|remotes| snapshot(kind, remotes));
    let inputs = Inputs {
        snapshot: snapshot.as_ref(),
        ..inputs(kind, recorded)
    };
    plan(desired, &inputs, &Unclaimed, digest)
}

fn inputs(kind: ProviderKind, recorded: &[EntryStatus]) -> Inputs<'_, 'static> {
    static NOBODY: BTreeMap<String, Cause> = BTreeMap::new();
    Inputs {
        recorded,
        snapshot: None,
        set_keys: None,
        is_scope_asked: true,
        rules: provider::rules(kind),
        set: (kind == ProviderKind::Pipecat).then_some(("set", Some("us-west"))),
        deletion: DeletionPolicy::Retain,
        conflict: ConflictPolicy::Overwrite,
        suspects: &NOBODY,
        is_inherited: false,
        is_requested: false,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn only(kind: ProviderKind, recorded: Option<EntryStatus>, observed: Option<&[Remote]>) -> Change {
    let recorded: Vec<EntryStatus> = recorded.into_iter().collect();
    planned(kind, &[entry("A", "1")], &recorded, observed)
        .remove(0)
        .change
}

#[rstest]
#[case::never_written(None, Change::Create)]
#[case::same(Some(record("A", Some("1"), EntryState::Synced)), Change::Keep)]
#[case::changed(Some(record("A", Some("2"), EntryState::Synced)), Change::Update(None))]
#[case::pending(Some(record("A", None, EntryState::Pending)), Change::Update(None))]
#[case::pending_is_never_kept(
    Some(record("A", Some("1"), EntryState::Pending)),
    Change::Update(None)
)]
#[case::failed_and_back_to_what_is_held(
    Some(record("A", Some("1"), EntryState::Failed)),
    Change::Keep
)]
#[case::failed(Some(record("A", None, EntryState::Failed)), Change::Update(None))]
fn the_record_decides(#[case] recorded: Option<EntryStatus>, #[case] change: Change) {
    assert_eq!(only(ProviderKind::Baseten, recorded, None), change);
}

#[test]
fn the_listing_is_believed_more_than_the_record() {
    let recorded = EntryStatus {
        remote_id: Some("old".to_owned()),
        ..record("A", None, EntryState::Pending)
    };
    let change = |observed: Option<&[Remote]>| {
        only(
            ProviderKind::PrimeIntellect,
            Some(recorded.clone()),
            observed,
        )
    };
    assert_eq!(change(None), Change::Update(Some("old".to_owned())));
    assert_eq!(
        change(Some(&[remote("A", "new")])),
        Change::Update(Some("new".to_owned()))
    );
    assert_eq!(change(Some(&[])), Change::Update(None));
}

/// Repairs that went on for too long are no reason to keep a new value back.
#[rstest]
#[case::a_repair("1", Some(Reason::Contended))]
#[case::another_value("2", None)]
fn what_is_left_to_another_writer_is_written_with_a_new_value(
    #[case] acknowledged: &str,
    #[case] refused: Option<Reason>,
) {
    let mut drift = None;
    while !is_contended(drift.as_ref(), Timestamp::UNIX_EPOCH) {
        drift = Some(counted(drift.as_ref(), Timestamp::UNIX_EPOCH));
    }
    let recorded = EntryStatus {
        drift,
        ..record("A", Some(acknowledged), EntryState::Failed)
    };
    let suspects = BTreeMap::from([("A".to_owned(), Cause::Drift(Drift::Changed))]);
    let recorded = [recorded];
    let inputs = Inputs {
        suspects: &suspects,
        ..inputs(ProviderKind::Baseten, &recorded)
    };
    let desired = [entry("A", "1")];
    let change = plan(&desired, &inputs, &Unclaimed, digest).remove(0).change;
    match change {
        Change::Refuse(failure) => assert_eq!(Some(failure.reason), refused),
        change => assert_eq!((change, refused), (Change::Update(None), None)),
    }
}

#[test]
fn what_exists_is_updated_and_never_created_again() {
    let change = |observed: Option<&[Remote]>| only(ProviderKind::PrimeIntellect, None, observed);
    assert_eq!(
        change(Some(&[remote("A", "1"), remote("B", "2")])),
        Change::Update(Some("1".to_owned()))
    );
    assert_eq!(change(Some(&[remote("B", "2")])), Change::Create);
    let Change::Refuse(failure) = change(Some(&[remote("A", "1"), remote("A", "2")])) else {
        panic!("refused")
    };
    assert_eq!(failure.reason, Reason::Ambiguous);
}

/// Cases: P-37
#[rstest]
#[case::ours(Some("2"), Some("2"))]
#[case::of_others(Some("3"), None)]
#[case::not_known(None, None)]
fn of_several_of_a_name_the_one_with_the_recorded_id_is_written(
    #[case] known: Option<&str>,
    #[case] written: Option<&str>,
) {
    let recorded = EntryStatus {
        remote_id: known.map(str::to_owned),
        ..record("A", Some("old"), EntryState::Failed)
    };
    let shown = [remote("A", "1"), remote("A", "2")];
    let change = only(ProviderKind::PrimeIntellect, Some(recorded), Some(&shown));
    match written {
        Some(id) => assert_eq!(change, Change::Update(Some(id.to_owned()))),
        None => assert!(
            matches!(&change, Change::Refuse(failure) if failure.reason == Reason::Ambiguous),
            "{change:?}"
        ),
    }
}

#[test]
fn a_file_does_not_become_a_text() {
    let file = Remote {
        form: Some(Form::File),
        ..remote("A", "1")
    };
    let Change::Refuse(failure) = only(
        ProviderKind::PrimeIntellect,
        None,
        Some(std::slice::from_ref(&file)),
    ) else {
        panic!("refused")
    };
    assert_eq!(failure.reason, Reason::Unsupported);
    let mut desired = entry("A", "1");
    desired.options.prime_intellect = PrimeIntellectOptions {
        is_file: Some(true),
        description: None,
    };
    let change = planned(ProviderKind::PrimeIntellect, &[desired], &[], Some(&[file]))
        .remove(0)
        .change;
    assert_eq!(change, Change::Update(Some("1".to_owned())));
}

#[rstest]
#[case::absent(Vec::new(), None)]
#[case::same(vec![set(Form::Text, "us-west")], None)]
#[case::elsewhere(vec![set(Form::Text, "eu-central")], Some(Reason::Conflict))]
#[case::image_pull(vec![set(Form::ImagePull, "us-west")], Some(Reason::Conflict))]
fn a_set_of_another_kind_or_region_is_left_alone(
    #[case] observed: Vec<Remote>,
    #[case] reason: Option<Reason>,
) {
    let refused = match only(ProviderKind::Pipecat, None, Some(&observed)) {
        Change::Refuse(failure) => Some(failure.reason),
        _ => None,
    };
    assert_eq!(refused, reason);
}

fn set(form: Form, region: &str) -> Remote {
    Remote {
        name: "set".to_owned(),
        form: Some(form),
        region: Some(region.to_owned()),
        ..Remote::default()
    }
}

#[test]
fn a_name_that_folds_to_the_record_is_the_same_secret() {
    let recorded = [record("hf-token", Some("1"), EntryState::Synced)];
    let change = planned(
        ProviderKind::Baseten,
        &[entry("hf_token", "1")],
        &recorded,
        None,
    )
    .remove(0)
    .change;
    assert_eq!(change, Change::Keep);
    assert!(
        unwanted(
            &[entry("hf_token", "1")],
            &recorded,
            provider::rules(ProviderKind::Baseten)
        )
        .is_empty()
    );
}

#[rstest]
#[case::upsert_by_name(ProviderKind::Baseten, None, false)]
#[case::create(ProviderKind::PrimeIntellect, None, true)]
#[case::known_id(ProviderKind::PrimeIntellect, Some("id"), false)]
#[case::first_write(ProviderKind::Braintrust, None, true)]
#[case::known_id_at_braintrust(ProviderKind::Braintrust, Some("id"), false)]
fn a_listing_is_asked_for_only_where_it_decides(
    #[case] kind: ProviderKind,
    #[case] id: Option<&str>,
    #[case] needed: bool,
) {
    let recorded = id.map(|id| EntryStatus {
        remote_id: Some(id.to_owned()),
        ..record("A", Some("2"), EntryState::Synced)
    });
    let recorded: Vec<EntryStatus> = recorded.into_iter().collect();
    let desired = [entry("A", "1")];
    let planned = planned(kind, &desired, &recorded, None);
    let lack = needed.then_some(Lack::Snapshot);
    assert_eq!(lacks(&planned, &inputs(kind, &recorded)), lack);
}

fn kinds() -> impl Strategy<Value = ProviderKind> {
    prop::sample::select(ProviderKind::ALL.to_vec())
}

fn states() -> impl Strategy<Value = EntryState> {
    prop::sample::select(vec![
        EntryState::Synced,
        EntryState::Pending,
        EntryState::Failed,
    ])
}

fn names() -> impl Strategy<Value = std::collections::BTreeSet<String>> {
    prop::collection::btree_set("[A-D]{1,2}", 0..6)
}

prop_compose! {
    fn records()(
        names in names(),
        states in prop::collection::vec(states(), 8),
        digests in prop::collection::vec(prop::option::of("[12]"), 8),
    ) -> Vec<EntryStatus> {
        names
            .into_iter()
            .zip(states.into_iter().zip(digests))
            .map(|(name, (state, digest))| record(&name, digest.as_deref(), state))
            .collect()
    }
}

proptest! {
    /// Carrying the plan out and planning again gives nothing to do.
    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(
        kind in kinds(), names in names(), values in prop::collection::vec("[12]", 8), recorded in records(),
    ) {
        let desired: Vec<DesiredEntry> =
            names.iter().zip(&values).map(|(name, value)| entry_at(kind, name, value)).collect();
        let first = planned(kind, &desired, &recorded, Some(&[]));
        let after: Vec<EntryStatus> = desired
            .iter()
            .zip(&first)
            .map(|(entry, planned)| record(&entry.name, planned.digest.as_deref(), EntryState::Synced))
            .collect();
        let second = planned(kind, &desired, &after, None);
        prop_assert!(second.iter().all(|planned| planned.change == Change::Keep));
        prop_assert!(lacks(&second, &inputs(kind, &after)).is_none());
    }

    /// Nothing is kept of which it is not known that the provider has it.
    #[test]
    fn only_what_was_acknowledged_is_kept(kind in kinds(), names in names(), recorded in records()) {
        let desired: Vec<DesiredEntry> = names.iter().map(|name| entry_at(kind, name, "1")).collect();
        for (entry, planned) in desired.iter().zip(planned(kind, &desired, &recorded, None)) {
            let record = recorded.iter().find(|record| record.name == entry.name);
            let is_held = record.is_some_and(|record| {
                record.state != EntryState::Pending && record.digest.as_deref() == Some("1")
            });
            prop_assert_eq!(planned.change == Change::Keep, is_held);
        }
    }
}
