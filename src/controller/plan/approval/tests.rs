//! What waits for approval, as a table and as properties.

mod scope;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    api::{EntryState, Reason},
    controller::{
        error::Failure,
        object::{time, unwritten},
        plan::{DesiredEntry, tests::samples},
    },
};

fn desired(name: &str) -> DesiredEntry {
    samples::entry(name, "v")
}

fn planned(desired: &DesiredEntry, change: Change) -> PlannedEntry<'_> {
    PlannedEntry {
        digest: Some(format!("digest of {}", desired.name)),
        ..samples::planned(desired, change)
    }
}

fn removal(name: &str, action: RemovalAction, leaving: bool) -> PlannedRemoval {
    let record = EntryStatus {
        last_write_time: Some(time(jiff::Timestamp::UNIX_EPOCH)),
        leaving,
        ..unwritten(name)
    };
    PlannedRemoval { record, action }
}

fn refused() -> Change {
    Change::Refuse(Failure::config(Reason::Conflict, "taken"))
}

const INPUTS: ConsentInputs<'static> = ConsentInputs {
    approval: Approval::Manual,
    scope: "scope",
    approved_scope: None,
    hash: "hash",
    approved_plan: None,
};

const KNOWN: Option<&str> = Some("scope");

#[rstest]
#[case::automatic(Approval::Automatic, None, Change::Create, None, Consent::NotNeeded)]
#[case::first_write(Approval::Manual, None, Change::Create, None, Consent::Missing)]
#[case::other_scope(
    Approval::Manual,
    Some("older"),
    Change::Update(None),
    None,
    Consent::Missing
)]
#[case::rotation(
    Approval::Manual,
    KNOWN,
    Change::Update(None),
    None,
    Consent::NotNeeded
)]
#[case::the_rest(Approval::Manual, KNOWN, Change::Create, None, Consent::NotNeeded)]
#[case::kept(Approval::Manual, None, Change::Keep, None, Consent::NotNeeded)]
#[case::refused(Approval::Manual, None, refused(), None, Consent::NotNeeded)]
#[case::removed(Approval::Manual, KNOWN, Change::Keep, Some(false), Consent::Missing)]
#[case::leaves(Approval::Manual, KNOWN, Change::Keep, Some(true), Consent::NotNeeded)]
#[case::left_without_approval(Approval::Manual, None, Change::Keep, Some(true), Consent::Missing)]
#[case::leaves_under_an_older_scope(
    Approval::Manual,
    Some("older"),
    Change::Keep,
    Some(true),
    Consent::NotNeeded
)]
#[case::leaves_freely(
    Approval::Automatic,
    None,
    Change::Keep,
    Some(true),
    Consent::NotNeeded
)]
#[case::leaves_first(Approval::Manual, None, Change::Create, Some(true), Consent::Missing)]
#[case::every_change(
    Approval::ManualEveryChange,
    Some("older"),
    Change::Update(None),
    None,
    Consent::Missing
)]
fn what_waits_for_approval(
    #[case] approval: Approval,
    #[case] approved_scope: Option<&'static str>,
    #[case] change: Change,
    #[case] leaving: Option<bool>,
    #[case] expected: Consent,
) {
    let name = desired("A");
    let removals = leaving.map(|leaving| {
        let removal = removal("B", RemovalAction::Delete, leaving);
        PlannedRemoval {
            record: approved_leaving(removal.record, approval, approved_scope),
            ..removal
        }
    });
    let removals: Vec<_> = removals.into_iter().collect();
    let said = |approved_plan| {
        let inputs = ConsentInputs {
            approval,
            approved_scope,
            approved_plan,
            ..INPUTS
        };
        consent(&[planned(&name, change.clone())], &removals, inputs)
    };
    assert_eq!(said(None), expected);
    assert_eq!(said(Some("another")), expected);
    // What needs none uses it up too.
    assert_eq!(said(Some("hash")), Consent::Given);
}

#[rstest]
#[case(Unit::Each, 3)]
#[case(Unit::Set, 2)]
fn a_plan_is_counted_and_names_what_does_not_stay(#[case] unit: Unit, #[case] calls: i32) {
    let names = ["C", "A", "B", "D"].map(desired);
    let changes = [
        Change::Create,
        Change::Keep,
        refused(),
        Change::Update(None),
    ];
    let entries = names.iter().zip(changes);
    let entries: Vec<_> = entries
        .map(|(name, change)| planned(name, change))
        .collect();
    let removals = [
        removal("AB", RemovalAction::Delete, false),
        removal("AC", RemovalAction::Orphan, false),
    ];
    let plan = shown(&entries, &removals, (unit, false), |_| "hash".to_owned());
    let action = |name: &str, action, reason: Option<&str>| PlannedAction {
        name: name.to_owned(),
        action,
        reason: reason.map(str::to_owned),
    };
    let expected = PlanStatus {
        hash: "hash".to_owned(),
        create: 1,
        update: 1,
        delete: 1,
        refuse: 1,
        keep: 1,
        calls,
        actions: vec![
            action("AB", ActionKind::Delete, None),
            action("B", ActionKind::Refuse, Some("Conflict")),
            action("C", ActionKind::Create, None),
            action("D", ActionKind::Update, None),
        ],
    };
    assert_eq!(plan, expected);
}

#[test]
fn a_plan_names_fifty_and_counts_all() {
    let names: Vec<_> = (0..200)
        .map(|number| desired(&format!("K{number:03}")))
        .collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| planned(name, Change::Create))
        .collect();
    let mut sealed = 0;
    let plan = shown(&entries, &[], (Unit::Each, false), |actions| {
        sealed = actions.len();
        String::new()
    });
    assert_eq!((plan.create, plan.actions.len(), sealed), (200, 50, 200));
}

#[rstest]
#[case::where_the_spec_allows_it(true, true, Some("Recreate"))]
#[case::and_it_is_ours(true, false, None)]
#[case::and_not_elsewhere(false, true, None)]
fn an_update_that_may_delete_says_so(
    #[case] may_recreate: bool,
    #[case] is_recorded: bool,
    #[case] expected: Option<&str>,
) {
    let (name, recorded) = (desired("A"), removal("A", RemovalAction::Delete, false));
    let entry = PlannedEntry {
        record: is_recorded.then_some(&recorded.record),
        ..planned(&name, Change::Update(None))
    };
    let how = (Unit::Each, may_recreate);
    let plan = shown(&[entry], &[], how, |_| String::new());
    assert_eq!(plan.actions[0].reason.as_deref(), expected);
    assert_eq!((plan.update, plan.calls), (1, 1));
}

/// What waits goes when the object goes on, and what is held stays.
#[test]
fn the_plan_of_a_suspended_object_has_what_the_brake_retains() {
    let retained = |name: &str, reason: Reason, is_written: bool| EntryStatus {
        state: EntryState::Failed,
        reason: Some(reason.as_str().to_owned()),
        last_write_time: is_written.then(|| time(jiff::Timestamp::UNIX_EPOCH)),
        ..unwritten(name)
    };
    let retained = [
        retained("C", Reason::Progressing, true),
        retained("A", Reason::RemovalHeld, true),
        // A source that cannot be read may still give it.
        retained("D", Reason::SecretNotFound, true),
        // It may be another writer's.
        retained("E", Reason::Progressing, false),
    ];
    let name = desired("B");
    let entries = [planned(&name, Change::Update(None))];
    let plan = shown(&entries, &[], (Unit::Each, false), |_| String::new());
    let plan = with_braked(plan, &retained);
    assert_eq!((plan.update, plan.delete), (1, 1));
    assert_eq!((plan.refuse, plan.calls), (1, 2));
    let actions = plan.actions.iter();
    let actions = actions.map(|action| format!("{} {}", action.action.as_str(), action.name));
    let expected = ["Refuse A", "Update B", "Delete C"];
    assert_eq!(actions.collect::<Vec<_>>(), expected);
    assert_eq!(plan.actions[0].reason.as_deref(), Some("RemovalHeld"));
}

fn actions() -> impl Strategy<Value = Vec<PlannedAction>> {
    let kind = prop::sample::select(vec![
        ActionKind::Create,
        ActionKind::Update,
        ActionKind::Delete,
    ]);
    let action = ("[A-C]{1,2}", kind).prop_map(|(name, action)| PlannedAction {
        name,
        action,
        reason: None,
    });
    prop::collection::vec(action, 0..4)
}

proptest! {
    /// What the hash is made from is the same for the same actions after the same approval only.
    #[test]
    fn other_actions_are_another_plan_and_so_are_the_same_once_more(
        one in (actions(), prop::option::of("[0-9a-f]{2}")),
        other in (actions(), prop::option::of("[0-9a-f]{2}")),
    ) {
        let of = |(actions, last): &(Vec<PlannedAction>, Option<String>)| -> Vec<String> {
            plan_facts("scope", last.as_deref(), actions).map(str::to_owned).collect()
        };
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }
}
