//! The log: which reconcile a line is of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulator::Fault;

use crate::harness::{Target, TestCase, TestEnv, at_each_api, run, until};

#[test]
fn each_line_of_a_reconcile_has_its_id_and_so_have_its_calls_to_the_provider() {
    run(at_each_api(async |case| {
        case.synced("logged", &json!({})).await;
        case.rotate("logged", "two").await;
        // Pipecat may first accept what it has applied in a later reconcile.
        let is_report = |line: &Value| line["reason"] == "Synced";
        // Status is written before the line about it.
        let lines = until("both writes are logged", async || {
            let lines = case.log_lines();
            match lines.iter().filter(|line| is_report(line)).count() {
                2 => Ok(lines),
                _ => Err(format!("{lines:#?}")),
            }
        })
        .await;
        let mut reconciles: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for line in &lines {
            assert_eq!(line["controller"], "providersecret", "{line}");
            assert_eq!(line["name"], "logged", "{line}");
            let id = line["reconcileID"].as_str().expect("an id");
            reconciles.entry(id).or_default().push(line);
        }
        let writing: Vec<_> = reconciles
            .values()
            .filter(|lines| lines.iter().any(|line| is_report(line)))
            .collect();
        assert_eq!(writing.len(), 2, "{lines:#?}");
        for lines in writing {
            let calls = lines
                .iter()
                .filter(|line| line["msg"] == "provider answered");
            let calls: BTreeSet<_> = calls.map(|call| call["operation"].as_str()).collect();
            assert!(!calls.is_empty(), "{:?}: {lines:#?}", case.target);
        }
        case.finish().await;
    }));
}

#[test]
fn a_failed_call_is_logged_with_its_class_and_the_reconcile_that_made_it() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.account.add_fault(Fault::status(503).times(1));
        case.synced("logged", &json!({})).await;
        let mut failed = case.log_lines();
        failed.retain(|line| line["status"] == "503");
        assert_eq!(failed.len(), 1, "{failed:#?}");
        assert_eq!(failed[0]["error.kind"], "transient");
        assert_eq!(failed[0]["provider"], "Braintrust");
        assert!(failed[0]["reconcileID"].is_string());
        case.finish().await;
    });
}
