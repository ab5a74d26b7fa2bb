use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::ProviderSecret,
    cli::{
        answer::FAILED,
        tests::samples::{
            self, answering, condition, documented, falling_silent, object, provider, refused,
        },
    },
};

/// An object with entries of the Secrets `a` and `b`, which has acted on version 7 of both.
fn sample(ready: &str, reason: &str, entries: &Value, more: &Value) -> ProviderSecret {
    let spec = json!({
        "provider": provider(more["provider"].as_str().unwrap_or("baseten"), "api"),
        "data": [
            {"name": "A", "secretKeyRef": {"name": "a", "key": "k"}},
            {"name": more["other"].as_str().unwrap_or("B"), "secretKeyRef": {"name": "b", "key": "k"}},
        ],
        "dataFrom": more["dataFrom"],
        "suspend": more["suspend"],
    });
    let version = more["version"].as_str().unwrap_or("7");
    let status = json!({
        "conditions": [condition("Ready", ready, reason, "It is so.", 60)],
        "observedGeneration": more["observed"].as_i64().unwrap_or(3),
        "sources": [{"name": "a", "resourceVersion": version}, {"name": "api", "resourceVersion": "7"}, {"name": "b", "resourceVersion": "7"}],
        "entries": entries,
    });
    object("ml/object", spec, status)
}

fn synced() -> Value {
    json!([{"name": "A", "state": "Synced"}, {"name": "B", "state": "Synced"}])
}

fn with_other_failed() -> Value {
    with(&json!({"name": "B", "state": "Failed", "reason": "Rejected"}))
}

/// The records of A, which is synced, and of another.
fn with(other: &Value) -> Value {
    json!([{"name": "A", "state": "Synced"}, other])
}

#[rstest]
#[case("True", "Synced", synced(), json!({}), "yes")]
#[case("True", "Suspended", synced(), json!({"suspend": true}), "yes")]
#[case("True", "Suspended", synced(), json!({"suspend": true, "version": "6"}), "acted on version 6; Suspended")]
#[case("True", "Synced", synced(), json!({"version": "6"}), "rest")]
#[case("True", "Synced", synced(), json!({"version": "8"}), "rest")]
#[case("True", "Synced", synced(), json!({"observed": 2}), "not acted on the newest spec")]
#[case("False", "AuthenticationFailed", synced(), json!({"version": "6"}), "acted on version 6; AuthenticationFailed")]
#[case("False", "Rejected", with_other_failed(), json!({}), "yes")]
#[case("False", "Rejected", with_other_failed(), json!({"version": "6"}), "rest")]
#[case("False", "Rejected", with_other_failed(), json!({"version": "6", "provider": "pipecat"}), "acted on version 6; Rejected")]
#[case("False", "RemovalHeld", with_other_failed(), json!({"version": "6"}), "acted on version 6; RemovalHeld")]
#[case("False", "AccountChanged", with_other_failed(), json!({"version": "6"}), "acted on version 6; AccountChanged")]
#[case("False", "Contended", with_other_failed(), json!({"version": "6"}), "acted on version 6; Contended")]
#[case("False", "AuthenticationFailed", with_other_failed(), json!({"version": "6"}), "acted on version 6; AuthenticationFailed")]
#[case("False", "OutOfQuota", with_other_failed(), json!({"version": "6"}), "acted on version 6; OutOfQuota")]
#[case("False", "AwaitingApproval", with_other_failed(), json!({"version": "6"}), "acted on version 6; AwaitingApproval")]
#[case("False", "InvalidSpec", with_other_failed(), json!({"version": "6"}), "acted on version 6; InvalidSpec")]
#[case("False", "CredentialNotFound", with_other_failed(), json!({"version": "6"}), "acted on version 6; CredentialNotFound")]
#[case("False", "ProviderNotAllowed", with_other_failed(), json!({"version": "6"}), "acted on version 6; ProviderNotAllowed")]
#[case("False", "Rejected", with_other_failed(), json!({"provider": "pipecat"}), "Rejected: It is so.")]
#[case("False", "Progressing", synced(), json!({"provider": "pipecat"}), "Progressing: It is so.")]
#[case("False", "Progressing", synced(), json!({}), "Progressing: It is so.")]
#[case("False", "Rejected", with(&json!({"name": "B_1", "state": "Failed"})), json!({"other": "B.1"}), "yes")]
#[case("False", "Progressing", with(&json!({"name": "GONE", "state": "Pending", "record": {"leaving": true}})), json!({}), "Progressing: It is so.")]
#[case("False", "Progressing", with(&json!({"name": "B", "state": "Pending", "record": {"leaving": true}})), json!({}), "Progressing: It is so.")]
#[case("False", "RemovalHeld", with(&json!({"name": "GONE", "state": "Pending"})), json!({}), "RemovalHeld: It is so.")]
#[case("False", "SecretNotFound", with(&json!({"name": "B", "state": "Failed", "lastWriteTime": "2026-11-29T11:00:00Z"})), json!({}), "SecretNotFound: It is so.")]
#[case("False", "Rejected", with(&json!({"name": "B", "state": "Failed", "record": {"attempted": "several"}})), json!({}), "Rejected: It is so.")]
#[case("False", "RemovalHeld", with_other_failed(), json!({"dataFrom": [{"secretRef": {"name": "a"}}]}), "RemovalHeld: It is so.")]
#[case("False", "Rejected", json!([{"name": "A", "state": "Failed", "reason": "Rejected"}]), json!({}), "A is not written (Rejected)")]
#[case("False", "Progressing", json!([{"name": "A", "state": "Pending"}]), json!({}), "A is not written (Progressing)")]
#[case("False", "Progressing", json!([]), json!({}), "A was never written")]
#[case("True", "Synced", json!([{"name": "A", "state": "Synced", "record": {"attempted": "several"}}]), json!({}), "may still be on its way")]
#[case("True", "Synced", json!([{"name": "A", "state": "Synced"}, {"name": "C", "state": "Failed"}]), json!({"dataFrom": [{"secretRef": {"name": "a"}}]}), "C is not written")]
#[case("True", "Synced", json!([{"name": "a", "state": "Synced"}]), json!({}), "A was never written")]
fn an_object_has_acknowledged_a_secret_or_says_why_not(
    #[case] ready: &str,
    #[case] reason: &str,
    #[case] entries: Value,
    #[case] more: Value,
    #[case] expected: &str,
) {
    let object = sample(ready, reason, &entries, &more);
    let feed = feed::of(&object, "a", "7").unwrap();
    match (feed.acknowledged, expected) {
        (Acknowledged::Yes, "yes") => assert!(feed.pending.is_empty()),
        (Acknowledged::AtRest, "rest") => assert!(!feed.pending.is_empty()),
        (Acknowledged::No, part) => {
            assert!(feed.because.contains(part), "{}", feed.because);
            assert!(!feed.pending.is_empty());
        }
        other => panic!("{other:?}: {}", feed.because),
    }
}

/// A value that was replaced meanwhile says nothing of the one that the Secret has now.
#[test]
fn no_version_but_the_one_that_the_secret_has_now_counts() {
    let object = sample("True", "Synced", &synced(), &json!({}));
    let of = |version| feed::of(&object, "a", version).unwrap().acknowledged;
    assert_eq!(of("7"), Acknowledged::Yes);
    assert_eq!(of("8"), Acknowledged::AtRest);
}

#[test]
fn an_api_key_is_acknowledged_when_the_object_is_ready_with_it() {
    let object = |ready: &str| sample(ready, "Rejected", &with_other_failed(), &json!({}));
    let of = |object: &ProviderSecret| feed::of(object, "api", "7").unwrap();
    assert_eq!(of(&object("True")).acknowledged, Acknowledged::Yes);
    let feed = of(&object("False"));
    assert_eq!(
        (feed.acknowledged, feed.r#use),
        (Acknowledged::No, "api-key")
    );
    assert!(feed::of(&object("True"), "other", "7").is_none());
}

#[test]
fn a_deleted_object_has_acknowledged_nothing() {
    let mut object = sample("True", "Synced", &synced(), &json!({}));
    object.metadata.deletion_timestamp = serde_json::from_value(samples::ago(5).into()).unwrap();
    let feed = feed::of(&object, "a", "7").unwrap();
    assert!(feed.because.contains("being deleted"), "{}", feed.because);
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

fn rotation(objects: &[ProviderSecret], secret: &str, version: &str) -> Rotation {
    let objects = objects
        .iter()
        .filter_map(|object| feed::of(object, secret, version));
    let objects: Vec<Feed> = objects.collect();
    Rotation {
        namespace: "ml".to_owned(),
        secret: secret.to_owned(),
        resource_version: version.to_owned(),
        acknowledged: objects.iter().all(Feed::is_acknowledged),
        besides: feed::besides(&objects),
        objects,
    }
}

fn output(arguments: &[&str]) -> Flags {
    let line = [&["rotated", "x", "--color=never"], arguments].concat();
    <Line as clap::Parser>::try_parse_from(line).unwrap().flags
}

#[test]
fn what_is_acknowledged_is_shown_as_the_documents_show_it() {
    let objects = &samples::fleet()[1..3];
    let of = |objects: &[ProviderSecret], secret: &str, version: &str| {
        shown(&rotation(objects, secret, version), &output(&[]).output).unwrap()
    };
    let done = of(&objects[..1], "openai", "81123");
    let open = of(objects, "huggingface", "81140");
    assert_eq!((done.code, open.code), (0, 1));
    insta::assert_snapshot!("acknowledged", done.text);
    insta::assert_snapshot!("open", open.text);
    insta::assert_snapshot!(
        "besides",
        of(&[samples::agent_keys()], "agent-env", "81123").text
    );
    documented("rotated secret/openai -n ml --wait", &done.text);
    documented("rotated secret/huggingface -n ml", &open.text);
}

#[test]
fn scripts_read_the_same_as_json() {
    let rotation = rotation(&samples::fleet()[1..2], "openai", "81123");
    let text = shown(&rotation, &output(&["-o", "json"]).output)
        .unwrap()
        .text;
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&read["acknowledged"], &read["objects"][0]["acknowledged"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(read["resourceVersion"], "81123");
}

#[rstest]
#[case("secret/one", Some("one"))]
#[case("secrets/one", Some("one"))]
#[case("one", Some("one"))]
#[case("secret/", None)]
#[case("secret/one/status", None)]
#[case("secret/one?x=y", None)]
#[case("one%2fx", None)]
#[case("", None)]
#[case("configmap/one", None)]
fn a_secret_is_named_as_for_kubectl(#[case] text: &str, #[case] name: Option<&str>) {
    assert_eq!(secret_name(text).ok(), name);
}

/// Deleted, and made anew in a moment: only a Secret that was never there ends a wait.
#[tokio::test]
async fn a_secret_that_is_replaced_is_waited_for() {
    let reader = answering(vec![refused(404)]);
    let mut watch = Watch::new(&reader, "a");
    let is_waited_for = async |watch: &mut Watch<'_>| {
        watch
            .look()
            .await
            .is_err_and(|refusal| refusal.is_transient)
    };
    assert!(!is_waited_for(&mut watch).await);
    watch.is_seen = true;
    assert!(is_waited_for(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_what_is_acknowledged_ends_while_the_api_server_is_silent() {
    let began = Instant::now();
    let reader = samples::silent();
    let timeout = Duration::from_secs(5);
    let flags = output(&[]);
    let answered = acknowledged(&mut Watch::new(&reader, "a"), &flags.output, timeout).await;
    assert_eq!(answered.unwrap_err().code, TIMEOUT);
    assert_eq!(began.elapsed().as_secs(), 5);
}

/// The API server answers one look; what comes after it is one answer for all further requests, or silence.
#[rstest]
#[case::silent(None, (TIMEOUT, true))]
#[case::down(Some(refused(503)), (TIMEOUT, true))]
#[case::deleted(Some(refused(404)), (TIMEOUT, true))]
#[case::forbidden(Some(refused(403)), (FAILED, false))]
#[tokio::test(start_paused = true)]
async fn a_wait_that_times_out_shows_what_it_saw_last(
    #[case] after: Option<(u16, Value)>,
    #[case] expected: (u8, bool),
) {
    let more = json!({"suspend": true, "version": "6"});
    let behind = sample("True", "Suspended", &synced(), &more);
    let mut answers = vec![secret(), list(&json!([behind]))];
    let reader = match after {
        Some(after) => {
            answers.push(after);
            answering(answers)
        }
        None => falling_silent(answers),
    };
    let (flags, timeout) = (output(&[]), Duration::from_secs(5));
    let answered = acknowledged(&mut Watch::new(&reader, "a"), &flags.output, timeout).await;
    let (code, text) = match answered {
        Ok(answer) => (answer.code, answer.text),
        Err(refusal) => (refusal.code, refusal.text),
    };
    let shows = text.contains("acted on version 6") && text.contains("Keep the old value");
    assert_eq!((code, shows), expected, "{text}");
}

/// The Secret `a` of version 7.
fn secret() -> (u16, Value) {
    let secret = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"namespace": "ml", "name": "a", "resourceVersion": "7"},
    });
    (200, secret)
}

/// A list of these objects.
fn list(items: &Value) -> (u16, Value) {
    let list = json!({
        "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecretList",
        "metadata": {}, "items": items,
    });
    (200, list)
}

/// It may hold the old value, and status would not tell.
#[tokio::test]
async fn an_object_that_does_not_decode_leaves_no_value_to_be_revoked() {
    let spec = json!({
        "provider": provider("baseten", "api"),
        "data": [{"name": "A", "secretKeyRef": {"name": "a", "key": "k"}}],
    });
    let status = json!({
        "conditions": [condition("Ready", "True", "Synced", "It is so.", 60)],
        "sources": [{"name": "a", "resourceVersion": "7"}],
        "entries": [{"name": "A", "state": "Synced"}],
    });
    let known = serde_json::to_value(object("ml/object", spec, status)).unwrap();
    let unknown = json!({"metadata": {"namespace": "ml", "name": "unknown"}, "spec": 7});
    for (items, is_known) in [(json!([known]), true), (json!([known, unknown]), false)] {
        let reader = answering(vec![secret(), list(&items)]);
        let looked = Watch::new(&reader, "a").look().await;
        assert_eq!(looked.is_ok_and(|looked| looked.acknowledged), is_known);
    }
}

/// The provider has its value until what the spec names now is acknowledged.
#[rstest]
#[case::its_secret_is_missing(json!({"state": "Failed", "reason": "SecretNotFound"}), false)]
#[case::waits_for_approval(json!({"state": "Pending", "reason": "AwaitingApproval"}), false)]
#[case::written_since(json!({"state": "Synced"}), true)]
#[case::never_written(json!({"state": "Failed", "lastWriteTime": null}), true)]
#[tokio::test]
async fn an_object_that_no_longer_names_a_secret_may_hold_its_value(
    #[case] more: Value,
    #[case] is_acknowledged: bool,
) {
    let spec = json!({
        "provider": provider("baseten", "api"),
        "data": [{"name": "C", "secretKeyRef": {"name": "other", "key": "k"}}],
    });
    let mut entry = json!({"name": "C", "lastWriteTime": samples::ago(60)});
    json_patch::merge(&mut entry, &more);
    let moved = object("ml/moved", spec, json!({"entries": [entry]}));
    let named = sample("True", "Synced", &synced(), &json!({}));
    let reader = answering(vec![secret(), list(&json!([named, moved]))]);
    let rotation = Watch::new(&reader, "a").look().await.unwrap();
    assert_eq!(rotation.acknowledged, is_acknowledged);
    let shown = shown(&rotation, &output(&[]).output).unwrap();
    let line = "moved: C may still hold a value of before the last edit of the spec\n";
    assert_eq!(shown.text.contains(line), !is_acknowledged);
    assert_eq!(shown.code, u8::from(!is_acknowledged));
}

/// What takes nothing from the Secret keeps no user from revoking its old value.
#[rstest]
#[case::deleted(json!({"generation": 2, "deletionTimestamp": samples::ago(9), "finalizers": ["providersecrets.dev/cleanup"]}), json!({"state": "Synced"}))]
#[case::held_by_another_controller(json!({"generation": 3, "deletionTimestamp": samples::ago(9), "finalizers": ["other/one"]}), json!({"state": "Failed"}))]
#[case::failing_after_an_edit(
    json!({"generation": 3, "managedFields": [{"manager": "kubectl", "operation": "Apply", "time": samples::ago(600)}]}),
    json!({"state": "Failed", "reason": "Rejected"})
)]
#[tokio::test]
async fn another_object_that_fails_or_goes_holds_nothing_up(
    #[case] metadata: Value,
    #[case] entry: Value,
) {
    let spec = json!({
        "provider": provider("baseten", "api"),
        "data": [{"name": "C", "secretKeyRef": {"name": "other", "key": "k"}}],
    });
    let mut record = json!({"name": "C", "lastWriteTime": samples::ago(60)});
    json_patch::merge(&mut record, &entry);
    let status = json!({"observedGeneration": 1, "entries": [record]});
    let mut other = serde_json::to_value(object("ml/other", spec, status)).unwrap();
    json_patch::merge(&mut other["metadata"], &metadata);
    let named = sample("True", "Synced", &synced(), &json!({}));
    let reader = answering(vec![secret(), list(&json!([named, other]))]);
    let rotation = Watch::new(&reader, "a").look().await.unwrap();
    assert!(rotation.acknowledged, "{:?}", rotation.objects);
}

/// Otherwise it could confirm what the object has begun to hold back since.
#[test]
fn a_request_is_of_the_state_that_was_looked_at() {
    let mut object = sample("True", "Synced", &synced(), &json!({"version": "6"}));
    object.metadata.resource_version = Some("41".to_owned());
    let feed = feed::of(&object, "a", "7").unwrap();
    let expected = json!({"metadata": {
        "resourceVersion": "41",
        "annotations": {"providersecrets.dev/sync-requested-at": "2026-11-29T12:00:00.000000000Z"},
    }});
    let now = "2026-11-29T12:00:00Z".parse().unwrap();
    assert_eq!(feed.sync_patch(now), expected);
}
