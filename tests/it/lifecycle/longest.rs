//! The longest names that Kubernetes allows, for everything that has one.

use serde_json::json;

use crate::support::{Scene, Stage, Target, is_guarded, run, until};

/// Cases: B-15
#[test]
fn the_longest_names_overflow_nothing() {
    run(async {
        // Of the events on a stage that many share, some are dropped.
        let stage = &Stage::fresh(&[]).await;
        for (number, target) in Target::ALL.into_iter().enumerate() {
            // A namespace is a label of 63 characters, everything else here a domain of 253.
            let scene = Scene::within(stage, target, &format!("{number}{}", "n".repeat(62))).await;
            let label = "o".repeat(63);
            let object = [label.as_str(), &label, &label, &label[..61]].join(".");
            let (source, key) = (object.replace('o', "s"), "k".repeat(253));
            assert_eq!((object.len(), source.len()), (253, 253));
            let one = scene.value("one");
            let delete = json!({"deletionPolicy": "Delete"});
            scene
                .put(&object, &[("A_KEY", &source, &key)], &delete)
                .await;
            scene.wait_reason(&object, "SecretNotFound").await;
            scene.secret(&source, &[(&key, &one)]).await;
            assert!(is_guarded(&scene.wait_ready(&object).await));
            scene.assert_held(&[("A_KEY", &one)]);
            // It is told, with the whole name in what it is about.
            scene.wait_event("Synced").await;
            scene.wait_event("SecretNotFound").await;
            let events = scene.kubectl(&["get", "events", "-o", "json"]).await;
            assert!(
                events.contains(&format!("\"name\": \"{object}\"")),
                "{events}"
            );
            let labels = format!("{{namespace=\"{}\",name=\"{object}\"", scene.namespace);
            until("it is counted", async || {
                let metrics = stage.operator.get("/metrics").await.1;
                let series = metrics
                    .lines()
                    .filter(|line| line.contains(&labels))
                    .count();
                (series == 2)
                    .then_some(())
                    .ok_or_else(|| format!("{series} series"))
            })
            .await;
            scene.delete(&object).await;
            scene.wait_gone(&object).await;
            scene.assert_held(&[]);
            scene.finish().await;
        }
    });
}
