//! What waits for approval.

use super::*;

/// Asserts what a plan does, and whether it says that it waits.
fn assert_said(plan: &Plan, actions: &[&str], waits: bool) {
    assert_eq!(said(plan), actions);
    let notes = plan.notes.join("\n");
    assert_eq!(notes.contains("waits for approval"), waits, "{notes}");
}

/// What was approved is names and sources, unless every change waits.
#[rstest]
#[case::approved("Manual", Some("seal"), json!({}), false)]
#[case::never_approved("Manual", None, json!({}), true)]
#[case::edited("Manual", Some("seal"), json!({"conflictPolicy": "Fail"}), true)]
#[case::every_change("ManualEveryChange", Some("seal"), json!({}), true)]
fn a_changed_value_waits_for_approval_where_it_does(
    #[case] approval: &str,
    #[case] seal: Option<&str>,
    #[case] edit: Value,
    #[case] waits: bool,
) {
    let mut spec = json!({"approval": approval});
    let mut live = live();
    live.spec = wanted(&spec).spec;
    live.status.as_mut().unwrap().approval_seal = seal.map(str::to_owned);
    json_patch::merge(&mut spec, &edit);
    let digests = [("HF_TOKEN", "other"), ("OPENAI_API_KEY", "d3")];
    let plan = run(&[with_digests(wanted(&spec), live, &digests)], &[]).remove(0);
    assert_said(&plan, &["Update HF_TOKEN"], waits);
}

/// The plan of a suspended object waits for no approval; that of another one does.
#[rstest]
#[case::suspended(true, false)]
#[case::not_suspended(false, true)]
fn what_was_approved_is_sent_when_a_suspension_ends(
    #[case] is_suspended: bool,
    #[case] waits: bool,
) {
    let mut live = live();
    let spec = json!({"approval": "Manual"});
    live.spec = wanted(&spec).spec;
    live.spec.suspend = Some(is_suspended);
    let status = live.status.as_mut().unwrap();
    status.approval_seal = Some("seal".to_owned());
    let plan = json!({"hash": "9c1f", "create": 0, "update": 1, "delete": 0, "refuse": 0, "keep": 1, "calls": 1});
    status.plan = serde_json::from_value(plan).unwrap();
    let digests = [("HF_TOKEN", "other"), ("OPENAI_API_KEY", "d3")];
    let plan = run(&[with_digests(wanted(&spec), live, &digests)], &[]).remove(0);
    assert_said(&plan, &["Update HF_TOKEN"], waits);
}

#[rstest]
#[case::approved("Manual", Some("seal"), false)]
#[case::every_change("ManualEveryChange", Some("seal"), false)]
#[case::never_approved("Manual", None, true)]
fn a_value_that_was_approved_is_sent_again_without_another_approval(
    #[case] approval: &str,
    #[case] seal: Option<&str>,
    #[case] waits: bool,
) {
    let mut live = live();
    live.spec = wanted(&json!({"approval": approval})).spec;
    live.status.as_mut().unwrap().approval_seal = seal.map(str::to_owned);
    let wanted = wanted(&json!({"approval": approval, "rewriteInterval": "1h"}));
    let digests = [("HF_TOKEN", "d1"), ("OPENAI_API_KEY", "d3")];
    let plan = run(&[with_digests(wanted, live, &digests)], &[]).remove(0);
    assert_said(&plan, &["Update HF_TOKEN", "Update OPENAI_API_KEY"], waits);
}
