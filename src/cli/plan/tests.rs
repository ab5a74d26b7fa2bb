use insta::assert_snapshot;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::ProviderSecret,
    cli::tests::samples::{ago, condition, documented, fleet, object, provider},
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

/// The other commands have a table where this one has text.
#[test]
fn a_table_is_text() {
    assert_eq!(Format::from_str("table", false), Ok(Format::Text));
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

mod files {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        api::Reason,
        cli::{
            peer::Peer,
            plan::{
                document::{Document, Wanted},
                proposed::plans,
            },
            read::{Known, Visible},
            tests::samples::now,
        },
    };

    fn entry(name: &str, secret: &str, key: &str) -> Value {
        json!({"name": name, "secretKeyRef": {"name": secret, "key": key}})
    }

    fn wanted(more: &Value) -> ProviderSecret {
        let mut spec = json!({
            "provider": provider("baseten", "baseten"),
            "data": [entry("HF_TOKEN", "huggingface", "token"), entry("OPENAI_API_KEY", "openai", "key")],
        });
        json_patch::merge(&mut spec, more);
        object("ml/llm-serving", spec, json!({}))
    }

    /// The object that is there: two entries of it are synced, and one more is recorded.
    fn live() -> ProviderSecret {
        let mut live = wanted(&json!({}));
        let record = |name: &str, digest: &str| json!({"name": name, "state": "Synced", "lastWriteTime": ago(60), "record": {"digest": digest}});
        let status = json!({
            "scope": "team-7Hq", "keyFingerprint": "key:1a2b",
            "entries": [record("HF_TOKEN", "d1"), record("OLD_TOKEN", "d2"), record("OPENAI_API_KEY", "d3")],
        });
        live.status = serde_json::from_value(status).unwrap();
        live
    }

    fn planned(
        wanted: &ProviderSecret,
        peers: &[ProviderSecret],
        values: Option<&[(&str, Wanted)]>,
    ) -> Plan {
        let values = values.map(|values| {
            let values = values.iter().cloned();
            values
                .map(|(name, wanted)| (name.to_owned(), wanted))
                .collect::<BTreeMap<_, _>>()
        });
        let document = Document {
            values,
            ..Document::new(wanted.clone(), Some(live()))
        };
        run(&[document], peers).remove(0)
    }

    /// The plans of files that are applied in one go, an hour after the last write.
    fn run(documents: &[Document], peers: &[ProviderSecret]) -> Vec<Plan> {
        let peers = Visible::whole(Known::Read(peers.iter().map(Peer::of).collect()));
        plans(documents, &peers, now() + SignedDuration::from_hours(1))
    }

    /// An object that is not there yet, under the same API key.
    fn new_one(name: &str) -> Document {
        let spec = json!({
            "provider": provider("baseten", "baseten"),
            "data": [entry("HF_TOKEN", "huggingface", "token")],
        });
        Document::new(object(&format!("ml/{name}"), spec, json!({})), None)
    }

    fn said(plan: &Plan) -> Vec<String> {
        let actions = plan.actions.iter();
        actions
            .map(|action| format!("{} {}", action.action.as_str(), action.name))
            .collect()
    }

    #[rstest]
    #[case::as_it_is(json!({}), &[], 2)]
    #[case::delete(json!({"deletionPolicy": "Delete"}), &["Delete OLD_TOKEN"], 2)]
    #[case::new(json!({"data": [entry("HF_TOKEN", "huggingface", "token"), entry("NEW", "new", "key")]}), &["Create NEW"], 1)]
    #[case::other_source(json!({"data": [entry("HF_TOKEN", "other", "token")]}), &["Update HF_TOKEN"], 0)]
    #[case::bulk(json!({"data": [], "dataFrom": [{"secretRef": {"name": "all"}}]}), &[], 3)]
    fn what_a_file_would_change_is_known_without_values(
        #[case] spec: Value,
        #[case] actions: &[&str],
        #[case] keep: usize,
    ) {
        let plan = planned(&wanted(&spec), &[], None);
        assert_eq!(
            (said(&plan).as_slice(), plan.keep),
            (
                &actions
                    .iter()
                    .map(|&action| action.to_owned())
                    .collect::<Vec<_>>()[..],
                keep
            )
        );
        assert_eq!(plan.calls, actions.len());
    }

    #[test]
    fn with_the_values_everything_is_known() {
        let digest = |digest: &str| Wanted::Digest(Some(digest.to_owned()));
        let values = [
            ("HF_TOKEN", digest("d1")),
            ("OPENAI_API_KEY", digest("other")),
            ("BROKEN", Wanted::Refused(Reason::KeyNotFound)),
            ("NEW", digest("d4")),
        ];
        let spec =
            json!({"deletionPolicy": "Delete", "data": [entry("HF_TOKEN", "elsewhere", "token")]});
        let plan = planned(&wanted(&spec), &[], Some(&values));
        let expected = [
            "Refuse BROKEN",
            "Create NEW",
            "Delete OLD_TOKEN",
            "Update OPENAI_API_KEY",
        ];
        assert_eq!(
            (said(&plan), plan.keep),
            (expected.map(str::to_owned).to_vec(), 1)
        );
        assert_eq!(plan.notes, Vec::<String>::new());
    }

    /// An object of another namespace may own the names.
    #[test]
    fn that_other_namespaces_are_not_seen_is_said() {
        let documents = [Document::new(wanted(&json!({})), Some(live()))];
        let peers = Visible {
            found: Known::Read(Vec::new()),
            narrowed: Some("you may not".to_owned()),
        };
        let notes = plans(&documents, &peers, now()).remove(0).notes;
        let note = "whether another object owns a name is not known: you may not";
        assert!(notes.contains(&note.to_owned()), "{notes:?}");
    }

    #[test]
    fn a_name_that_an_older_object_owns_is_refused() {
        let mut older = live();
        older.metadata.name = Some("older".to_owned());
        older.metadata.creation_timestamp = ago(40 * 86_400)
            .parse()
            .ok()
            .map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time);
        let plan = planned(&wanted(&json!({})), &[older], None);
        assert_eq!(said(&plan), ["Refuse HF_TOKEN", "Refuse OPENAI_API_KEY"]);
        assert!(
            plan.notes
                .contains(&"HF_TOKEN belongs to ml/older".to_owned()),
            "{:?}",
            plan.notes
        );
    }

    #[test]
    fn what_is_not_known_is_said() {
        let spec = json!({
            "data": [entry("HF_TOKEN", "other", "token"), entry("NEW", "new", "key")],
            "dataFrom": [{"secretRef": {"name": "all"}}],
            "conflictPolicy": "Fail", "approval": "Manual",
        });
        let shown = planned(&wanted(&spec), &[], None).lines();
        assert_snapshot!("file", shown);
        documented("plan -f llm-serving.yaml", &shown);
    }
    #[test]
    fn of_new_objects_of_one_run_the_first_by_name_owns_a_name() {
        let plans = run(&[new_one("b"), new_one("a")], &[]);
        let said = plans.iter().map(said).collect::<Vec<_>>();
        assert_eq!(said, [["Refuse HF_TOKEN"], ["Create HF_TOKEN"]]);
        let owner = "HF_TOKEN belongs to ml/a".to_owned();
        assert!(plans[0].notes.contains(&owner), "{:?}", plans[0].notes);
    }

    /// The object that is there gives a name up, unless it is suspended: then it holds what it wrote.
    #[rstest]
    #[case::moved(json!({}), "Create HF_TOKEN")]
    #[case::kept(json!({"data": [entry("HF_TOKEN", "huggingface", "token")]}), "Refuse HF_TOKEN")]
    #[case::suspended(json!({"suspend": true}), "Refuse HF_TOKEN")]
    fn a_name_that_the_files_free_is_free(#[case] more: Value, #[case] expected: &str) {
        let mut spec = json!({"data": [], "deletionPolicy": "Delete"});
        json_patch::merge(&mut spec, &more);
        let former = Document::new(wanted(&spec), Some(live()));
        let live = live();
        let plans = run(&[former, new_one("b")], &[]);
        assert_eq!(said(&plans[1]), [expected]);
        if expected.starts_with("Create") {
            // Its successor writes it, and nothing deletes it in between.
            let deleted = ["Delete OLD_TOKEN", "Delete OPENAI_API_KEY"];
            assert_eq!(said(&plans[0]), deleted, "{:?}", plans[0].notes);
        }
        // What is not in the files stays as it is.
        let alone = run(&[new_one("b")], &[live]);
        assert_eq!(said(&alone[0]), ["Refuse HF_TOKEN"]);
    }

    #[rstest]
    #[case::nothing(json!({}), 2, None)]
    #[case::rewritten(json!({"rewriteInterval": "1h"}), 0, Some("longer ago than rewriteInterval"))]
    #[case::not_yet(json!({"rewriteInterval": "2h"}), 2, None)]
    #[case::another_key(json!({"provider": provider("baseten", "other")}), 2, Some("AccountChanged"))]
    #[case::nothing_to_approve(json!({"approval": "Manual"}), 2, None)]
    fn what_an_edit_of_the_policies_does_is_known(
        #[case] spec: Value,
        #[case] keep: usize,
        #[case] note: Option<&str>,
    ) {
        let plan = planned(&wanted(&spec), &[], None);
        assert_eq!((plan.keep, plan.update), (keep, 2 - keep), "{plan:?}");
        let notes = plan.notes.join("\n");
        match note {
            Some(note) => assert!(notes.contains(note), "{notes}"),
            None => assert!(
                !notes.contains("approval") && plan.notes.len() == 1,
                "{notes}"
            ),
        }
    }
}
