//! `dataFrom`: every key of a Secret.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{assert_waits, entry, summary};
use crate::support::{Bystander, Scene, Stage, Target, at_each_api, condition, run};

async fn apply(scene: &Scene<'_>, data_from: Value, data: Value) {
    let spec = json!({"provider": scene.provider(), "dataFrom": data_from, "data": data});
    scene
        .apply("bulk", spec)
        .await
        .expect("an object is applied");
}

#[test]
fn keys_are_chosen_named_and_overridden_as_the_spec_says() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let keys = [
                "dbPassword",
                "api-key",
                "tls.crt",
                "v2Token",
                "internalKey",
                "OTHER",
                "skip",
            ];
            let values = keys.map(|key| scene.value(key));
            let pairs: Vec<(&str, &str)> = keys
                .into_iter()
                .zip(values.iter().map(String::as_str))
                .collect();
            scene.secret("bulk", &pairs).await;
            let own = scene.value("own");
            scene.secret("own", &[("a", &own)]).await;
            let source = json!({
                "secretRef": {"name": "bulk"},
                "include": ["*[pP]assword", "api-*", "tls.*", "v?Token", "internal*", "OTHER"],
                "exclude": ["internal*"],
                "nameTransform": "UpperSnake",
                "prefix": "APP_",
            });
            let data = json!([{"name": "APP_OTHER", "secretKeyRef": {"name": "own", "key": "a"}}]);
            apply(&scene, json!([source]), data).await;
            let object = scene.wait_ready("bulk").await;
            assert_eq!(summary(&object), Some("5/5"));
            let wanted = [
                ("APP_API_KEY", &*values[1]),
                ("APP_DB_PASSWORD", &values[0]),
                ("APP_OTHER", &own),
                ("APP_TLS_CRT", &values[2]),
                ("APP_V2_TOKEN", &values[3]),
            ];
            scene.wait_held(&wanted).await;
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: C-13, C-14
#[test]
fn what_cannot_be_decided_is_refused_before_any_write() {
    let from = |name: &str| json!({"secretRef": {"name": name}});
    let cases = [
        ("Conflict", json!([from("one"), from("two")])),
        (
            "InvalidSpec",
            json!([{"secretRef": {"name": "one"}, "include": ["[A"]}]),
        ),
        (
            "InvalidSpec",
            json!([{"secretRef": {"name": "one"}, "exclude": ["{A"]}]),
        ),
        ("TooManyEntries", json!([from("many")])),
    ];
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let value = scene.value("a");
            scene
                .secret("one", &[("SAME", &value), ("ONE", &value)])
                .await;
            scene.secret("two", &[("SAME", &value)]).await;
            let names: Vec<String> = (0..501).map(|index| format!("K{index}")).collect();
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "v")).collect();
            scene.secret("many", &many).await;
            for (reason, data_from) in &cases {
                apply(&scene, data_from.clone(), json!([])).await;
                let object = scene.wait_reason("bulk", reason).await;
                assert!(
                    condition(&object, "Stalled").is_some(),
                    "{target:?} {reason}"
                );
            }
            scene
        }))
        .await;
        bystander.rotate().await;
        for scene in scenes {
            assert_eq!(scene.writes(), Vec::<String>::new(), "{:?}", scene.target);
            let value = scene.value("a");
            apply(&scene, json!([from("two")]), json!([])).await;
            scene.wait_ready("bulk").await;
            scene.wait_held(&[("SAME", &value)]).await;
            scene.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: C-14
#[test]
fn a_key_that_is_no_name_at_the_provider_stalls_alone_until_it_is_mapped() {
    run(at_each_api(async |scene| {
        let (one, two) = (scene.value("one"), scene.value("two"));
        scene
            .secret("bulk", &[("tls.crt", &one), ("GOOD", &two)])
            .await;
        let mut from = json!({"secretRef": {"name": "bulk"}});
        apply(&scene, json!([from]), json!([])).await;
        if matches!(scene.target, Target::PrimeIntellect | Target::Pipecat) {
            let object = scene.wait_reason("bulk", "InvalidKeyName").await;
            assert!(condition(&object, "Stalled").is_some());
            assert_eq!(entry(&object, "tls.crt").1, Some("InvalidKeyName"));
            assert_eq!(summary(&object), Some("1/2"));
            scene.wait_held(&[("GOOD", &two)]).await;
        } else {
            scene.wait_ready("bulk").await;
            scene.wait_held(&[("GOOD", &two), ("tls.crt", &one)]).await;
        }
        from["nameTransform"] = "UpperSnake".into();
        apply(&scene, json!([from]), json!([])).await;
        let object = scene.wait_ready("bulk").await;
        assert_eq!(summary(&object), Some("2/2"));
        assert_eq!(scene.held().get("TLS_CRT"), Some(&one));
        scene.finish_leaving(&["tls.crt"]).await;
    }));
}

/// Cases: C-14
#[test]
fn names_that_baseten_takes_for_one_are_refused_before_any_write() {
    run(async {
        let scene = Scene::new(Stage::shared().await, Target::BasetenTeam).await;
        let value = scene.value("a");
        scene
            .secret("bulk", &[("hf-token", &value), ("hf_token", &value)])
            .await;
        apply(&scene, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
        let object = scene.wait_reason("bulk", "Conflict").await;
        assert!(condition(&object, "Stalled").is_some());
        assert_eq!(scene.writes(), Vec::<String>::new());
        scene.finish().await;
    });
}

/// Cases: C-04, C-05
#[test]
fn keys_come_and_go_and_nothing_is_deleted() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let (one, two) = (scene.value("one"), scene.value("two"));
            apply(&scene, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
            assert_waits(&scene.wait_reason("bulk", "SecretNotFound").await);
            assert_eq!(scene.account.requests().len(), 0, "{target:?}");
            scene.secret("bulk", &[("ONE", &one)]).await;
            scene.wait_ready("bulk").await;
            let first = scene.writes().len();
            scene.secret("bulk", &[("ONE", &one), ("TWO", &two)]).await;
            scene.wait_held(&[("ONE", &one), ("TWO", &two)]).await;
            scene
                .wait("bulk", "2/2", |object| summary(object) == Some("2/2"))
                .await;
            assert_eq!(
                scene.writes().len(),
                first + 1,
                "{target:?} {:?}",
                scene.writes()
            );
            // A key that goes leaves status and stays at the provider.
            scene.secret("bulk", &[("TWO", &two)]).await;
            let object = scene
                .wait("bulk", "1/1", |object| summary(object) == Some("1/1"))
                .await;
            entry(&object, "TWO");
            scene.secret("bulk", &[]).await;
            scene
                .wait("bulk", "0/0", |object| summary(object) == Some("0/0"))
                .await;
            scene.delete_secret("bulk").await;
            assert_waits(&scene.wait_reason("bulk", "SecretNotFound").await);
            scene.wait_held(&[("ONE", &one), ("TWO", &two)]).await;
            assert_eq!(
                scene.writes().len(),
                first + 1,
                "{target:?} {:?}",
                scene.writes()
            );
            scene.finish_leaving(&["ONE", "TWO"]).await;
        }))
        .await;
    });
}

/// Cases: C-13
#[test]
fn five_hundred_entries_are_written() {
    run(async {
        let stage = Stage::shared().await;
        for target in [Target::Pipecat, Target::PrimeIntellect] {
            let scene = Scene::new(stage, target).await;
            let names: Vec<String> = (0..500).map(|index| format!("K{index:03}")).collect();
            let value = scene.value("a");
            let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
            scene.secret("bulk", &many).await;
            apply(&scene, json!([{"secretRef": {"name": "bulk"}}]), json!([])).await;
            let object = scene.wait_ready("bulk").await;
            assert_eq!(summary(&object), Some("500/500"));
            scene.wait_held(&many).await;
            scene.finish().await;
        }
    });
}
