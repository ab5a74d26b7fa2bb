//! The newline that `echo` leaves at the end of a value: sent, and told of once.

use futures::future::join_all;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Bystander, Scene, Stage, Target, at_each_api, calls, run, until};

/// The notes of the warnings about an object, oldest first.
async fn warnings(scene: &Scene<'_>, object: &str) -> Vec<String> {
    let arguments = ["get", "events.events.k8s.io", "-o", "json"];
    let list: Value = serde_json::from_str(&scene.kubectl(&arguments).await).expect("JSON");
    let mut events = list["items"].as_array().expect("a list").clone();
    events.retain(|event| {
        event["regarding"]["name"] == object && event["reason"] == "TrailingNewline"
    });
    events.sort_by_key(|event| event["eventTime"].as_str().map(str::to_owned));
    for event in &events {
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["action"], "Push");
    }
    let note = |event: &Value| event["note"].as_str().unwrap_or_default().to_owned();
    events.iter().map(note).collect()
}

/// An edit of the Secret's metadata.
async fn label(scene: &Scene<'_>) {
    let label = json!({"metadata": {"labels": {"note": "a"}}});
    let (secrets, parameters) = (scene.secrets(), PatchParams::default());
    let patched = secrets
        .patch("source", &parameters, &Patch::Merge(&label))
        .await;
    patched.expect("a label is set");
}

async fn wait_warnings(scene: &Scene<'_>, object: &str, count: usize) -> Vec<String> {
    until("the warnings are there", async || {
        let warnings = warnings(scene, object).await;
        if warnings.len() == count {
            Ok(warnings)
        } else {
            Err(format!("{warnings:#?}"))
        }
    })
    .await
}

/// Cases: C-12
#[test]
fn a_trailing_newline_is_sent_and_warned_of_once() {
    run(at_each_api(async |scene| {
        let line = |text: &str| format!("{}\n", scene.value(text));
        let pem = format!(
            "-----BEGIN KEY-----\n{}\n-----END KEY-----\n",
            scene.value("pem")
        );
        let plain = scene.value("plain");
        let secret = async |a: &str, b: &str| {
            let data = [("a", a), ("b", b), ("pem", &*pem), ("plain", &*plain)];
            scene.secret("source", &data).await;
        };
        let (one, two) = (line("one"), line("two"));
        secret(&one, &two).await;
        let data = [
            ("A_KEY", "source", "a"),
            ("B_KEY", "source", "b"),
            ("PEM", "source", "pem"),
            ("PLAIN", "source", "plain"),
        ];
        scene.object("newline", &data).await;
        scene.wait_ready("newline").await;
        let held = [
            ("A_KEY", &*one),
            ("B_KEY", &*two),
            ("PEM", &*pem),
            ("PLAIN", &*plain),
        ];
        scene.wait_held(&held).await;
        let warnings = wait_warnings(&scene, "newline", 1).await;
        for words in [
            "entry A_KEY from Secret source",
            "So does one more entry",
            "--from-literal",
            "printf",
        ] {
            assert!(
                warnings[0].contains(words),
                "{words:?} is not in {warnings:?}"
            );
        }
        // An edit of metadata, and news for another entry, bring no more.
        label(&scene).await;
        scene.secret("other", &[("a", &plain)]).await;
        let more = [data.as_slice(), &[("OTHER", "other", "a")]].concat();
        scene.object("newline", &more).await;
        scene.wait_ready("newline").await;
        // A new value of one entry is told of, and the other is not repeated.
        let three = line("three");
        secret(&three, &two).await;
        let held = [held.as_slice(), &[("OTHER", &plain)]].concat();
        let held = [&[("A_KEY", &*three)], &held[1..]].concat();
        scene.wait_held(&held).await;
        scene.wait_ready("newline").await;
        let warnings = wait_warnings(&scene, "newline", 2).await;
        assert!(!warnings[1].contains("more entr"), "{warnings:?}");
        scene.finish().await;
    }));
}

/// Cases: C-12
#[test]
fn a_newline_of_a_bulk_source_or_a_template_is_warned_of_and_that_of_a_file_is_not() {
    run(async {
        let scene = Scene::new(Stage::shared().await, Target::PrimeIntellect).await;
        let line = format!("{}\n", scene.value("a"));
        scene.secret("bulk", &[("BULK", &line)]).await;
        scene.secret("source", &[("a", &line)]).await;
        scene.secret("file", &[("a", &line)]).await;
        let file = json!({"isFile": true});
        let spec = json!({
            "provider": scene.provider(),
            "dataFrom": [{"secretRef": {"name": "bulk"}}],
            "data": [
                {"name": "MADE", "template": "is {{ a }}", "secretRef": {"name": "source"}},
                {"name": "TRIMMED", "template": "{{ a | trim }}", "secretRef": {"name": "source"}},
                {"name": "FILE", "secretKeyRef": {"name": "file", "key": "a"}, "primeIntellect": file},
            ],
        });
        scene
            .apply("all", spec)
            .await
            .expect("an object is applied");
        scene.wait_ready("all").await;
        let warnings = wait_warnings(&scene, "all", 2).await.concat();
        for words in [
            "entry BULK from Secret bulk",
            "entry MADE from Secret source",
        ] {
            assert!(warnings.contains(words), "{warnings}");
        }
        scene.finish().await;
    });
}

/// Cases: C-12
#[test]
fn a_restart_reads_nothing_and_repeats_no_warning() {
    run(async {
        let mut stage = Stage::fresh(&[]).await;
        let targets = [Target::BasetenTeam, Target::Pipecat];
        let mut parked = Vec::new();
        for target in targets {
            let scene = Scene::new(&stage, target).await;
            scene
                .secret("source", &[("a", &format!("{}\n", scene.value("a")))])
                .await;
            scene.object("newline", &[("A_KEY", "source", "a")]).await;
            scene.wait_ready("newline").await;
            wait_warnings(&scene, "newline", 1).await;
            let Scene {
                namespace,
                account,
                key,
                ..
            } = scene;
            parked.push((target, namespace, account, key));
        }
        assert!(stage.operator.terminate().await.success());
        stage.restart(&[]).await;
        let bystander = Bystander::new(&stage).await;
        bystander.rotate().await;
        join_all(
            parked
                .into_iter()
                .map(async |(target, namespace, account, key)| {
                    let stage = &stage;
                    let scene = Scene::again(stage, target, &(namespace, account, key));
                    let reads = calls(stage, &scene.namespace).await;
                    let reads = reads
                        .iter()
                        .filter(|call| call.verb == "get" && call.name == "source");
                    assert_eq!(reads.count(), 1, "the first operator's");
                    assert_eq!(warnings(&scene, "newline").await.len(), 1);
                    // A label now: the Secret is read again and nothing is sent.
                    label(&scene).await;
                    scene.wait_ready("newline").await;
                    scene.finish().await;
                }),
        )
        .await;
        bystander.rotate().await;
        let list = ["get", "events.events.k8s.io", "-A", "-o", "json"];
        let listed = stage
            .cluster
            .kubectl_output(&list, None)
            .await
            .expect("kubectl runs");
        assert_eq!(
            listed.stdout.matches("\"TrailingNewline\"").count(),
            targets.len()
        );
        bystander.finish().await;
    });
}
