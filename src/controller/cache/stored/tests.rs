use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::*;

fn dictionary() -> Value {
    serde_json::from_slice(DICTIONARY).unwrap()
}

fn stored(object: &Value) -> Stored {
    serde_json::from_value(object.clone()).unwrap()
}

/// Replaces every letter and digit of ids, digests and names by others.
fn with_other_ids(value: &mut Value, random: &mut fastrand::Rng) {
    match value {
        Value::String(text) if text.len() >= 16 && text.contains("000000") => {
            let other = |character| match character {
                '0' => char::from_digit(random.u32(0..16), 16).unwrap(),
                other => other,
            };
            *text = text.chars().map(other).collect();
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| with_other_ids(value, random)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|value| with_other_ids(value, random)),
        _ => {}
    }
}

/// An object as the operator leaves it, with ids, digests and names of its own.
fn synced(seed: u64) -> Value {
    let mut object = dictionary();
    let id = "00000000-0000-4000-8000-000000000000";
    object["apiVersion"] = json!("providersecrets.dev/v1alpha1");
    object["kind"] = json!("ProviderSecret");
    object["metadata"]["namespace"] = json!("team");
    object["metadata"]["resourceVersion"] = json!("1");
    object["metadata"]["uid"] = json!(id);
    with_other_ids(&mut object, &mut fastrand::Rng::with_seed(seed));
    let kind = ProviderKind::ALL[0];
    let member = object["spec"]["provider"][""].take();
    object["spec"]["provider"] = json!({kind.member(): member});
    object["status"]["provider"] = json!(kind.as_str());
    object["metadata"]["name"] = json!(format!("reranker-{seed}"));
    object["spec"]["data"][0]["secretKeyRef"]["name"] = json!(format!("credentials-{seed}"));
    object["status"]["sources"][0]["name"] = json!(format!("credentials-{seed}"));
    object["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    object
}

#[test]
fn an_object_comes_out_as_it_was() {
    for seed in 0..100 {
        let object = synced(seed);
        let unpacked = stored(&object).object().unwrap();
        assert_eq!(serde_json::to_value(unpacked).unwrap(), object);
    }
}

#[test]
fn the_largest_object_comes_out_as_it_was() {
    let mut object = synced(1);
    let entry = object["spec"]["data"][0].clone();
    object["spec"]["data"] = json!(vec![entry; 500]);
    let record = object["status"]["entries"][0].clone();
    object["status"]["entries"] = json!(vec![record; 500]);
    let unpacked = stored(&object).object().unwrap();
    assert_eq!(serde_json::to_value(unpacked).unwrap(), object);
}

/// A count and no time: a member that is added to status, or a dictionary that does not know of it, must
/// not cost every user its memory unseen.
#[test]
fn a_synced_object_takes_less_than_a_kibibyte() {
    let text = serde_json::to_vec(&synced(1)).unwrap().len();
    let packed = stored(&synced(1)).content.unwrap().packed.len();
    assert!(packed < 400, "{packed} of {text} bytes");
    // With the counts of its pointer, a size that the allocator has (docs/performance.md#what-costs-most).
    let stored = size_of::<Stored>() + 2 * size_of::<usize>();
    assert!(stored <= 448, "{stored}");
}

#[test]
fn an_object_that_does_not_decode_keeps_its_metadata() {
    let mut object = synced(1);
    object["spec"]["data"] = json!("no list");
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let stored = stored(&object);
    assert!(stored.object().is_none() && stored.sample().is_none());
    assert!(stored.meta().deletion_timestamp.is_some());
    assert_eq!(stored.finalizers(), ["providersecrets.dev/cleanup"]);
}

#[test]
fn metrics_tell_what_status_says() {
    let stored = stored(&synced(7));
    let expected = ObjectSample {
        namespace: "team",
        name: "reranker-7",
        provider: ProviderKind::ALL[0].flag(),
        reason: "Synced",
        is_ready: true,
        is_suspended: false,
        last_sync: Some(1_767_225_600),
        entries: [("Synced", 1), ("Failed", 0), ("Pending", 0)],
    };
    assert_eq!(stored.sample(), Some(expected));
}

#[test]
fn what_was_sent_and_not_answered_is_due_after_a_minute() {
    let written: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let after = |seconds| written + jiff::SignedDuration::from_secs(seconds);
    let mut object = synced(1);
    assert!(!stored(&object).is_due(after(1_000_000)));
    object["status"]["entries"][0]["record"]["attempted"] = json!("several");
    let confirmed = stored(&object);
    assert!(!confirmed.is_due(after(59)) && confirmed.is_due(after(60)));
    object["status"]["entries"][0]["record"] = json!({});
    object["spec"]["rewriteInterval"] = json!("24h");
    let rewritten = stored(&object);
    assert!(!rewritten.is_due(after(86_399)) && rewritten.is_due(after(86_400)));
}
