//! `plan` and `approve`: what waits is shown, nothing is sent before it is approved, and then that and nothing else is.

use serde_json::{Value, json};
use simulator::Exchange;

use super::Plugin;
use crate::harness::{Target, TestCase, TestEnv, run};

/// Requests that change something, so far.
fn writes(case: &TestCase<'_>) -> usize {
    let requests = case.account.requests();
    requests
        .iter()
        .filter(|request| Exchange::is_write(request))
        .count()
}

fn names(plan: &Value) -> Vec<String> {
    let actions = plan["items"][0]["actions"].as_array().expect("actions");
    let word = |action: &Value, field: &str| action[field].as_str().expect("a word").to_owned();
    actions
        .iter()
        .map(|action| format!("{} {}", word(action, "action"), word(action, "name")))
        .collect()
}

/// Asserts that `why` names the plan that waits, and the command that approves it.
async fn assert_next_is_approve(plugin: &Plugin, namespace: &str) {
    let (code, why) = plugin.json(namespace, &["why", "target"]).await;
    assert_eq!((code, &why["cause"]), (1, &json!("AwaitingApproval")));
    let command = format!("kubectl provider-secrets approve target -n {namespace}");
    assert_eq!(why["command"], command, "{why:#}");
}

#[test]
fn a_plan_is_shown_approved_and_carried_out() {
    run(async {
        let env = TestEnv::shared().await;
        let plugin = Plugin::new(env);
        for target in Target::ALL {
            let case = TestCase::new(env, target).await;
            let namespace = case.namespace.clone();
            let manual = json!({"approval": "Manual", "deletionPolicy": "Delete"});
            case.source("one").await;
            case.put("target", &[("A_KEY", "source", "a")], &manual)
                .await;
            case.wait_reason("target", "AwaitingApproval").await;
            assert_eq!(writes(&case), 0, "{target:?}");
            assert_next_is_approve(&plugin, &namespace).await;
            let columns = case
                .kubectl(&["get", "psec", "target", "--no-headers"])
                .await;
            assert!(columns.contains("False   AwaitingApproval"), "{columns}");

            let pending = plugin
                .run(&namespace, &["plan", "target", "--exit-code"])
                .await;
            assert_eq!(pending.code, 3, "{}", pending.stderr);
            let shown = &pending.stdout;
            assert!(
                shown.contains("1 to create; 1 call\n  + A_KEY\n"),
                "{shown}"
            );
            let (code, plan) = plugin.json(&namespace, &["plan"]).await;
            assert_eq!((code, names(&plan)), (0, vec!["Create A_KEY".to_owned()]));
            let other = plugin
                .run(&namespace, &["approve", "target", "--plan=0123", "--yes"])
                .await;
            assert_eq!(other.code, 1, "{}", other.stdout);
            assert!(
                other.stderr.contains("is another one now"),
                "{}",
                other.stderr
            );
            let asked = plugin.run(&namespace, &["approve", "target"]).await;
            assert_eq!(asked.code, 2, "{}", asked.stderr);
            assert_eq!(writes(&case), 0, "{target:?}");

            let hash = plan["items"][0]["hash"].as_str().expect("a hash");
            let only = format!("--plan={hash}");
            let approve = ["approve", "target", &only, "--yes", "--wait"];
            let approved = plugin.run(&namespace, &approve).await;
            assert_eq!(approved.code, 0, "{}", approved.stderr);
            assert!(
                approved.stdout.contains("synced 1/1"),
                "{}",
                approved.stdout
            );
            case.wait_held(&[("A_KEY", &case.value("one"))]).await;
            assert_eq!(writes(&case), 1, "{target:?}");
            let done = plugin
                .run(&namespace, &["plan", "target", "--exit-code"])
                .await;
            assert_eq!(done.code, 0, "{}", done.stdout);
            let again = plugin
                .run(&namespace, &["approve", "target", "--yes"])
                .await;
            assert!(
                again.stderr.contains("no plan that waits"),
                "{}",
                again.stderr
            );

            // A rotation needs none, and a deletion does.
            case.source("two").await;
            case.wait_held(&[("A_KEY", &case.value("two"))]).await;
            case.wait_ready("target").await;
            case.delete("target").await;
            case.wait_reason("target", "DeletionBlocked").await;
            assert_next_is_approve(&plugin, &namespace).await;
            // At Pipecat the set goes with its last key.
            let calls = if target == Target::Pipecat { 2 } else { 1 };
            let (_, deleting) = plugin.json(&namespace, &["plan", "target"]).await;
            assert_eq!(names(&deleting), ["Delete A_KEY"], "{target:?}");
            assert_eq!(deleting["items"][0]["calls"], calls, "{target:?}");
            let before = writes(&case);
            let gone = plugin
                .run(&namespace, &["approve", "target", "--yes", "--wait"])
                .await;
            assert_eq!(gone.code, 0, "{}", gone.stderr);
            assert_eq!(writes(&case) - before, calls, "{target:?}");
            case.wait_gone("target").await;
            case.finish().await;
        }
    });
}

/// A Secret with these keys, each with a value of its own.
async fn secret(case: &TestCase<'_>, name: &str, keys: &[(&str, &str)]) {
    let values: Vec<String> = keys.iter().map(|(_, text)| case.value(text)).collect();
    let keys = keys.iter().zip(&values);
    let data: Vec<(&str, &str)> = keys
        .map(|((key, _), value)| (*key, value.as_str()))
        .collect();
    case.secret(name, &data).await;
}

/// What a file says would be done is what the provider gets when it is applied.
#[test]
fn a_file_is_held_against_what_is_there() {
    run(async {
        let env = TestEnv::shared().await;
        let plugin = Plugin::new(env);
        for target in Target::ALL {
            let case = TestCase::new(env, target).await;
            let namespace = case.namespace.clone();
            secret(
                &case,
                "source",
                &[("a", "one"), ("b", "two"), ("c", "three")],
            )
            .await;
            let other = [("a", "one"), ("b", "another"), ("d", "four"), ("E", "five")];
            secret(&case, "other", &other).await;
            let policy = json!({"deletionPolicy": "Delete"});
            let before = [
                ("A", "source", "a"),
                ("B", "source", "b"),
                ("C", "source", "c"),
            ];
            case.put("target", &before, &policy).await;
            case.wait_ready("target").await;
            // The same value from elsewhere, another one, one less, one more, and a key of a whole Secret.
            let after = [
                ("A", "other", "a"),
                ("B", "other", "b"),
                ("D", "other", "d"),
            ];
            let mut spec = case.spec(&after, &policy);
            spec["dataFrom"] =
                json!([{"secretRef": {"name": "other"}, "include": ["E"], "prefix": "X_"}]);
            let manifest = json!({
                "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
                "metadata": {"name": "target", "namespace": namespace}, "spec": spec,
            });
            let file = env
                .cluster
                .directory()
                .join(format!("plan-{target:?}.json"));
            std::fs::write(&file, manifest.to_string()).expect("a file");
            let path = file.display().to_string();
            let sent = writes(&case);

            let (code, blind) = plugin.json(&namespace, &["plan", "-f", &path]).await;
            assert_eq!(code, 0);
            let expected = ["Update A", "Update B", "Delete C", "Create D"];
            assert_eq!(names(&blind), expected);
            let notes = blind["items"][0]["notes"].to_string();
            assert!(notes.contains("--read-secrets"), "{notes}");
            let read = ["plan", "-f", &path, "--read-secrets"];
            let (_, known) = plugin.json(&namespace, &read).await;
            let expected = ["Update B", "Delete C", "Create D", "Create X_E"];
            assert_eq!(names(&known), expected, "{target:?}");
            assert_eq!(known["items"][0]["keep"], 1);
            let exit_code = [&read[..], &["--exit-code"]].concat();
            assert_eq!(plugin.run(&namespace, &exit_code).await.code, 3);
            assert_eq!(writes(&case), sent, "a plan sends nothing");

            case.apply("target", spec).await.expect("it is applied");
            case.wait_ready("target").await;
            let calls = known["items"][0]["calls"].as_u64().expect("a count");
            let sent = u64::try_from(writes(&case) - sent).expect("a count");
            assert_eq!(sent, calls, "{target:?}");
            let done = plugin.run(&namespace, &exit_code).await;
            assert_eq!(done.code, 0, "{}", done.stdout);

            // What the API server refuses is refused here.
            let mut wrong = manifest.clone();
            wrong["spec"]["verifyInterval"] = "1s".into();
            std::fs::write(&file, wrong.to_string()).expect("a file");
            let refused = plugin.run(&namespace, &["plan", "-f", &path]).await;
            assert_eq!(refused.code, 1);
            assert!(
                refused.stderr.contains("does not fit the schema at spec"),
                "{}",
                refused.stderr
            );
            let mut wrong = manifest.clone();
            wrong["spec"]["approvall"] = "Manual".into();
            for name in ["target", "another"] {
                wrong["metadata"]["name"] = name.into();
                std::fs::write(&file, wrong.to_string()).expect("a file");
                let refused = plugin.run(&namespace, &["plan", "-f", &path]).await;
                assert_eq!(refused.code, 1, "{}", refused.stdout);
                assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
                let field = r#"unknown field "spec.approvall""#;
                assert!(refused.stderr.contains(field), "{}", refused.stderr);
            }

            // Under another key of the account the digests are others, and the values are not.
            let key = case.further_key();
            case.secret("elsewhere", &[("api-key", &key)]).await;
            let mut moved = manifest.clone();
            let provider = moved["spec"]["provider"].as_object_mut().expect("a member");
            for choice in provider.values_mut() {
                choice["apiKeySecretRef"]["name"] = "elsewhere".into();
            }
            std::fs::write(&file, moved.to_string()).expect("a file");
            let (_, moved) = plugin.json(&namespace, &read).await;
            assert_eq!(names(&moved), Vec::<String>::new(), "{target:?}");
            let notes = moved["items"][0]["notes"].to_string();
            assert!(notes.contains("AccountChanged"), "{notes}");
            case.delete("target").await;
            case.wait_gone("target").await;
            case.finish().await;
        }
    });
}

/// A file with a name that moves, a new owner of another one, and a namespace that is made.
#[test]
fn the_objects_of_one_file_are_held_against_each_other() {
    run(async {
        let env = TestEnv::shared().await;
        let plugin = Plugin::new(env);
        let case = TestCase::new(env, Target::BasetenTeam).await;
        let namespace = case.namespace.clone();
        case.source("one").await;
        let both = [("A_KEY", "source", "a"), ("B_KEY", "source", "a")];
        case.put("target", &both, &json!({})).await;
        case.wait_ready("target").await;
        let sent = writes(&case);
        let manifest = |namespace: &str, name: &str, entries: &[(&str, &str, &str)]| {
            json!({
                "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
                "metadata": {"name": name, "namespace": namespace},
                "spec": case.spec(entries, &json!({})),
            })
        };
        let made = format!("{namespace}-made");
        let new = [("B_KEY", "source", "a"), ("C_KEY", "source", "a")];
        let items = json!([
            manifest(&namespace, "second", &new[1..]),
            manifest(&namespace, "first", &new),
            manifest(&namespace, "target", &both[..1]),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made}},
            manifest(&made, "third", &new[1..]),
        ]);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        let file = env.cluster.directory().join("plan-of-several.json");
        std::fs::write(&file, list.to_string()).expect("a file");
        let path = file.display().to_string();
        let (code, plans) = plugin.json(&namespace, &["plan", "-f", &path]).await;
        assert_eq!(code, 0, "{plans:#}");
        let of = |index: usize| names(&json!({"items": [plans["items"][index]]}));
        assert_eq!(of(0), ["Refuse C_KEY"], "{plans:#}");
        assert_eq!(of(1), ["Create B_KEY", "Create C_KEY"], "{plans:#}");
        assert_eq!(of(2), Vec::<String>::new(), "{plans:#}");
        assert_eq!(of(3), ["Create C_KEY"], "{plans:#}");
        let notes = plans["items"][3]["notes"].to_string();
        assert!(notes.contains("is not there yet"), "{notes}");
        assert_eq!(writes(&case), sent, "a plan sends nothing");
        case.finish().await;
    });
}
