mod files; // objects in files

use insta::assert_snapshot;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::ProviderSecret,
    cli::tests::samples::{ago, condition, documented, fleet, in_state, object, provider},
};

/// An object whose plan waits for approval.
fn waiting(spec: &Value) -> ProviderSecret {
    let mut whole = json!({
        "provider": provider("baseten", "baseten"), "approval": "Manual", "deletionPolicy": "Delete",
        "data": [{"name": "HF_TOKEN", "secretKeyRef": {"name": "huggingface", "key": "token"}}],
    });
    json_patch::merge(&mut whole, spec);
    let message = "Plan 9c1f waits for approval.";
    let status = json!({
        "provider": "Baseten", "scope": "team-7Hq", "summary": "1/3",
        "conditions": [
            condition("Ready", "False", "AwaitingApproval", message, 60),
            condition("Reconciling", "True", "Progressing", message, 60),
        ],
        "plan": {
            "hash": "9c1f7d0e2b5a48c6a1d3e4f5b6a79880",
            "create": 1, "update": 1, "delete": 1, "refuse": 1, "keep": 1, "calls": 3,
            "actions": [
                {"name": "ANTHROPIC_API_KEY", "action": "Create"},
                {"name": "HF_TOKEN", "action": "Update"},
                {"name": "OLD_TOKEN", "action": "Delete"},
                {"name": "OPENAI_API_KEY", "action": "Refuse", "reason": "Conflict"},
            ],
        },
    });
    object("ml/llm-serving", whole, status)
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

/// The other commands have a table where this one has text.
#[rstest]
#[case("table", "ml/llm-serving at Baseten")]
#[case("wide", "ml/llm-serving at Baseten")]
#[case("text", "ml/llm-serving at Baseten")]
#[case("name", "providersecret.providersecrets.dev/llm-serving\n")]
fn the_formats_are_those_of_the_other_commands(#[case] format: &str, #[case] expected: &str) {
    let line = ["plan", "-o", format, "--color=never"];
    let flags = <Line as clap::Parser>::try_parse_from(line).unwrap().flags;
    let plans = [Plan::live(&waiting(&json!({})))];
    let shown = answer(&plans, &flags).unwrap().text;
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn a_plan_that_waits_is_shown_with_the_command_that_approves_it() {
    let plans = [Plan::live(&waiting(&json!({})))];
    let shown = text(&plans, Paint::default());
    assert_snapshot!("waiting", shown);
    documented("plan llm-serving -n ml", &shown);
    assert!(plans[0].is_pending());
    let shown = markdown(&plans);
    assert_snapshot!("waiting_markdown", shown);
    documented("plan llm-serving -n ml -o markdown", &shown);
}

#[test]
fn the_plans_of_a_fleet_are_what_is_not_finished() {
    let plans: Vec<Plan> = fleet().iter().map(Plan::live).collect();
    assert_snapshot!("fleet", text(&plans, Paint::default()));
    let pending = plans.iter().map(Plan::is_pending);
    assert_eq!(pending.collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn of_a_suspended_object_nothing_can_be_approved() {
    let plan = Plan::live(&waiting(&json!({"suspend": true})));
    assert_eq!(plan.hash, None);
    assert!(plan.notes[0].contains("was not asked"), "{:?}", plan.notes);
}

#[rstest]
#[case::deleted("Delete", json!({}), 1, 0)]
#[case::retained("Retain", json!({}), 0, 1)]
fn of_a_deleted_object_the_policy_decides(
    #[case] policy: &str,
    #[case] more: Value,
    #[case] delete: usize,
    #[case] keep: usize,
) {
    let spec = json!({"provider": provider("baseten", "b"), "deletionPolicy": policy});
    let mut status =
        json!({"entries": [{"name": "A", "state": "Synced", "lastWriteTime": ago(5)}]});
    json_patch::merge(&mut status, &more);
    let mut object = object("ml/o", spec, status);
    object.metadata.deletion_timestamp = object.metadata.creation_timestamp.clone();
    let plan = Plan::live(&object);
    assert_eq!((plan.delete, plan.keep), (delete, keep));
}

/// It goes when `--removal-grace` is over; an entry that failed is written when it can be.
#[rstest]
#[case::taken_away("Progressing", ActionKind::Delete)]
#[case::not_written("ProviderUnavailable", ActionKind::Update)]
fn what_a_source_took_away_is_to_be_deleted(#[case] reason: &str, #[case] expected: ActionKind) {
    let spec = json!({
        "provider": provider("baseten", "b"), "deletionPolicy": "Delete",
        "dataFrom": [{"secretRef": {"name": "all"}}],
    });
    let entry =
        json!({"name": "A", "state": "Failed", "reason": reason, "lastWriteTime": ago(600)});
    let plan = Plan::live(&object("ml/o", spec, json!({"entries": [entry]})));
    let actions = plan.actions.iter().map(|action| action.action);
    assert_eq!(actions.collect::<Vec<_>>(), [expected]);
}

/// Nothing of it is written, and nothing is deleted before a user confirms it.
#[rstest]
#[case::said("RemovalHeld")]
#[case::not_said_while_suspended("Suspended")]
#[case::not_said_while_a_plan_waits("AwaitingApproval")]
fn what_is_held_is_refused(#[case] reason: &str) {
    let spec = json!({
        "provider": provider("baseten", "b"), "deletionPolicy": "Delete",
        "dataFrom": [{"secretRef": {"name": "all"}}],
    });
    let entry =
        json!({"name": "A", "state": "Failed", "reason": reason, "lastWriteTime": ago(600)});
    let plan = Plan::live(&object("ml/o", spec, json!({"entries": [entry]})));
    assert_eq!((plan.refuse, plan.update, plan.calls), (1, 0, 0));
    assert_eq!(plan.actions[0].reason.as_deref(), Some("RemovalHeld"));
}

/// It was not synced when its API key went, say.
#[test]
fn that_a_value_may_be_the_one_of_its_last_write_is_said() {
    let spec = json!({
        "provider": provider("baseten", "b"),
        "data": [{"name": "A", "secretKeyRef": {"name": "s", "key": "k"}}],
    });
    let entry = json!({
        "name": "A", "state": "Failed", "reason": "CredentialNotFound", "lastWriteTime": ago(600),
        "record": {"digest": "d1"},
    });
    let plan = Plan::live(&object("ml/o", spec, json!({"entries": [entry]})));
    let shown = plan.lines();
    let note = "(entries that still have the value of their last write are not sent)";
    assert!(shown.contains(note), "{shown}");
}

#[rstest]
#[case::the_object_made_it("NoSet", true, 3)]
#[case::it_was_there("Absent", true, 2)]
#[case::the_object_lives("NoSet", false, 0)]
fn a_set_that_the_object_made_goes_with_its_last_key(
    #[case] found: &str,
    #[case] is_deleted: bool,
    #[case] calls: usize,
) {
    let entry = |name: &str| json!({"name": name, "state": "Synced", "lastWriteTime": ago(5), "record": {"found": found}});
    let spec = json!({"provider": provider("pipecat", "p"), "deletionPolicy": "Delete"});
    let status = json!({"entries": [entry("A"), entry("B")]});
    let mut object = object("ml/o", spec, status);
    if is_deleted {
        object.metadata.deletion_timestamp = object.metadata.creation_timestamp.clone();
    }
    assert_eq!(Plan::live(&object).calls, calls);
}

#[test]
fn a_spec_that_the_operator_has_not_seen_is_pending() {
    let spec = json!({"provider": provider("baseten", "b")});
    let plan = Plan::live(&object("ml/o", spec, json!({"observedGeneration": 2})));
    assert!(plan.is_pending());
    assert!(
        plan.lines().contains("not looked at generation 3 yet"),
        "{}",
        plan.lines()
    );
}

/// Of what has changed since it could not be seen: a pipeline must not take that for nothing.
#[rstest]
#[case::no_key(
    "Reconciling",
    "CredentialNotFound",
    "(it waits: CredentialNotFound; whether its Secrets have changed"
)]
#[case::another_account(
    "Stalled",
    "AccountChanged",
    "(it waits: AccountChanged; whether its Secrets have changed"
)]
#[case::suspended("Suspended", "Suspended", "(it waits: Suspended)")]
fn what_an_object_cannot_do_that_is_not_ready_is_pending(
    #[case] class: &str,
    #[case] reason: &str,
    #[case] note: &str,
) {
    let mut object = in_state("ml/o", class, reason, "It is so.");
    object.spec.suspend = Some(class == "Suspended");
    let entry = json!([{"name": "HF_TOKEN", "state": "Synced", "lastWriteTime": ago(60)}]);
    object.status.as_mut().unwrap().entries = serde_json::from_value(entry).unwrap();
    let plan = Plan::live(&object);
    let shown = plan.lines();
    assert!(
        shown.contains("1 kept; no call") && shown.contains(note),
        "{shown}"
    );
    assert_eq!(plan.is_pending(), class != "Suspended");
}

/// The operator deletes nothing of it any more.
#[test]
fn of_an_object_that_other_controllers_hold_nothing_can_be_done() {
    let mut object = in_state("ml/o", "Ready", "Synced", "It is so.");
    object.spec.deletion_policy = Some(crate::api::DeletionPolicy::Delete);
    object.metadata.deletion_timestamp = object.metadata.creation_timestamp.clone();
    object.metadata.finalizers = Some(vec!["example.com/one".to_owned()]);
    let plan = Plan::live(&object);
    let shown = plan.lines();
    let expected = "nothing can be done; no call\n  (it is being deleted, and waits for other controllers alone: example.com/one)";
    assert!(shown.contains(expected), "{shown}");
    assert!(plan.is_pending() && plan.delete == 0, "{plan:?}");
}
