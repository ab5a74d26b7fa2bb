//! `spec.provider` has exactly one member, and which it is cannot change.

use serde_json::{Value, json};

use super::{assert_refused, credential, message, offer, scene, spec};
use crate::support::{Scene, Stage, Target, run};

const MEMBERS: [&str; 4] = ["baseten", "primeIntellect", "pipecat", "braintrust"];
const EXACTLY_ONE: &str = "give exactly one of baseten, primeIntellect, pipecat and braintrust";
const CANNOT_CHANGE: &str = "the provider cannot change";

fn member() -> Value {
    json!({"apiKeySecretRef": credential()})
}

/// Cases: B-01, B-03
#[test]
fn exactly_one_provider_is_given() {
    run(async {
        let scene = scene().await;
        let data = &spec("baseten", &json!({}))["data"];
        let none = json!({"provider": {}, "data": data});
        assert_refused("none", offer(&scene, "object", &none).await, &[EXACTLY_ONE]);
        for (index, first) in MEMBERS.iter().enumerate() {
            offer(&scene, "object", &spec(first, &json!({})))
                .await
                .expect(first);
            for second in &MEMBERS[index + 1..] {
                let provider = json!({*first: member(), *second: member()});
                let both = json!({"provider": provider, "data": data});
                let result = offer(&scene, "object", &both).await;
                assert_refused(&format!("{first} and {second}"), result, &[EXACTLY_ONE]);
            }
        }
        for missing in [
            json!({"data": data}),
            json!({"provider": null, "data": data}),
        ] {
            let result = offer(&scene, "object", &missing).await;
            assert_refused("no provider", result, &["spec.provider"]);
        }
        let unknown = json!({"provider": {"acme": member()}, "data": data});
        let result = offer(&scene, "object", &unknown).await;
        assert_refused("acme", result, &["acme"]);
        scene.finish().await;
    });
}

#[test]
fn a_member_that_is_null_is_absent() {
    run(async {
        let scene = Scene::new(Stage::shared().await, Target::Pipecat).await;
        let one = scene.value("one");
        scene.secret("source", &[("a", &one)]).await;
        let mut provider = scene.provider();
        provider["baseten"] = Value::Null;
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "nulled", "namespace": scene.namespace},
            "spec": {
                "provider": provider,
                "data": [{"name": "A_KEY", "secretKeyRef": {"name": "source", "key": "a"}}],
            },
        });
        let object = object.to_string();
        let create = ["create", "-f", "-"];
        scene.stage.kubectl(&create, Some(&object)).await;
        scene.wait_ready("nulled").await;
        scene.wait_held(&[("A_KEY", &one)]).await;
        // The null does not open the way to another provider.
        let swap = json!({"spec": {"provider": {"baseten": member(), "pipecat": null}}});
        let result = message(scene.patch("nulled", swap).await);
        assert_refused("swap", result, &[CANNOT_CHANGE]);
        // Nor does it stand in the way of anything else.
        let patch = json!({"spec": {"provider": {"baseten": null, "braintrust": null}}});
        scene
            .patch("nulled", patch)
            .await
            .expect("nulls are absent");
        scene.finish().await;
    });
}

/// Cases: B-04
#[test]
fn the_provider_cannot_be_swapped_nor_swapped_back() {
    run(async {
        let scene = scene().await;
        for from in MEMBERS {
            let name = format!("swap-{}", from.to_lowercase());
            let applied = scene.apply(&name, spec(from, &json!({}))).await;
            applied.expect("an object is applied");
            for to in MEMBERS.into_iter().filter(|to| *to != from) {
                let swap = json!({"spec": {"provider": {from: null, to: member()}}});
                let result = message(scene.patch(&name, swap).await);
                assert_refused(&format!("{from} to {to}"), result, &[CANNOT_CHANGE]);
                let whole = message(scene.apply(&name, spec(to, &json!({}))).await);
                assert_refused(&format!("{from} to {to}"), whole, &[CANNOT_CHANGE]);
                let added = json!({"spec": {"provider": {to: member()}}});
                let result = message(scene.patch(&name, added).await);
                assert_refused(&format!("{to} beside {from}"), result, &[EXACTLY_ONE]);
            }
            let back = json!({"spec": {"provider": {from: {"apiKeySecretRef": {"key": "b"}}}}});
            scene
                .patch(&name, back)
                .await
                .expect("the key reference changes");
        }
        scene.finish().await;
    });
}

/// Cases: B-05
#[test]
fn a_swap_there_and_back_does_not_reset_what_is_immutable() {
    run(async {
        let scene = scene().await;
        let before = spec("baseten", &json!({"teamId": "one"}));
        scene
            .apply("fixed", before.clone())
            .await
            .expect("an object is applied");
        let steps = [
            json!({"spec": null}),
            json!({"spec": {"provider": null}}),
            json!({"spec": {"provider": {"baseten": null}}}),
            json!({"spec": {"provider": {"baseten": null, "braintrust": member()}}}),
            json!({"spec": {"provider": {"braintrust": null, "baseten": {"teamId": "two"}}}}),
        ];
        for step in steps {
            let result = message(scene.patch("fixed", step.clone()).await);
            assert_refused(&step.to_string(), result, &["spec"]);
        }
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "fixed"},
        });
        let object = object.to_string();
        let replaced = scene.kubectl_refused(&["replace", "-f", "-"], Some(&object));
        let replaced = replaced.await;
        assert!(replaced.contains("spec: Required value"), "{replaced}");
        let stored = scene
            .kubectl(&["get", "psec", "fixed", "-o", "jsonpath={.spec}"])
            .await;
        assert_eq!(
            serde_json::from_str::<Value>(&stored).expect("JSON"),
            before
        );
        scene.finish().await;
    });
}
