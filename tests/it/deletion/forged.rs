//! whoever may write status must not get a way to delete, change or adopt what he may not.

use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::Fault;

use super::{at_each_api_on_brisk, delete};
use crate::support::{Scene, Target, at_each_api, run};

/// The name of what somebody else wrote to the same account.
const VICTIM: &str = "VICTIM_KEY";

/// The entry that says of the victim, rightly in all that the provider shows, that this object
/// wrote it.
fn claim(scene: &Scene<'_>, name: &str) -> Value {
    let held = &scene.account.held(scene.scope().as_deref())[VICTIM];
    let mut entry = json!({
        "name": name,
        "state": "Synced",
        "digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "lastWriteTime": Timestamp::from_second(Timestamp::now().as_second() - 100).expect("a time"),
        "found": "Absent",
    });
    if let Some(id) = &held.id {
        entry["remoteId"] = id.as_str().into();
    }
    let version = match scene.target {
        Target::BasetenWorkspace | Target::BasetenTeam => Some(held.created),
        Target::PrimeIntellect | Target::Braintrust => Some(held.updated),
        Target::Pipecat => None,
    };
    if let Some(version) = version {
        entry["remoteVersion"] = format!("{version:.6}").into();
    }
    entry
}

/// What status says of the entries now.
async fn entries(scene: &Scene<'_>, name: &str) -> Vec<Value> {
    let status = scene.get(name).await.status.expect("a status");
    let entries = status.entries.iter();
    entries
        .map(|entry| serde_json::to_value(entry).expect("JSON"))
        .collect()
}

/// Adds an entry to status.
async fn forge(scene: &Scene<'_>, forged: Value) {
    let mut entries = entries(scene, "forged").await;
    entries.retain(|entry| entry["name"] != forged["name"]);
    entries.push(forged);
    scene.forge("forged", &json!({"entries": entries})).await;
}

/// Cases: A-19
#[test]
fn an_entry_that_names_another_secret_deletes_nothing_with_the_object() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("forged", &delete()).await;
        scene.stranger(VICTIM);
        forge(&scene, claim(&scene, VICTIM)).await;
        scene.delete("forged").await;
        scene.wait_gone("forged").await;
        // Ours went, and theirs is looked at in the end.
        assert!(!scene.held().contains_key("A_KEY"));
        scene.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn an_entry_that_names_another_secret_deletes_nothing_as_unwanted() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("forged", &delete()).await;
        scene.stranger(VICTIM);
        forge(&scene, claim(&scene, VICTIM)).await;
        scene.request_sync("forged").await;
        scene.wait_ready("forged").await;
        scene.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn an_entry_that_claims_to_be_half_created_deletes_nothing() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("forged", &delete()).await;
        scene.stranger(VICTIM);
        let pending = json!({"name": VICTIM, "state": "Pending", "found": "Absent"});
        forge(&scene, pending).await;
        scene.delete("forged").await;
        scene.wait_gone("forged").await;
        assert!(!scene.held().contains_key("A_KEY"));
        scene.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn our_name_with_the_id_of_another_secret_deletes_only_ours_or_nothing() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("forged", &delete()).await;
        scene.stranger(VICTIM);
        forge(&scene, claim(&scene, "A_KEY")).await;
        scene.delete("forged").await;
        scene.wait_gone("forged").await;
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}

/// Cases: A-19
#[test]
fn our_name_with_the_id_of_another_secret_writes_only_ours() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("forged", &json!({})).await;
        scene.stranger(VICTIM);
        forge(&scene, claim(&scene, "A_KEY")).await;
        let rotated = scene.value("rotated");
        scene.secret("source", &[("a", &rotated)]).await;
        crate::support::until("our own has the value", async || {
            let held = scene.held();
            (held.get("A_KEY") == Some(&rotated))
                .then_some(())
                .ok_or_else(|| format!("{:?} {held:?}", scene.target))
        })
        .await;
        scene.wait_ready("forged").await;
        scene.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn under_fail_a_forged_record_adopts_nothing() {
    run(at_each_api_on_brisk(async |scene| {
        scene.stranger(VICTIM);
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        let more = json!({"conflictPolicy": "Fail"});
        scene.put("forged", &[(VICTIM, "source", "a")], &more).await;
        scene.wait_reason("forged", "Conflict").await;
        for forged in [
            claim(&scene, VICTIM),
            json!({"name": VICTIM, "state": "Pending", "found": "Absent"}),
            json!({"name": VICTIM, "state": "Pending", "found": "NoSet"}),
        ] {
            scene.forge("forged", &json!({"entries": [forged]})).await;
            scene.request_sync("forged").await;
            scene.wait_reason("forged", "Conflict").await;
        }
        scene.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn a_forged_ready_is_found_out() {
    run(at_each_api(async |scene| {
        scene.account.add_fault(Fault::status(503).forever());
        let value = scene.value("a");
        let version = scene.secret("source", &[("a", &value)]).await;
        scene
            .put("forged", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        let object = scene.wait_reason("forged", "ProviderUnavailable").await;
        let credential = scene
            .secrets()
            .get("credential")
            .await
            .expect("it is there");
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
            "entries": [{"name": "A_KEY", "state": "Synced", "digest": "AAAA", "lastWriteTime": now}],
        });
        scene.forge("forged", &ready).await;
        scene.wait_reason("forged", "ProviderUnavailable").await;
        scene.account.clear_faults();
        scene.wait_held(&[("A_KEY", &value)]).await;
        scene.wait_ready("forged").await;
        scene.finish().await;
    }));
}

/// Cases: A-19
#[test]
fn a_forged_digest_hides_no_rotation() {
    run(at_each_api(async |scene| {
        scene.synced("forged", &json!({})).await;
        let mut entries = entries(&scene, "forged").await;
        entries[0]["digest"] = "AAAA".into();
        scene.forge("forged", &json!({"entries": entries})).await;
        let rotated = scene.value("rotated");
        scene.secret("source", &[("a", &rotated)]).await;
        scene.wait_held(&[("A_KEY", &rotated)]).await;
        scene.wait_ready("forged").await;
        scene.finish().await;
    }));
}
