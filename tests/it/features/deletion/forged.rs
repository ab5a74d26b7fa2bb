//! a user who may write status gets no way to delete, change or adopt foreign secrets.

use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::Fault;

use crate::harness::{Target, TestCase, at_each_api, at_each_api_verifying, delete_policy, run};

/// The name of a foreign secret in the same account.
const VICTIM: &str = "VICTIM_KEY";

/// The entry that says of the victim, rightly in all that the provider shows, that this object
/// wrote it.
fn claim(case: &TestCase<'_>, name: &str) -> Value {
    let held = &case.account.held(case.scope().as_deref())[VICTIM];
    let mut entry = json!({
        "name": name,
        "state": "Synced",
        "lastWriteTime": Timestamp::from_second(Timestamp::now().as_second() - 100).expect("a time"),
        "record": {"digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "found": "Absent"},
    });
    if let Some(id) = &held.id {
        entry["remoteId"] = id.as_str().into();
    }
    let version = match case.target {
        Target::BasetenWorkspace | Target::BasetenTeam => Some(held.created),
        Target::PrimeIntellect | Target::Braintrust => Some(held.updated),
        Target::Pipecat => None,
    };
    if let Some(version) = version {
        entry["record"]["remoteVersion"] = format!("{version:.6}").into();
    }
    entry
}

/// What status says of the entries now.
async fn entries(case: &TestCase<'_>, name: &str) -> Vec<Value> {
    let status = case.get(name).await.status.expect("a status");
    let entries = status.entries.iter();
    entries
        .map(|entry| serde_json::to_value(entry).expect("JSON"))
        .collect()
}

/// Adds an entry to status.
async fn forge(case: &TestCase<'_>, forged: Value) {
    let mut entries = entries(case, "forged").await;
    entries.retain(|entry| entry["name"] != forged["name"]);
    entries.push(forged);
    case.forge("forged", &json!({"entries": entries})).await;
}

/// Cases: A-19
#[test]
fn an_entry_that_names_another_secret_deletes_nothing_with_the_object() {
    run(at_each_api_verifying(async |case| {
        case.synced("forged", &delete_policy()).await;
        case.foreign_secret(VICTIM);
        forge(&case, claim(&case, VICTIM)).await;
        case.delete("forged").await;
        case.wait_gone("forged").await;
        // Ours went, and theirs is looked at in the end.
        assert!(!case.held().contains_key("A_KEY"));
        case.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn an_entry_that_names_another_secret_deletes_nothing_as_unwanted() {
    run(at_each_api_verifying(async |case| {
        case.synced("forged", &delete_policy()).await;
        case.foreign_secret(VICTIM);
        forge(&case, claim(&case, VICTIM)).await;
        case.request_sync("forged").await;
        case.wait_ready("forged").await;
        case.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn an_entry_that_claims_to_be_half_created_deletes_nothing() {
    run(at_each_api_verifying(async |case| {
        case.synced("forged", &delete_policy()).await;
        case.foreign_secret(VICTIM);
        let record = json!({"found": "Absent"});
        let pending = json!({"name": VICTIM, "state": "Pending", "record": record});
        forge(&case, pending).await;
        case.delete("forged").await;
        case.wait_gone("forged").await;
        assert!(!case.held().contains_key("A_KEY"));
        case.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn our_name_with_the_id_of_another_secret_deletes_only_ours_or_nothing() {
    run(at_each_api_verifying(async |case| {
        case.synced("forged", &delete_policy()).await;
        case.foreign_secret(VICTIM);
        forge(&case, claim(&case, "A_KEY")).await;
        case.delete("forged").await;
        case.wait_gone("forged").await;
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

/// Cases: A-19
#[test]
fn our_name_with_the_id_of_another_secret_writes_only_ours() {
    run(at_each_api_verifying(async |case| {
        case.synced("forged", &json!({})).await;
        case.foreign_secret(VICTIM);
        forge(&case, claim(&case, "A_KEY")).await;
        let rotated = case.value("rotated");
        case.secret("source", &[("a", &rotated)]).await;
        crate::harness::until("our own has the value", async || {
            let held = case.held();
            (held.get("A_KEY") == Some(&rotated))
                .then_some(())
                .ok_or_else(|| format!("{:?} {held:?}", case.target))
        })
        .await;
        case.wait_ready("forged").await;
        case.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn under_fail_a_forged_record_adopts_nothing() {
    run(at_each_api_verifying(async |case| {
        case.foreign_secret(VICTIM);
        case.source("a").await;
        let more = json!({"conflictPolicy": "Fail"});
        case.put("forged", &[(VICTIM, "source", "a")], &more).await;
        case.wait_reason("forged", "Conflict").await;
        let written =
            json!({"name": VICTIM, "state": "Synced", "lastWriteTime": "2026-01-01T00:00:00Z"});
        let pending = |found: &str| json!({"name": VICTIM, "state": "Pending", "found": found});
        for forged in [
            claim(&case, VICTIM),
            written,
            pending("Absent"),
            pending("NoSet"),
        ] {
            // Under a key that no process has, no seal can be checked.
            for edit in [json!({}), json!({"keyFingerprint": "AAAA"})] {
                let mut status = json!({"entries": [forged]});
                json_patch::merge(&mut status, &edit);
                case.forge("forged", &status).await;
                case.request_sync("forged").await;
                case.wait_reason("forged", "Conflict").await;
            }
        }
        case.finish().await;
    }));
}

/// Cases: A-19, M-02
#[test]
fn a_claim_that_status_alone_makes_takes_nothing_over_unsaid() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("victim", &delete_policy()).await;
        let status = case.get("victim").await.status.expect("a status");
        let other = case.with_account(&case.account, &case.key).await;
        other.delete_secret("credential").await;
        other.source("a").await;
        other
            .put("forged", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        other.wait_reason("forged", "CredentialNotFound").await;
        let written = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
        let forged = json!({
            "scope": status.scope,
            "keyFingerprint": status.key_fingerprint,
            "entries": [{"name": "A_KEY", "state": "Synced", "lastWriteTime": written}],
        });
        other.forge("forged", &forged).await;
        case.delete("victim").await;
        case.wait_gone("victim").await;
        let note = case.wait_event("DeletionSkipped").await;
        assert!(
            note.contains("A_KEY") && !note.contains(&other.namespace),
            "{note}"
        );
        case.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        case.finish_leaving(&["A_KEY"]).await;
    }));
}

/// Cases: A-19
#[test]
fn a_forged_ready_is_found_out() {
    run(at_each_api(async |case| {
        case.account.add_fault(Fault::status(503).forever());
        let value = case.value("a");
        let version = case.secret("source", &[("a", &value)]).await;
        case.put("forged", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        let object = case.wait_reason("forged", "ProviderUnavailable").await;
        let credential = case.secrets().get("credential").await.expect("it is there");
        let now = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
        let ready = json!({
            "observedGeneration": object.metadata.generation,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Synced", "message": "Forged.",
                "lastTransitionTime": now, "observedGeneration": object.metadata.generation,
            }],
            "summary": "1/1",
            "sources": [
                {"name": "credential", "resourceVersion": credential.metadata.resource_version},
                {"name": "source", "resourceVersion": version},
            ],
            "entries": [{"name": "A_KEY", "state": "Synced", "record": {"digest": "AAAA"}, "lastWriteTime": now}],
        });
        case.forge("forged", &ready).await;
        case.wait_reason("forged", "ProviderUnavailable").await;
        case.account.clear_faults();
        case.wait_held(&[("A_KEY", &value)]).await;
        case.wait_ready("forged").await;
        case.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn a_forged_digest_hides_no_rotation() {
    run(at_each_api(async |case| {
        case.synced("forged", &json!({})).await;
        let mut entries = entries(&case, "forged").await;
        entries[0]["record"]["digest"] = "AAAA".into();
        case.forge("forged", &json!({"entries": entries})).await;
        let rotated = case.value("rotated");
        case.secret("source", &[("a", &rotated)]).await;
        case.wait_held(&[("A_KEY", &rotated)]).await;
        case.wait_ready("forged").await;
        case.finish().await;
    }));
}
