//! Two tenants of one provider: what each sends is its own.

use serde_json::{Value, json};
use simulator::Exchange;

use crate::support::{Scene, Stage, at_each_api_on, run};

/// What an object of a tenant does in its life, with names that the other has too.
async fn lives(scene: &Scene<'_>) {
    scene
        .synced("same", &json!({"deletionPolicy": "Delete"}))
        .await;
    for text in ["two", "three"] {
        let value = scene.value(text);
        scene.secret("source", &[("a", &value)]).await;
        scene.wait_held(&[("A_KEY", &value)]).await;
    }
    scene.request_sync("same").await;
    scene.wait_ready("same").await;
    scene.delete("same").await;
    scene.wait_gone("same").await;
}

/// Cases: H-09
#[test]
fn what_is_sent_has_no_credential_but_the_key_of_its_account_and_only_its_values() {
    run(async {
        let stage = Stage::brisk().await;
        at_each_api_on(stage, async |one| {
            let two = Scene::new(stage, one.target).await;
            tokio::join!(lives(&one), lives(&two));
            for (scene, other) in [(&one, &two), (&two, &one)] {
                let requests = scene.account.requests();
                assert!(requests.iter().any(Exchange::is_write));
                for request in requests {
                    // The simulator knows an account by the whole of its key.
                    assert_eq!(request.key, Some(0), "{}", request.line());
                    let body = request.body.as_deref().map(Value::to_string);
                    let sent = format!("{} {body:?}", request.line());
                    let is_others = sent.contains(&format!("{}-", other.namespace));
                    assert!(!is_others, "{:?}: {sent}", scene.target);
                }
            }
            // What the headers are is looked at in the end of every test.
            two.finish().await;
            one.finish().await;
        })
        .await;
    });
}
