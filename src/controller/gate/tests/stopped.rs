//! An object of which something stops some entries: what is synced of it is verified and written again all the same.

use super::*;

/// An object of which one entry is synced since the epoch, and another one is not.
fn in_part(reason: &str) -> ProviderSecret {
    let mut status = status(1, "False", reason);
    status["entries"] = json!([
        {"name": "A", "state": "Synced", "lastWriteTime": "1970-01-01T00:00:00Z"},
        {"name": "B", "state": "Failed", "reason": reason},
    ]);
    object(1, &status)
}

/// What is decided when the object is due to be verified, after a plan was carried out.
fn decide_when_due(object: &ProviderSecret, wait: Option<Duration>) -> Decision {
    let (now, clock) = now();
    let state = waiting(recorded(object).unwrap());
    let remembered = Remembered {
        state: &state,
        next_try: wait.map(|wait| now + wait),
        is_verification_due: true,
        others: OtherEntries::GoOn,
        ..resting()
    };
    decide(object, remembered, (now, clock), versions(Some("20")))
}

#[rstest]
fn what_is_synced_is_verified_whatever_stops_other_entries(
    #[values("KeyNotFound", "InvalidEncoding", "Timeout", "RemovalHeld")] reason: &str,
    #[values(None, Some(0), Some(60))] minutes: Option<u64>,
) {
    let object = in_part(reason);
    let state = waiting(recorded(&object).unwrap());
    let (now, clock) = now();
    let wait = minutes.map(Duration::from_mins);
    let decide = |others, is_verification_due| {
        let remembered = Remembered {
            state: &state,
            next_try: wait.map(|wait| now + wait),
            is_verification_due,
            others,
            ..resting()
        };
        decide(&object, remembered, (now, clock), versions(Some("20")))
    };
    let otherwise = match wait {
        None => Decision::Rest,
        Some(wait) if wait.is_zero() => Decision::Retry,
        Some(wait) => Decision::Later(wait),
    };
    assert_eq!(decide(OtherEntries::GoOn, true), Decision::Verify);
    assert_eq!(decide(OtherEntries::AwaitPermit, true), Decision::Verify);
    assert_eq!(decide(OtherEntries::GoOn, false), otherwise);
    assert_eq!(decide(OtherEntries::Wait, true), otherwise);
}

#[test]
fn nothing_is_verified_of_an_object_that_waits_as_a_whole() {
    let missing = in_part("KeyNotFound");
    assert_eq!(decide_when_due(&missing, None), Decision::Verify);
    let awaiting = in_part("AwaitingApproval");
    let mut suspended = in_part("KeyNotFound");
    suspend(&mut suspended);
    let mut settling = in_part("Progressing");
    settling.status.as_mut().unwrap().entries[1].state = EntryState::Synced;
    let mut failed = in_part("KeyNotFound");
    failed.status.as_mut().unwrap().entries[0].state = EntryState::Failed;
    for object in [awaiting, suspended, settling, failed] {
        assert_eq!(decide_when_due(&object, None), Decision::Rest);
    }
}

#[test]
fn a_removal_that_waits_stops_no_verification_and_a_write_that_was_cut_off_does() {
    let object = in_part("Progressing");
    let minute = Some(Duration::from_mins(1));
    assert_eq!(decide_when_due(&object, minute), Decision::Verify);
    assert_eq!(decide_when_due(&object, None), Decision::Go);
}

#[rstest]
fn what_is_synced_is_written_again_in_its_time_whatever_stops_other_entries(
    #[values(None, Some(60))] minutes: Option<u64>,
) {
    let mut object = in_part("KeyNotFound");
    object.spec.rewrite_interval = Some("1h".to_owned());
    let state = waiting(recorded(&object).unwrap());
    let (now, _) = now();
    let decide = |others, clock: &str| {
        let remembered = Remembered {
            state: &state,
            next_try: minutes.map(|minutes| now + Duration::from_mins(minutes)),
            others,
            ..resting()
        };
        let now = (now, clock.parse().unwrap());
        decide(&object, remembered, now, versions(Some("20")))
    };
    let (before, due) = ("1970-01-01T00:59:59Z", "1970-01-01T01:00:00Z");
    assert_ne!(decide(OtherEntries::GoOn, before), Decision::Go);
    assert_eq!(decide(OtherEntries::GoOn, due), Decision::Go);
    assert_ne!(decide(OtherEntries::Wait, due), Decision::Go);
}
