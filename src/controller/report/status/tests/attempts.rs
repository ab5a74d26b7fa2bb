//! What was sent and may still come in.

use super::*;

/// The former process's write of it may still come in, after that of a newer value.
/// Cases: L-06
#[rstest]
#[case::a_process_that_sent_it_itself(false, None)]
#[case::a_process_after_another(true, Some("several"))]
fn a_value_that_is_sent_again_is_confirmed_where_another_process_sent_it(
    #[case] is_inherited: bool,
    #[case] attempted: Option<&str>,
) {
    let before = EntryStatus {
        state: EntryState::Pending,
        digest: None,
        attempted: Some("new".to_owned()),
        ..recorded()
    };
    let planned = || PlannedEntry {
        is_inherited,
        ..planned(Change::Update(None), Some(before.clone()))
    };
    // What is said of it before is said once.
    let said = pending(&planned(), false).and_then(|said| said.attempted);
    assert_eq!(said.as_deref(), attempted);
    let entry = after(planned(), EntryOutcome::Written(Written::default()));
    assert_eq!(entry.state, EntryState::Synced);
    assert_eq!(entry.attempted.as_deref(), attempted);
}

/// What was recorded at second 40 is tried again at second 50, or at second 100, and ends at second 110.
#[rstest]
#[case::soon(40, None)]
#[case::after_a_minute(100, Some(100))]
fn the_time_of_a_try_is_recorded_before_it_and_stays_with_what_may_come_in(
    #[case] attempted: i64,
    #[case] said: Option<i64>,
) {
    let at = |second| Timestamp::from_second(second).unwrap();
    let before = EntryStatus {
        attempted: Some("new".to_owned()),
        attempted_time: Some(time(at(40))),
        found: Some(Found::Absent),
        reason: Some(Reason::Timeout.as_str().to_owned()),
        ..unwritten("A")
    };
    let ended = |class: Option<ErrorClass>| {
        let outcome = match class {
            Some(class) => EntryOutcome::Failed(failure(class, Reason::Timeout)),
            None => EntryOutcome::Written(Written::default()),
        };
        let planned = PlannedEntry {
            found: Some(Found::Absent),
            attempted_time: Some(time(at(attempted))),
            outcome,
            ..planned(Change::Create, Some(before.clone()))
        };
        let said = pending(&planned, true);
        let entry = entries(&[planned], None, at(110)).remove(0);
        (said, entry)
    };
    let (ahead, unknown) = ended(Some(ErrorClass::UnknownOutcome));
    // Beside the time nothing is news.
    let expected = said.map(|second| EntryStatus {
        attempted_time: Some(time(at(second))),
        ..before.clone()
    });
    assert_eq!(ahead, expected);
    assert_eq!(unknown.attempted_time, Some(time(at(110))));
    let (_, answered) = ended(Some(ErrorClass::Transient));
    assert_eq!(answered.attempted_time, Some(time(at(attempted))));
    for class in [Some(ErrorClass::Throttled), None] {
        let (_, entry) = ended(class);
        assert_eq!((entry.attempted, entry.attempted_time), (None, None));
    }
}
