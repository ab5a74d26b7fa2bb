//! An image pull secret is one entry, and the set is what it is called.

use super::*;
use crate::provider::IMAGE_PULL_RULES;

fn inputs<'a, 'o>(recorded: &'a [EntryStatus], snapshot: Option<&'o Snapshot>) -> Inputs<'a, 'o> {
    Inputs {
        snapshot,
        rules: &IMAGE_PULL_RULES,
        ..super::inputs(ProviderKind::Pipecat, recorded)
    }
}

fn desired() -> DesiredEntry {
    let mut desired = entry("set", "1");
    desired.options.host = Some("https://ghcr.io".to_owned());
    desired
}

fn planned<'a>(inputs: &Inputs<'a, '_>) -> PlannedEntry<'a> {
    let desired: &'static [DesiredEntry; 1] = Box::leak(Box::new([desired()]));
    plan(desired, inputs, &Unclaimed, digest).remove(0)
}

fn snapshot(remotes: &[Remote]) -> Snapshot {
    super::snapshot(ProviderKind::Pipecat, remotes)
}

/// As the provider's file lists it.
fn listed(form: Form, region: &str) -> Vec<Remote> {
    let mut set = set(form, region);
    set.id = Some(set.name.clone());
    vec![set]
}

#[rstest]
#[case::absent(Vec::new(), Change::Create)]
#[case::there(listed(Form::ImagePull, "us-west"), Change::Update(Some("set".to_owned())))]
fn the_listing_tells_a_create_from_an_update(
    #[case] observed: Vec<Remote>,
    #[case] change: Change,
) {
    let before = planned(&inputs(&[], None));
    assert!(lacks(&[before], &inputs(&[], None)) == Some(Lack::Snapshot));
    let observed = snapshot(&observed);
    let after = planned(&inputs(&[], Some(&observed)));
    assert_eq!(after.change, change);
    assert!(lacks(&[after], &inputs(&[], Some(&observed))).is_none());
}

#[test]
fn a_write_of_what_was_written_before_needs_the_listing_too() {
    let recorded = [record("set", Some("0"), EntryState::Synced)];
    let change = planned(&inputs(&recorded, None));
    assert_eq!(change.change, Change::Update(None));
    assert!(lacks(&[change], &inputs(&recorded, None)) == Some(Lack::Snapshot));
    let kept = [record("set", Some("1"), EntryState::Synced)];
    let change = planned(&inputs(&kept, None));
    assert_eq!(change.change, Change::Keep);
    assert!(lacks(&[change], &inputs(&kept, None)).is_none());
}

#[rstest]
#[case::elsewhere(listed(Form::ImagePull, "eu-central"))]
#[case::keys(listed(Form::Text, "us-west"))]
fn a_set_of_another_kind_or_region_is_left_alone(#[case] observed: Vec<Remote>) {
    let observed = snapshot(&observed);
    for recorded in [Vec::new(), vec![record("set", None, EntryState::Pending)]] {
        let planned = planned(&inputs(&recorded, Some(&observed)));
        let Change::Refuse(failure) = planned.change else {
            panic!("refused");
        };
        assert_eq!(failure.reason, Reason::Conflict);
    }
}

#[test]
fn what_was_there_before_is_found_and_left_alone_under_fail() {
    let observed = snapshot(&listed(Form::ImagePull, "us-west"));
    let fail = |recorded, observed| Inputs {
        conflict: ConflictPolicy::Fail,
        ..inputs(recorded, Some(observed))
    };
    let foreign = planned(&fail(&[], &observed));
    assert!(matches!(foreign.change, Change::Refuse(_)));
    assert_eq!(foreign.found, Some(Found::Foreign));
    let empty = snapshot(&[]);
    let absent = planned(&fail(&[], &empty));
    assert_eq!(
        (absent.change, absent.found),
        (Change::Create, Some(Found::Absent))
    );
    // A crash after the first write: what was absent and is there now is ours.
    let pending = [EntryStatus {
        last_write_time: None,
        found: Some(Found::Absent),
        ..record("set", None, EntryState::Pending)
    }];
    let ours = planned(&fail(&pending, &observed));
    assert_eq!(ours.change, Change::Update(Some("set".to_owned())));
    assert!(is_ours(&pending[0]));
}

#[test]
fn the_listing_shows_presence_and_kind_only() {
    let recorded = [record("set", Some("1"), EntryState::Synced)];
    let drift = |observed: &[Remote]| {
        let drifts = drifted(
            &recorded,
            &snapshot(observed),
            None,
            &IMAGE_PULL_RULES,
            |_, _| Evidence::Full,
        );
        drifts.into_values().next()
    };
    assert_eq!(drift(&listed(Form::ImagePull, "us-west")), None);
    assert_eq!(drift(&[]), Some(Drift::Missing));
    assert_eq!(drift(&listed(Form::Text, "us-west")), Some(Drift::Changed));
}
