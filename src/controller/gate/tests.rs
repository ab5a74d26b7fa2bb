//! When a wake-up is news.

use std::collections::HashMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

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

fn versions(source: Option<&'static str>) -> impl Fn(&str) -> Option<String> {
    let versions = HashMap::from([("key", Some("10")), ("source", source)]);
    move |name: &str| versions.get(name).copied().flatten().map(str::to_owned)
}

fn decide_after_restart(object: &ProviderSecret, source: Option<&'static str>) -> Decision {
    decide(object, None, None, Instant::now(), versions(source))
}

#[rstest]
#[case::never_seen(object(1, &json!({"observedGeneration": -1})), Some("20"), Decision::Go)]
#[case::nothing_moved(object(1, &status(1, "True", "Synced")), Some("20"), Decision::Rest)]
#[case::new_spec(object(2, &status(1, "True", "Synced")), Some("20"), Decision::Go)]
#[case::new_source(object(1, &status(1, "True", "Synced")), Some("21"), Decision::Go)]
#[case::watch_lags(object(1, &status(1, "True", "Synced")), Some("19"), Decision::Rest)]
#[case::source_gone(object(1, &status(1, "True", "Synced")), None, Decision::Go)]
#[case::failed_before(object(1, &status(1, "False", "RateLimited")), Some("20"), Decision::Go)]
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

#[test]
fn without_news_the_next_try_is_waited_for_and_with_news_it_is_not() {
    let object = object(1, &status(1, "False", "RateLimited"));
    let acted = Acted {
        generation: 1,
        sources: vec![
            ("key".to_owned(), "10".to_owned()),
            ("source".to_owned(), "20".to_owned()),
        ],
    };
    let now = Instant::now();
    let minute = Duration::from_mins(1);
    let decide = |next_try, source| decide(&object, Some(&acted), next_try, now, versions(source));
    assert_eq!(
        decide(Some(now + minute), Some("20")),
        Decision::Later(minute)
    );
    assert_eq!(decide(Some(now), Some("20")), Decision::Go);
    assert_eq!(decide(None, Some("20")), Decision::Rest);
    assert_eq!(decide(Some(now + minute), Some("21")), Decision::Go);
}

#[test]
fn what_is_suspended_rests_until_the_spec_changes() {
    let mut suspended = object(1, &status(1, "False", "Suspended"));
    suspended.spec.suspend = Some(true);
    assert_eq!(decide_after_restart(&suspended, Some("20")), Decision::Rest);
    suspended.spec.suspend = None;
    assert_eq!(decide_after_restart(&suspended, Some("20")), Decision::Go);
}

#[test]
fn a_word_of_a_predecessor_that_comes_late_is_not_left_to_stand() {
    let mut status = status(1, "False", "Progressing");
    let acted = recorded(&object(1, &status));
    let entry = |state| json!([{"name": "A", "state": state}]);
    for (state, decision) in [("Synced", Decision::Rest), ("Pending", Decision::Go)] {
        status["entries"] = entry(state);
        let decided = decide(
            &object(1, &status),
            acted.as_ref(),
            None,
            Instant::now(),
            versions(Some("20")),
        );
        assert_eq!(decided, decision, "{state}");
    }
}

#[test]
fn a_crash_while_entries_were_written_is_not_settling() {
    let mut status = status(1, "False", "Progressing");
    status["entries"] = json!([{"name": "A", "state": "Pending"}]);
    assert_eq!(
        decide_after_restart(&object(1, &status), Some("20")),
        Decision::Go
    );
}
