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
            let deleting = plugin.run(&namespace, &["plan", "target"]).await;
            assert!(
                deleting.stdout.contains("1 to delete; 1 call\n  - A_KEY\n"),
                "{}",
                deleting.stdout
            );
            let gone = plugin
                .run(&namespace, &["approve", "target", "--yes", "--wait"])
                .await;
            assert_eq!(gone.code, 0, "{}", gone.stderr);
            case.wait_gone("target").await;
            case.finish().await;
        }
    });
}
