//! When an object is due, and what comes late from one that is gone.

use tokio::sync::mpsc;
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    account::{Accounts, Admission, Credential, Endpoints, Limiter},
    api::ProviderSpec,
    controller::object::time,
    http::{Http, TransportError},
    leadership::Leadership,
    telemetry::Metrics,
};

fn acted() -> Acted {
    Acted {
        generation: 1,
        sources: Vec::new(),
        request: None,
    }
}

fn account(limiter: Limiter, key: &str) -> Arc<Account> {
    let transport = service_fn(async |_| Err(TransportError::Connect));
    let http = Http::new(
        BoxCloneSyncService::new(transport),
        Metrics::default(),
        Leadership::unopposed(),
    );
    let accounts = Accounts::new(http, Endpoints::new([]), limiter);
    let spec = r#"{"baseten": {"apiKeySecretRef": {"name": "n", "key": "k"}}}"#;
    let spec: ProviderSpec = serde_json::from_str(spec).unwrap();
    let credential = Credential::new(key.as_bytes()).unwrap();
    accounts.get(spec.choice().unwrap(), &credential).unwrap()
}

fn limiter() -> Limiter {
    let (requeue, _requeued) = mpsc::unbounded_channel();
    Limiter::new(1, 1, requeue, Metrics::default())
}

#[tokio::test]
async fn an_object_with_a_permit_does_not_wait_for_its_own_next_try() {
    let account = account(limiter(), "key");
    let name = |name: &str| ("namespace".to_owned(), name.to_owned());
    let permit = account.limiter.admit(&name("first"));
    let second = account.limiter.admit(&name("second"));
    assert!(matches!(permit, Admission::Granted(_)) && matches!(second, Admission::Parked));

    let now = Instant::now();
    let later = now + Duration::from_hours(1);
    let mut tracked = Tracked::default();
    tracked.reported(Some(acted()), Some(later));
    tracked.use_account(&account, None);
    assert_eq!(tracked.next_try(&name("second"), now), Some(later));
    drop(permit);
    assert_eq!(tracked.next_try(&name("second"), now), Some(now));
    tracked.reported(Some(acted()), None);
    assert_eq!(
        tracked.next_try(&name("second"), now),
        None,
        "nothing to do"
    );
}

#[tokio::test]
async fn a_permit_to_verify_is_none_to_try_again_what_is_stopped() {
    let account = account(limiter(), "key");
    let [first, second] = ["first", "second"].map(|name| ("namespace".to_owned(), name.to_owned()));
    let now = Instant::now();
    let later = now + Duration::from_hours(1);
    let mut tracked = Tracked::default();
    tracked.reported(Some(acted()), Some(later));
    (tracked.others, tracked.verify_at) = (OtherEntries::GoOn, Some(now));
    tracked.use_account(&account, None);
    assert!(tracked.is_verification_due(&second, now));
    let permit = account.limiter.admit(&first);
    let parked = account.limiter.admit(&second);
    assert!(matches!(permit, Admission::Granted(_)) && matches!(parked, Admission::Parked));
    // What the account keeps for a try of all of it is not verified before.
    assert!(!tracked.is_verification_due(&second, now));
    tracked.await_permit();
    drop(permit);
    assert!(tracked.is_verification_due(&second, now));
    assert_eq!(tracked.next_try(&second, now), Some(later));
    tracked.await_no_permit();
    assert_eq!(tracked.next_try(&second, now), Some(now));
}

#[test]
fn only_an_object_that_the_watch_shows_is_remembered() {
    let states = ObjectStates::default();
    assert_eq!(states.with("1", |tracked| tracked.is_requeued = true), None);
    states.create("1");
    assert!(
        states
            .with("1", |tracked| tracked.is_requeued = true)
            .is_some()
    );
    states.create("1");
    assert_eq!(states.with("1", |tracked| tracked.is_requeued), Some(true));
    states.forget("1");
    assert_eq!(states.with("1", |tracked| tracked.is_requeued = true), None);
}

#[test]
fn a_dirty_entry_waits_for_the_time_that_was_set() {
    let now = Instant::now();
    let mut tracked = Tracked::default();
    assert!(!tracked.is_due(now));
    tracked.mark_overwritten("A");
    assert!(tracked.is_due(now), "nothing else sets a time");
    tracked.reported(Some(acted()), Some(now + Duration::from_hours(1)));
    assert!(!tracked.is_due(now), "its write was refused");
    tracked.reported(Some(acted()), None);
    assert!(tracked.is_due(now));
    tracked.could_not_record();
    assert!(!tracked.is_due(now), "the queue has a time for it");
    tracked.reported(None, None);
    tracked.written("A");
    assert!(!tracked.is_due(now));
}

#[tokio::test]
async fn the_key_that_status_names_stays_until_the_records_have_followed() {
    let limiter = limiter();
    let keys = ["right", "typo", "another-typo", "new"].map(|key| account(limiter.clone(), key));
    let made_with = keys[0].digests.key_id();
    let mut tracked = Tracked::default();
    for key in &keys {
        tracked.use_account(key, Some(&made_with));
    }
    let former = tracked.former_key().map(|key| key.key_id());
    assert_eq!(former, Some(made_with.clone()));
    tracked.followed(&keys[3].digests.key_id());
    assert!(tracked.former_key().is_none());
    // A process that began with the wrong key never had the right one.
    let mut restarted = Tracked::default();
    restarted.use_account(&keys[1], Some(&made_with));
    restarted.use_account(&keys[3], Some(&made_with));
    assert!(restarted.former_key().is_none());
}

/// An object whose status names a key.
fn made_with(key: Option<&str>) -> ProviderSecret {
    let object = serde_json::json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": "o", "uid": "u", "resourceVersion": "1"},
        "spec": {"provider": {}},
        "status": {"keyFingerprint": key},
    });
    serde_json::from_value(object).unwrap()
}

/// The key that is put back where status names one, empty if it is none.
fn put_back(tracked: &mut Tracked, named: Option<&str>) -> Option<String> {
    let status = tracked.with_known_key(&made_with(named));
    status.map(|status| status.key_fingerprint.unwrap_or_default())
}

/// Cases: A-19, H-15
#[tokio::test]
async fn a_key_that_another_writer_names_in_status_does_not_count() {
    let limiter = limiter();
    let [old, new] = ["old", "new"].map(|key| account(limiter.clone(), key));
    let (old_id, new_id) = (old.digests.key_id(), new.digests.key_id());
    let mut tracked = Tracked::default();
    tracked
        .seen_status
        .is_edited(&made_with(Some(old_id.as_str())));
    tracked.use_account(&old, Some(old_id.as_str()));
    assert_eq!(put_back(&mut tracked, Some(old_id.as_str())), None);
    for forged in [Some("AAAA"), None] {
        assert_eq!(put_back(&mut tracked, forged), Some(old_id.clone()));
    }
    // That status names the key in use proves nothing: whether it opens the same account was not asked.
    tracked.use_account(&new, Some(old_id.as_str()));
    let named = Some(new_id.as_str());
    assert_eq!(put_back(&mut tracked, named), Some(old_id.clone()));
    // Unless this process has sent it, and lost the answer.
    let sent = made_with(named).status.unwrap();
    tracked.seen_status.send(&sent);
    assert_eq!(put_back(&mut tracked, named), None);
    assert_eq!(put_back(&mut tracked, Some("AAAA")), Some(new_id));
}

/// Cases: A-19, H-15
#[tokio::test]
async fn of_an_object_that_was_never_written_only_the_key_in_use_counts() {
    let account = account(limiter(), "key");
    let key = account.digests.key_id();
    let mut tracked = Tracked::default();
    tracked.seen_status.is_edited(&made_with(None));
    tracked.use_account(&account, None);
    assert_eq!(put_back(&mut tracked, None), None);
    assert_eq!(put_back(&mut tracked, Some("AAAA")), Some(String::new()));
    // Another process was the first to write.
    assert_eq!(put_back(&mut tracked, Some(key.as_str())), None);
    assert_eq!(put_back(&mut tracked, Some("AAAA")), Some(key));
}

#[test]
fn a_cleanup_that_could_not_be_recorded_keeps_its_beginning() {
    let states = ObjectStates::default();
    states.create("a");
    let known = states.with("a", Tracked::delete).unwrap();
    let since = known.since;
    states.deletion("a", |deletion| {
        deletion.prove([1; 32]);
        deletion.block(acted(), since);
    });
    states.with("a", Tracked::could_not_record);
    assert_eq!(states.with("a", Tracked::delete), Some(known));
    let is_proved = |key| states.deletion("a", |deletion| deletion.is_proved(key));
    assert_eq!([[1; 32], [2; 32]].map(is_proved), [Some(true), Some(false)]);
    let next_try = |tracked: &mut Tracked| tracked.next_try(&Default::default(), since);
    assert_eq!(states.with("a", next_try), Some(None));
}

/// A standby that begins to lead goes on with the time of the leader before it.
/// Cases: A-23
#[tokio::test(start_paused = true)]
async fn a_deletion_that_the_watch_has_shown_is_known_since_then() {
    let mut tracked = Tracked::default();
    tracked.watched(false);
    tracked.watched(true);
    let begun = KnownDeletion::now(true);
    tokio::time::advance(Duration::from_mins(5)).await;
    tracked.watched(true);
    assert_eq!(tracked.delete(), begun);
    // Of one from before its start a process knows when it began to act on it, and no more.
    let mut restarted = Tracked::default();
    restarted.watched(true);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(restarted.delete(), KnownDeletion::now(false));
}

#[tokio::test(start_paused = true)]
async fn an_object_is_unverified_when_no_look_succeeds_for_three_intervals() {
    let states = ObjectStates::default();
    let (now, minute) = (Instant::now(), Duration::from_mins(1));
    let account = account(limiter(), "key");
    states.create("a");
    states.with("a", |tracked| tracked.use_account(&account, None));
    let fails = |tracked: &mut Tracked| tracked.verified(false, 10 * minute);
    let unverified = |after: u32| states.unverified(now + after * minute).len();
    assert_eq!(unverified(60), 0, "none was tried");
    // The first failure is an interval after the last success, and another one changes nothing.
    states.with("a", fails);
    tokio::time::advance(minute).await;
    let failing_for = |tracked: &mut Tracked| tracked.verifications_fail_for(10 * minute);
    assert_eq!(states.with("a", failing_for), Some(minute));
    states.with("a", fails);
    assert_eq!([19, 20].map(unverified), [0, 1]);
    let ends: [fn(&mut Tracked); 3] = [
        |tracked| tracked.verified(true, Duration::from_mins(10)),
        Tracked::forget_verifications,
        |tracked| {
            tracked.delete();
        },
    ];
    for end in ends {
        states.with("a", fails);
        states.with("a", end);
        assert_eq!(unverified(60), 0);
    }
    states.with("a", fails);
    states.forget("a");
    assert_eq!(unverified(60), 0);
}

/// Cases: B-12
#[test]
fn an_object_is_withdrawn_from_the_generation_on_in_which_a_user_did_it() {
    let shown = |generation: i64, suspend: bool| -> ProviderSecret {
        let object = serde_json::json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "o", "uid": "u", "generation": generation},
            "spec": {"provider": {}, "suspend": suspend},
        });
        serde_json::from_value(object).unwrap()
    };
    let mut deleted = shown(3, false);
    deleted.metadata.deletion_timestamp = Some(time(jiff::Timestamp::UNIX_EPOCH));
    let of_generation_2 = |shown: &ProviderSecret| {
        let mut tracked = Tracked::default();
        tracked.note_withdrawal(shown);
        tracked.is_withdrawn_since(Some(2))
    };
    assert!(of_generation_2(&shown(3, true)));
    assert!(of_generation_2(&deleted));
    // An edit of something else goes on, and the watch may lag behind the answer to the operator's own write.
    assert!(!of_generation_2(&shown(3, false)));
    assert!(!of_generation_2(&shown(1, true)));
}
