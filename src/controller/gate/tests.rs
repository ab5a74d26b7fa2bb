//! When there is news.

mod stopped;

use std::collections::HashMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::SYNC_REQUESTED_AT,
    controller::cache::{Deletion, KnownDeletion},
};

fn object(generation: i64, status: &Value) -> ProviderSecret {
    serde_json::from_value(json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": "o", "namespace": "n", "generation": generation},
        "spec": {
            "provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "k"}}},
            "data": [{"name": "A", "secretKeyRef": {"name": "source", "key": "k"}}],
        },
        "status": status,
    }))
    .unwrap()
}

fn status(generation: i64, ready: &str, reason: &str) -> Value {
    json!({
        "observedGeneration": generation,
        "conditions": [{
            "type": "Ready", "status": ready, "reason": reason, "message": "m",
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        }],
        "sources": [
            {"name": "key", "resourceVersion": "10"},
            {"name": "source", "resourceVersion": "20"},
        ],
    })
}

/// Suspends an object that says so.
fn suspend(object: &mut ProviderSecret) {
    object.spec.suspend = Some(true);
    let conditions = &mut object.status.as_mut().unwrap().conditions;
    let condition = crate::api::Condition {
        r#type: SUSPENDED.to_owned(),
        ..conditions[0].clone()
    };
    conditions.push(condition);
}

fn versions(source: Option<&'static str>) -> impl Fn(&str) -> Option<String> {
    let versions = HashMap::from([("key", Some("10")), ("source", source)]);
    move |name: &str| versions.get(name).copied().flatten().map(str::to_owned)
}

fn now() -> (Instant, Timestamp) {
    (Instant::now(), Timestamp::UNIX_EPOCH)
}

/// What is remembered after a restart, and of an object at rest.
fn resting() -> Remembered<'static> {
    Remembered {
        state: &ObjectState::Resting,
        next_try: None,
        must_rewrite: false,
        is_verification_due: false,
        others: OtherEntries::Wait,
        is_requeued: false,
        news: VersionNews::Other,
        quiet_until: None,
    }
}

fn waiting(acted: Acted) -> ObjectState {
    ObjectState::Waiting {
        acted: Box::new(acted),
        next_try: None,
    }
}

fn decide_after_restart(object: &ProviderSecret, source: Option<&'static str>) -> Decision {
    decide(object, resting(), now(), versions(source))
}

#[rstest]
#[case::never_seen(object(1, &json!({"observedGeneration": -1})), Some("20"), Decision::Go)]
#[case::nothing_moved(object(1, &status(1, "True", "Synced")), Some("20"), Decision::Rest)]
#[case::new_spec(object(2, &status(1, "True", "Synced")), Some("20"), Decision::Go)]
#[case::new_source(object(1, &status(1, "True", "Synced")), Some("21"), Decision::Go)]
#[case::older_source(object(1, &status(1, "True", "Synced")), Some("19"), Decision::Go)]
#[case::source_of_no_number(object(1, &status(1, "True", "Synced")), Some("x"), Decision::Go)]
#[case::source_gone(object(1, &status(1, "True", "Synced")), None, Decision::Go)]
#[case::failed_before(
    object(1, &status(1, "False", "RateLimited")),
    Some("20"),
    Decision::Retry
)]
#[case::settling(
    object(1, &status(1, "False", "Progressing")),
    Some("20"),
    Decision::Settle
)]
fn after_a_restart_status_decides(
    #[case] object: ProviderSecret,
    #[case] source: Option<&'static str>,
    #[case] decision: Decision,
) {
    assert_eq!(decide_after_restart(&object, source), decision);
}

#[rstest]
#[case::watch_lags("19", Decision::Rest)]
#[case::new_source("21", Decision::Go)]
fn a_watch_may_lag_behind_what_this_process_has_read(
    #[case] source: &'static str,
    #[case] decision: Decision,
) {
    let object = object(1, &status(1, "True", "Synced"));
    let remembered = Remembered {
        news: VersionNews::Later,
        ..resting()
    };
    assert_eq!(
        decide(&object, remembered, now(), versions(Some(source))),
        decision
    );
}

#[test]
fn a_hot_source_is_acted_on_once_an_interval_and_an_edit_at_once() {
    let (instant, clock) = now();
    let second = Duration::from_secs(1);
    let remembered = Remembered {
        quiet_until: Some(instant + second),
        ..resting()
    };
    let edited = object(2, &status(1, "True", "Synced"));
    let object = object(1, &status(1, "True", "Synced"));
    let decide =
        |object, at, source| decide(object, remembered, (at, clock), versions(Some(source)));
    assert_eq!(decide(&object, instant, "21"), Decision::Later(second));
    assert_eq!(decide(&object, instant + second, "21"), Decision::Go);
    assert_eq!(decide(&object, instant, "20"), Decision::Rest);
    assert_eq!(decide(&edited, instant, "21"), Decision::Go);
}

#[test]
fn without_news_the_next_try_is_waited_for_and_with_news_it_is_not() {
    let object = object(1, &status(1, "False", "RateLimited"));
    let acted = Acted {
        generation: 1,
        sources: vec![
            ("key".to_owned(), "10".to_owned()),
            ("source".to_owned(), "20".to_owned()),
        ],
        request: None,
    };
    let state = waiting(acted);
    let (now, clock) = now();
    let minute = Duration::from_mins(1);
    let decide = |next_try, source| {
        let remembered = Remembered {
            state: &state,
            next_try,
            ..resting()
        };
        decide(&object, remembered, (now, clock), versions(source))
    };
    assert_eq!(
        decide(Some(now + minute), Some("20")),
        Decision::Later(minute)
    );
    assert_eq!(decide(Some(now), Some("20")), Decision::Retry);
    assert_eq!(decide(None, Some("20")), Decision::Rest);
    assert_eq!(decide(Some(now + minute), Some("21")), Decision::Go);
}

#[test]
fn what_is_suspended_rests_until_the_spec_changes() {
    let mut suspended = object(1, &status(1, "True", "Suspended"));
    suspend(&mut suspended);
    let conditions = &mut suspended.status.as_mut().unwrap().conditions;
    // It was not synced before.
    conditions.retain(|condition| condition.r#type == SUSPENDED);
    assert_eq!(decide_after_restart(&suspended, Some("20")), Decision::Rest);
    suspended.spec.suspend = None;
    assert_eq!(
        decide_after_restart(&suspended, Some("20")),
        Decision::Retry
    );
}

#[test]
fn a_word_of_a_predecessor_that_comes_late_is_not_left_to_stand() {
    let mut status = status(1, "False", "Progressing");
    let state = waiting(recorded(&object(1, &status)).unwrap());
    let entry = |state| json!([{"name": "A", "state": state}]);
    for (entry_state, decision) in [("Synced", Decision::Rest), ("Pending", Decision::Go)] {
        status["entries"] = entry(entry_state);
        let remembered = Remembered {
            state: &state,
            ..resting()
        };
        let object = object(1, &status);
        let decided = decide(&object, remembered, now(), versions(Some("20")));
        assert_eq!(decided, decision, "{entry_state}");
    }
}

#[test]
fn a_crash_while_entries_were_written_is_not_settling() {
    let mut status = status(1, "False", "Progressing");
    status["entries"] = json!([{"name": "A", "state": "Pending"}]);
    assert_eq!(
        decide_after_restart(&object(1, &status), Some("20")),
        Decision::Retry
    );
}

/// Cases: B-16
#[test]
fn a_request_is_an_opaque_token_of_bounded_length() {
    let mut asked = object(1, &status(1, "True", "Synced"));
    let hostile = "\u{1b}[31m\n{{x}}%s".repeat(200);
    asked
        .annotations_mut()
        .insert(SYNC_REQUESTED_AT.to_owned(), hostile);
    let token = requested(&asked).unwrap();
    assert_eq!(token.chars().count(), 1024);
    assert_eq!(decide_after_restart(&asked, Some("20")), Decision::Go);
    asked.status.as_mut().unwrap().last_handled_sync_request = Some(token);
    assert_eq!(requested(&asked), None);
    assert_eq!(decide_after_restart(&asked, Some("20")), Decision::Rest);
}

#[test]
fn what_is_at_rest_is_verified_when_its_time_has_come() {
    let synced = object(1, &status(1, "True", "Synced"));
    let due = Remembered {
        is_verification_due: true,
        ..resting()
    };
    let decide =
        |object: &ProviderSecret, state| decide(object, state, now(), versions(Some("20")));
    assert_eq!(decide(&synced, due), Decision::Verify);
    let failing = object(1, &status(1, "False", "Timeout"));
    assert_eq!(decide(&failing, due), Decision::Retry);
    let mut suspended = object(1, &status(1, "True", "Suspended"));
    suspend(&mut suspended);
    assert_eq!(decide(&suspended, due), Decision::Rest);
}

#[test]
fn an_entry_is_written_again_when_its_interval_is_over() {
    let mut status = status(1, "True", "Synced");
    status["entries"] =
        json!([{"name": "A", "state": "Synced", "lastWriteTime": "1970-01-01T00:00:00Z"}]);
    let mut object = object(1, &status);
    object.spec.rewrite_interval = Some("1h".to_owned());
    let decide = |clock: &str| {
        let clock: Timestamp = clock.parse().unwrap();
        let now = (Instant::now(), clock);
        super::decide(&object, resting(), now, versions(Some("20")))
    };
    assert_eq!(decide("1970-01-01T00:59:59Z"), Decision::Rest);
    assert_eq!(decide("1970-01-01T01:00:00Z"), Decision::Go);
}

#[test]
fn what_must_be_written_again_waits_for_nothing() {
    let synced = object(1, &status(1, "True", "Synced"));
    let dirty = Remembered {
        must_rewrite: true,
        ..resting()
    };
    let decide = |object: &ProviderSecret| decide(object, dirty, now(), versions(Some("20")));
    assert_eq!(decide(&synced), Decision::Go);
    let mut suspended = synced;
    suspended.spec.suspend = Some(true);
    assert_ne!(decide(&suspended), Decision::Go);
}

#[rstest]
#[case::guarded(Some(DeletionPolicy::Delete), true, false)]
#[case::finalizer_dropped(Some(DeletionPolicy::Delete), false, true)]
#[case::retained(None, false, false)]
fn a_missing_finalizer_is_news_where_something_is_to_be_deleted(
    #[case] policy: Option<DeletionPolicy>,
    #[case] has_finalizer: bool,
    #[case] is_news: bool,
) {
    let mut status = status(1, "True", "Synced");
    let written = json!({"name": "A", "state": "Synced", "lastWriteTime": "1970-01-01T00:00:00Z"});
    status["entries"] = json!([written]);
    let mut object = object(1, &status);
    object.spec.deletion_policy = policy;
    if has_finalizer {
        object
            .finalizers_mut()
            .push(crate::api::FINALIZER.to_owned());
    }
    let expected = if is_news {
        Decision::Go
    } else {
        Decision::Rest
    };
    for is_suspended in [false, true] {
        if is_suspended {
            object.status.as_mut().unwrap().conditions[0].reason = "Suspended".to_owned();
            suspend(&mut object);
        }
        assert_eq!(decide_after_restart(&object, Some("20")), expected);
    }
    // Nothing may be at the provider.
    object.status.as_mut().unwrap().entries.clear();
    assert_eq!(decide_after_restart(&object, Some("20")), Decision::Rest);
}

#[test]
fn a_cleanup_that_is_blocked_waits_unless_there_is_news() {
    let object = object(1, &status(1, "False", "DeletionBlocked"));
    let (now, _) = now();
    let minute = Duration::from_mins(1);
    let acted = recorded(&object);
    let state = |blocked| {
        let mut deletion = Deletion::new(KnownDeletion::now(true));
        deletion.blocked = blocked;
        ObjectState::Deleting(Box::new(deletion))
    };
    let blocked = state(acted.map(|acted| (acted, now + minute)));
    let decide = |state, is_requeued, source| {
        let remembered = Remembered {
            state,
            next_try: Some(now + minute),
            is_requeued,
            ..resting()
        };
        decide_deletion(&object, remembered, now, versions(source))
    };
    assert_eq!(decide(&blocked, false, Some("20")), Decision::Later(minute));
    assert_eq!(decide(&blocked, true, Some("20")), Decision::Go);
    assert_eq!(decide(&blocked, false, Some("21")), Decision::Go);
    assert_eq!(decide(&state(None), false, Some("20")), Decision::Go);
}

#[rstest]
#[case::approved(Some("hash"), false, Decision::Go)]
#[case::another_plan(Some("older"), false, Decision::Rest)]
#[case::not_approved(None, false, Decision::Rest)]
#[case::suspended(Some("hash"), true, Decision::Rest)]
fn the_approval_of_the_plan_that_waits_is_news(
    #[case] approved: Option<&str>,
    #[case] is_suspended: bool,
    #[case] decision: Decision,
) {
    let mut status = status(1, "False", "AwaitingApproval");
    status["plan"] = json!({
        "hash": "hash", "create": 1, "update": 0, "delete": 0, "refuse": 0, "keep": 0, "calls": 1, "actions": [],
    });
    let mut object = object(1, &status);
    let approved = approved.map(|hash| (crate::api::APPROVED_PLAN.to_owned(), hash.to_owned()));
    object.metadata.annotations = Some(approved.into_iter().collect());
    if is_suspended {
        suspend(&mut object);
    }
    let state = waiting(recorded(&object).unwrap());
    let remembered = Remembered {
        state: &state,
        ..resting()
    };
    assert_eq!(
        decide(&object, remembered, now(), versions(Some("20"))),
        decision
    );
}
