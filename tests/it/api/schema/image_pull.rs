//! An image pull secret: what it is given with, and what cannot change.

use serde_json::{Value, json};

use super::{assert_refused, case, entry, message, offer, spec};
use crate::harness::run;

fn with(image_pull: &Value, fields: &Value) -> Value {
    let mut spec = spec("pipecat", fields);
    spec["provider"]["pipecat"]["imagePullSecret"] = image_pull.clone();
    spec.as_object_mut().expect("a spec").remove("data");
    spec
}

fn config() -> Value {
    json!({"secretRef": {"name": "none"}})
}

#[test]
fn it_has_one_source() {
    run(async {
        let case = case().await;
        let key = json!({"name": "none", "key": "auth"});
        let secret = json!({"name": "none"});
        for good in [
            config(),
            json!({"secretRef": secret, "host": "ghcr.io"}),
            json!({"secretKeyRef": key, "host": "https://index.docker.io/v1/"}),
            json!({"secretKeyRef": key, "host": "localhost:5000"}),
        ] {
            assert_eq!(
                offer(&case, "object", &with(&good, &json!({}))).await,
                Ok(())
            );
        }
        let one = "give an image pull secret one source";
        let cases = [
            (json!({}), one),
            (json!({"host": "ghcr.io"}), one),
            (
                json!({"secretRef": secret, "secretKeyRef": key, "host": "ghcr.io"}),
                one,
            ),
            (json!({"secretKeyRef": key}), "secretKeyRef needs host"),
            (
                json!({"secretRef": secret, "host": "user:token@ghcr.io"}),
                "should match",
            ),
            (
                json!({"secretRef": secret, "host": "two words"}),
                "should match",
            ),
            (json!({"secretRef": secret, "host": ""}), "host"),
            (
                json!({"secretRef": secret, "host": "http://ghcr.io"}),
                "host takes no http://",
            ),
            (
                json!({"secretKeyRef": key, "host": "http://ghcr.io"}),
                "host takes no http://",
            ),
        ];
        for (bad, words) in cases {
            let result = offer(&case, "object", &with(&bad, &json!({}))).await;
            assert_refused(&bad.to_string(), result, &[words]);
        }
        case.finish().await;
    });
}

#[test]
fn it_stands_alone() {
    run(async {
        let case = case().await;
        let plain = with(&config(), &json!({"replaceImagePullSecret": "Recreate"}));
        assert_eq!(offer(&case, "object", &plain).await, Ok(()));
        let cases: [(&str, Value, &str); 3] = [
            (
                "data",
                json!([entry("A_KEY")]),
                "an image pull secret has no entries",
            ),
            (
                "dataFrom",
                json!([{"secretRef": {"name": "none"}}]),
                "an image pull secret has no entries",
            ),
            (
                "rewriteInterval",
                "24h".into(),
                "rewriteInterval is not for an image pull secret",
            ),
        ];
        for (field, value, words) in cases {
            let mut spec = plain.clone();
            spec[field] = value;
            assert_refused(field, offer(&case, "object", &spec).await, &[words]);
        }
        let alone = spec("pipecat", &json!({"replaceImagePullSecret": "Never"}));
        let result = offer(&case, "object", &alone).await;
        assert_refused(
            "replace",
            result,
            &["replaceImagePullSecret is for an image pull secret"],
        );
        let unknown = with(&config(), &json!({"replaceImagePullSecret": "Always"}));
        let result = offer(&case, "object", &unknown).await;
        assert_refused("unknown", result, &["Always"]);
        let mut nothing = spec("pipecat", &json!({}));
        nothing.as_object_mut().expect("a spec").remove("data");
        let result = offer(&case, "object", &nothing).await;
        assert_refused("nothing", result, &["name what to send"]);
        case.finish().await;
    });
}

#[test]
fn whether_it_is_one_cannot_change_and_its_source_can() {
    run(async {
        let case = case().await;
        let image_pull = with(&config(), &json!({}));
        let keys = spec("pipecat", &json!({}));
        let cannot = "whether imagePullSecret is given cannot change";
        for (name, first, second) in [
            ("given", &image_pull, &keys),
            ("taken-away", &keys, &image_pull),
        ] {
            case.apply(name, first.clone()).await.expect("applied");
            let result = message(case.apply(name, second.clone()).await);
            assert_refused(name, result, &[cannot]);
            case.apply(name, first.clone()).await.expect("no change");
        }
        let nulled = json!({"spec": {
            "provider": {"pipecat": {"imagePullSecret": null}},
            "data": [entry("A_KEY")],
        }});
        assert_refused(
            "nulled",
            message(case.patch("given", nulled).await),
            &[cannot],
        );
        let source = json!({"host": "ghcr.io", "secretKeyRef": {"name": "other", "key": "auth"}});
        let fields = json!({"replaceImagePullSecret": "Recreate"});
        let changed = case.apply("given", with(&source, &fields)).await;
        changed.expect("the source changes");
        case.finish().await;
    });
}
