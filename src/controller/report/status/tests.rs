//! Verdicts, conditions and records.

mod attempts;

use rstest::rstest;

use super::*;
use crate::{
    api::{Condition, Found},
    controller::{
        plan::tests::samples,
        report::conditions::{Readiness, ReadyState, conditions, readiness, stalled_by_protocol},
    },
    http::ErrorClass,
    provider::Written,
};

fn failure(class: ErrorClass, reason: Reason) -> Failure {
    Failure {
        class,
        reason,
        message: format!("{reason}."),
        retry_after: None,
        is_answer: false,
        is_passing: false,
    }
}

fn done() -> Readiness {
    Readiness {
        state: ReadyState::Ready,
        reason: Reason::Synced,
        message: "done".to_owned(),
    }
}

/// Lives as long as the test.
fn kept<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn planned(change: Change, record: Option<EntryStatus>) -> PlannedEntry<'static> {
    PlannedEntry {
        record: record.map(kept),
        digest: Some("new".to_owned()),
        ..samples::planned(kept(samples::entry("A", "new")), change)
    }
}

fn recorded() -> EntryStatus {
    EntryStatus {
        name: "A".to_owned(),
        state: EntryState::Synced,
        digest: Some("old".to_owned()),
        remote_id: Some("id".to_owned()),
        last_write_time: Some(time(Timestamp::UNIX_EPOCH)),
        ..unwritten("A")
    }
}

fn after(planned: PlannedEntry<'_>, outcome: EntryOutcome) -> EntryStatus {
    let planned = PlannedEntry { outcome, ..planned };
    entries(&[planned], None, Timestamp::UNIX_EPOCH).remove(0)
}

#[rstest]
#[case::none(&[], ReadyState::Ready, Reason::Synced)]
#[case::waiting(&[(ErrorClass::Waiting, Reason::SecretNotFound)], ReadyState::Reconciling { after_failure: false }, Reason::SecretNotFound)]
#[case::failed(&[(ErrorClass::Transient, Reason::Timeout)], ReadyState::Reconciling { after_failure: true }, Reason::Timeout)]
#[case::a_person_first(
    &[(ErrorClass::Waiting, Reason::KeyNotFound), (ErrorClass::Throttled, Reason::RateLimited), (ErrorClass::Config, Reason::EmptyValue)],
    ReadyState::Stalled,
    Reason::EmptyValue
)]
#[case::a_failure_before_a_wait(
    &[(ErrorClass::Waiting, Reason::KeyNotFound), (ErrorClass::Throttled, Reason::RateLimited)],
    ReadyState::Reconciling { after_failure: true },
    Reason::RateLimited
)]
#[case::auth(&[(ErrorClass::Auth, Reason::AuthenticationFailed)], ReadyState::Stalled, Reason::AuthenticationFailed)]
fn the_worst_trouble_decides(
    #[case] failures: &[(ErrorClass, Reason)],
    #[case] state: ReadyState,
    #[case] reason: Reason,
) {
    let failures: Vec<Failure> = failures
        .iter()
        .map(|(kind, reason)| failure(*kind, *reason))
        .collect();
    let readiness = readiness(&failures, done());
    assert_eq!((readiness.state, readiness.reason), (state, reason));
}

#[rstest]
#[case::alone(&[(ErrorClass::Protocol, Reason::UnexpectedResponse)], Reason::UnexpectedResponse)]
#[case::after_another(
    &[(ErrorClass::Throttled, Reason::RateLimited), (ErrorClass::Protocol, Reason::Rejected)],
    Reason::Rejected
)]
#[case::a_person_must_act_on_another(
    &[(ErrorClass::Protocol, Reason::UnexpectedResponse), (ErrorClass::Config, Reason::Conflict)],
    Reason::Conflict
)]
fn answers_that_stay_strange_are_what_stalls(
    #[case] failures: &[(ErrorClass, Reason)],
    #[case] reason: Reason,
) {
    let failures: Vec<Failure> = failures
        .iter()
        .map(|(kind, reason)| failure(*kind, *reason))
        .collect();
    let stalled = stalled_by_protocol(&failures, readiness(&failures, done()));
    assert_eq!(
        (stalled.state, stalled.reason),
        (ReadyState::Stalled, reason)
    );
}

#[test]
fn a_transition_time_moves_only_with_the_status() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let failing = |reason| Readiness {
        state: ReadyState::Reconciling {
            after_failure: true,
        },
        reason,
        message: "m".to_owned(),
    };
    let first = conditions(&[], &failing(Reason::Timeout), Some(1), at(10));
    let second = conditions(&first, &failing(Reason::RateLimited), Some(2), at(20));
    let third = conditions(&second, &done(), Some(2), at(30));
    let times = |conditions: &[Condition]| -> Vec<i64> {
        conditions
            .iter()
            .map(|condition| condition.last_transition_time.0.as_second())
            .collect()
    };
    assert_eq!(times(&first), [10, 10]);
    assert_eq!(times(&second), [10, 10]);
    assert_eq!(times(&third), [30]);
    assert!(
        second
            .iter()
            .all(|condition| condition.observed_generation == Some(2))
    );
}

#[test]
fn an_entry_that_is_written_again_is_pending_first_and_has_no_digest() {
    let pending = pending(&planned(Change::Update(None), Some(recorded())), false).unwrap();
    assert_eq!(
        (pending.state, pending.digest.as_deref()),
        (EntryState::Pending, None)
    );
    assert_eq!(pending.remote_id.as_deref(), Some("id"));
    assert_eq!(
        super::pending(&planned(Change::Keep, Some(recorded())), true),
        None
    );
    assert_eq!(super::pending(&planned(Change::Create, None), false), None);
    let first = super::pending(&planned(Change::Create, None), true);
    assert_eq!(first.map(|first| first.state), Some(EntryState::Pending));
}

#[test]
fn a_written_entry_records_what_the_provider_said() {
    let written = Written {
        id: Some("new-id".to_owned()),
        version: Some("v".to_owned()),
        scope: None,
    };
    let entry = after(
        planned(Change::Update(None), Some(recorded())),
        EntryOutcome::Written(written),
    );
    assert_eq!(entry.state, EntryState::Synced);
    assert_eq!(entry.digest.as_deref(), Some("new"));
    assert_eq!(entry.remote_id.as_deref(), Some("new-id"));
}

#[rstest]
#[case::unknown(ErrorClass::UnknownOutcome, EntryState::Pending)]
#[case::transient(ErrorClass::Transient, EntryState::Failed)]
#[case::config(ErrorClass::Config, EntryState::Failed)]
fn after_a_failed_write_the_old_digest_is_void(
    #[case] class: ErrorClass,
    #[case] state: EntryState,
) {
    let failed = EntryOutcome::Failed(failure(class, Reason::Timeout));
    let entry = after(planned(Change::Update(None), Some(recorded())), failed);
    assert_eq!((entry.state, entry.digest), (state, None));
    assert_eq!(entry.reason.as_deref(), Some("Timeout"));
}

#[test]
fn a_refused_entry_keeps_what_the_provider_holds() {
    let refusal = failure(ErrorClass::Config, Reason::EmptyValue);
    let change = Change::Refuse(refusal.clone());
    let entry = after(
        planned(change, Some(recorded())),
        EntryOutcome::Failed(refusal),
    );
    assert_eq!(
        (entry.state, entry.digest.as_deref()),
        (EntryState::Failed, Some("old"))
    );
}

/// Of what was held until the object was suspended no digest is left.
#[rstest]
#[case::synced(None, Some("old"), Reason::SecretNotFound)]
#[case::waiting(Some(Reason::Progressing), Some("old"), Reason::SecretNotFound)]
#[case::held(Some(Reason::RemovalHeld), Some("old"), Reason::RemovalHeld)]
#[case::held_until_then(Some(Reason::Suspended), None, Reason::RemovalHeld)]
#[case::desired_until_then(Some(Reason::Suspended), Some("old"), Reason::SecretNotFound)]
fn a_hold_outlives_a_source_that_cannot_be_read(
    #[case] reason: Option<Reason>,
    #[case] digest: Option<&str>,
    #[case] expected: Reason,
) {
    let record = EntryStatus {
        state: reason.map_or(EntryState::Synced, |_| EntryState::Failed),
        reason: reason.map(|reason| reason.as_str().to_owned()),
        digest: digest.map(str::to_owned),
        ..recorded()
    };
    let unread = failure(ErrorClass::Waiting, Reason::SecretNotFound);
    let kept = retained(&record, &unread);
    assert_eq!(kept.state, EntryState::Failed);
    assert_eq!(kept.reason.as_deref(), Some(expected.as_str()));
    assert_eq!(kept.digest, record.digest);
}

#[rstest]
#[case::kept(recorded(), Some(recorded()), false)]
#[case::dropped(recorded(), None, true)]
#[case::taken_by_another_object(recorded(), Some(unwritten("A")), true)]
#[case::never_sent(unwritten("A"), None, false)]
#[case::sent_without_an_answer(EntryStatus { attempted: Some("d".to_owned()), ..unwritten("A") }, None, true)]
#[case::under_its_twin(EntryStatus { name: "a-b".to_owned(), ..recorded() }, Some(EntryStatus { name: "a_b".to_owned(), ..recorded() }), false)]
fn a_name_is_forgotten_with_its_record(
    #[case] before: EntryStatus,
    #[case] after: Option<EntryStatus>,
    #[case] expected: bool,
) {
    let spec = serde_json::json!({"provider": {"baseten": {"apiKeySecretRef": {"name": "k", "key": "k"}}}});
    let spec = serde_json::from_value(spec).unwrap();
    let after: Vec<EntryStatus> = after.into_iter().collect();
    assert_eq!(forgets(&spec, &[before], &after), expected);
}

#[test]
fn the_version_of_a_secret_alone_is_not_worth_a_write() {
    let status = |version: &str| ProviderSecretStatus {
        sources: vec![crate::api::SourceStatus {
            name: "s".to_owned(),
            resource_version: version.to_owned(),
        }],
        ..ProviderSecretStatus::default()
    };
    assert!(is_same(&status("1"), &status("2")));
    assert!(!is_same(&status("1"), &ProviderSecretStatus::default()));
}

#[test]
fn what_was_not_sent_is_kept_when_the_old_value_comes_back() {
    let planned = [planned(Change::Update(None), Some(recorded()))];
    let entry = not_carried_out(&planned, Reason::Suspended).remove(0);
    assert_eq!(
        (entry.state, entry.digest.as_deref()),
        (EntryState::Failed, Some("old"))
    );
}

#[test]
fn a_refused_update_leaves_the_record_of_what_is_held() {
    let refused = || EntryOutcome::Failed(failure(ErrorClass::Config, Reason::Immutable));
    let held = after(planned(Change::Update(None), Some(recorded())), refused());
    assert_eq!(held.state, EntryState::Failed);
    assert_eq!(held.reason.as_deref(), Some("Immutable"));
    assert_eq!(held.digest.as_deref(), Some("old"));
    // A write of ours that was never acknowledged may be what is there.
    let unsure = EntryStatus {
        found: Some(Found::Absent),
        ..unwritten("A")
    };
    let unsure = after(planned(Change::Update(None), Some(unsure)), refused());
    assert_eq!((unsure.state, unsure.digest), (EntryState::Pending, None));
    assert_eq!(unsure.found, Some(Found::Absent));
    // What is another writer's leaves nothing behind.
    let foreign = PlannedEntry {
        found: Some(Found::Foreign),
        ..planned(Change::Update(None), None)
    };
    let foreign = after(foreign, refused());
    assert_eq!((foreign.state, foreign.found), (EntryState::Failed, None));
}

#[test]
fn before_a_plan_no_record_is_dropped_that_is_to_be_deleted() {
    let spec = |policy: &str| {
        let spec = serde_json::json!({
            "provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "k"}}},
            "data": [{"name": "B", "secretKeyRef": {"name": "s", "key": "k"}}],
            "deletionPolicy": policy,
        });
        serde_json::from_value::<ProviderSecretSpec>(spec).unwrap()
    };
    let reason = failure(ErrorClass::Waiting, Reason::CredentialNotFound);
    let names = |policy| {
        let entries = untouched(&[recorded()], &spec(policy), "object", &reason);
        let names = entries.into_iter().map(|entry| entry.name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("Retain"), ["B"]);
    assert_eq!(names("Delete"), ["A", "B"]);
}

#[test]
fn before_a_plan_status_names_no_more_entries_than_it_holds() {
    let data: Vec<_> = (0..500)
        .map(|number| {
            let name = format!("NEW_{number}");
            serde_json::json!({"name": name, "secretKeyRef": {"name": "s", "key": "k"}})
        })
        .collect();
    let spec = serde_json::json!({
        "provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "k"}}},
        "data": data,
        "deletionPolicy": "Delete",
    });
    let spec: ProviderSecretSpec = serde_json::from_value(spec).unwrap();
    let former = (0..800).map(|number| EntryStatus {
        name: format!("FORMER_{number}"),
        ..recorded()
    });
    let former: Vec<EntryStatus> = former.collect();
    let reason = failure(ErrorClass::Waiting, Reason::CredentialNotFound);
    let entries = untouched(&former, &spec, "object", &reason);
    assert_eq!(entries.len(), MAX_RECORDS);
    assert_eq!(entries[..800], former);
}

#[rstest]
#[case::first_try(None)]
#[case::sent_before(Some(Found::Absent))]
fn what_was_not_tried_is_no_more_ours_than_before(#[case] before: Option<Found>) {
    let record = before.map(|found| EntryStatus {
        found: Some(found),
        ..unwritten("A")
    });
    let planned = PlannedEntry {
        found: Some(Found::Absent),
        ..planned(Change::Create, record)
    };
    let entry = after(planned, EntryOutcome::NotTried);
    assert_eq!((entry.state, entry.found), (EntryState::Pending, before));
}
