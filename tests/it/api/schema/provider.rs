//! `spec.provider` has exactly one member, and which it is cannot change.

use std::sync::LazyLock;

use provider_secrets::api::ProviderKind;
use serde_json::{Value, json};

use super::{assert_refused, case, credential, message, offer, spec};
use crate::harness::{Target, TestCase, TestEnv, run};

const MEMBERS: [&str; ProviderKind::ALL.len()] = {
    let mut members = [""; ProviderKind::ALL.len()];
    let mut index = 0;
    while index < members.len() {
        members[index] = ProviderKind::ALL[index].member();
        index += 1;
    }
    members
};
static EXACTLY_ONE: LazyLock<String> = LazyLock::new(|| {
    let (last, others) = MEMBERS.split_last().expect("there are providers");
    format!("give exactly one of {} and {last}", others.join(", "))
});
const CANNOT_CHANGE: &str = "the provider cannot change";

fn member() -> Value {
    json!({"apiKeySecretRef": credential()})
}

/// Cases: B-01, B-03
#[test]
fn exactly_one_provider_is_given() {
    run(async {
        let case = case().await;
        let data = &spec("baseten", &json!({}))["data"];
        let none = json!({"provider": {}, "data": data});
        assert_refused("none", offer(&case, "object", &none).await, &[&EXACTLY_ONE]);
        for (index, first) in MEMBERS.iter().enumerate() {
            offer(&case, "object", &spec(first, &json!({})))
                .await
                .expect(first);
            for second in &MEMBERS[index + 1..] {
                let provider = json!({*first: member(), *second: member()});
                let both = json!({"provider": provider, "data": data});
                let result = offer(&case, "object", &both).await;
                assert_refused(&format!("{first} and {second}"), result, &[&EXACTLY_ONE]);
            }
        }
        for missing in [
            json!({"data": data}),
            json!({"provider": null, "data": data}),
        ] {
            let result = offer(&case, "object", &missing).await;
            assert_refused("no provider", result, &["spec.provider"]);
        }
        let unknown = json!({"provider": {"acme": member()}, "data": data});
        let result = offer(&case, "object", &unknown).await;
        assert_refused("acme", result, &["acme"]);
        case.finish().await;
    });
}

#[test]
fn a_member_that_is_null_is_absent() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::Pipecat).await;
        let one = case.value("one");
        case.secret("source", &[("a", &one)]).await;
        let mut provider = case.provider();
        provider["baseten"] = Value::Null;
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "nulled", "namespace": case.namespace},
            "spec": {
                "provider": provider,
                "data": [{"name": "A_KEY", "secretKeyRef": {"name": "source", "key": "a"}}],
            },
        });
        let object = object.to_string();
        let create = ["create", "-f", "-"];
        case.env.kubectl(&create, Some(&object)).await;
        case.wait_ready("nulled").await;
        case.wait_held(&[("A_KEY", &one)]).await;
        // The null does not open the way to another provider.
        let swap = json!({"spec": {"provider": {"baseten": member(), "pipecat": null}}});
        let result = message(case.patch("nulled", swap).await);
        assert_refused("swap", result, &[CANNOT_CHANGE]);
        // Nor does it stand in the way of anything else.
        let patch = json!({"spec": {"provider": {"baseten": null, "braintrust": null}}});
        case.patch("nulled", patch).await.expect("nulls are absent");
        case.finish().await;
    });
}

/// Cases: B-04
#[test]
fn the_provider_cannot_be_swapped_nor_swapped_back() {
    run(async {
        let case = case().await;
        for from in MEMBERS {
            let name = format!("swap-{}", from.to_lowercase());
            let applied = case.apply(&name, spec(from, &json!({}))).await;
            applied.expect("an object is applied");
            for to in MEMBERS.into_iter().filter(|to| *to != from) {
                let swap = json!({"spec": {"provider": {from: null, to: member()}}});
                let result = message(case.patch(&name, swap).await);
                assert_refused(&format!("{from} to {to}"), result, &[CANNOT_CHANGE]);
                let whole = message(case.apply(&name, spec(to, &json!({}))).await);
                assert_refused(&format!("{from} to {to}"), whole, &[CANNOT_CHANGE]);
                let added = json!({"spec": {"provider": {to: member()}}});
                let result = message(case.patch(&name, added).await);
                assert_refused(&format!("{to} beside {from}"), result, &[&EXACTLY_ONE]);
            }
            let back = json!({"spec": {"provider": {from: {"apiKeySecretRef": {"key": "b"}}}}});
            case.patch(&name, back)
                .await
                .expect("the key reference changes");
        }
        case.finish().await;
    });
}

/// Cases: B-05
#[test]
fn a_swap_there_and_back_does_not_reset_what_is_immutable() {
    run(async {
        let case = case().await;
        let before = spec("baseten", &json!({"teamId": "one"}));
        case.apply("fixed", before.clone())
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
            let result = message(case.patch("fixed", step.clone()).await);
            assert_refused(&step.to_string(), result, &["spec"]);
        }
        // kubectl asks for the version and then replaces that: the operator must be done with the object.
        case.wait("fixed", "looked at", |_| true).await;
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "fixed"},
        });
        let object = object.to_string();
        let replaced = case.kubectl_refused(&["replace", "-f", "-"], Some(&object));
        let replaced = replaced.await;
        assert!(replaced.contains("spec: Required value"), "{replaced}");
        let stored = case
            .kubectl(&["get", "psec", "fixed", "-o", "jsonpath={.spec}"])
            .await;
        assert_eq!(
            serde_json::from_str::<Value>(&stored).expect("JSON"),
            before
        );
        case.finish().await;
    });
}
