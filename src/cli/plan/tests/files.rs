//! Plans of objects in files.

mod approvals; // what waits for approval
mod removals; // what goes
mod values; // what is known of values

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::*;
use crate::{
    api::{EntryState, Reason},
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

/// What no Secret mends is known from the file alone.
#[rstest]
#[case::one_name(
    json!({"data": [entry("a-b", "s", "k"), entry("a_b", "s", "k")]}),
    &["Refuse a-b", "Refuse a_b"]
)]
#[case::template(
    json!({"data": [entry("A", "s", "k"), {"name": "B", "template": "{{ a | foo }}", "secretRef": {"name": "s"}}]}),
    &["Create A", "Refuse B"]
)]
#[case::pattern(json!({"data": [], "dataFrom": [{"secretRef": {"name": "s"}, "include": ["["]}]}), &[])]
#[case::own_key(json!({"data": [entry("A", "baseten", "api-key")]}), &["Refuse A"])]
#[case::own_key_in_bulk(json!({"data": [], "dataFrom": [{"secretRef": {"name": "baseten"}}]}), &[])]
fn what_the_operator_refuses_is_no_write(#[case] spec: Value, #[case] actions: &[&str]) {
    let document = Document::new(wanted(&spec), None).refused_by_spec();
    let plan = run(&[document], &[]).remove(0);
    assert_eq!(said(&plan), actions);
    assert!(plan.is_pending() && plan.delete == 0, "{plan:?}");
    assert!(!plan.lines().contains("nothing to do"), "{}", plan.lines());
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

/// Under Fail the next one takes nothing that is there: the name is deleted, and the next one creates it.
#[rstest]
#[case::overwrites("ml/next", "Overwrite", json!([]), json!(null), true)]
#[case::takes_nothing("ml/next", "Fail", json!([]), json!(null), false)]
#[case::has_written_it("ml/next", "Fail", json!([{"name": "HF_TOKEN", "state": "Synced", "lastWriteTime": ago(60)}]), json!(null), true)]
#[case::goes_too("ml/next", "Overwrite", json!([]), json!(ago(5)), false)]
#[case::owns_it("ml/earlier", "Fail", json!([]), json!(null), true)]
fn a_name_is_deleted_unless_the_next_one_takes_it(
    #[case] place: &str,
    #[case] policy: &str,
    #[case] entries: Value,
    #[case] deleted: Value,
    #[case] goes_over: bool,
) {
    let spec = json!({
        "provider": provider("baseten", "baseten"), "conflictPolicy": policy,
        "data": [entry("HF_TOKEN", "huggingface", "token")],
    });
    // Created in the same second: the first by name is the older one.
    let mut other = object(place, spec, json!({"entries": entries}));
    other.metadata.deletion_timestamp = serde_json::from_value(deleted).unwrap();
    let spec = json!({"data": [], "deletionPolicy": "Delete"});
    let plan = planned(&wanted(&spec), &[other], None);
    let is_deleted = said(&plan).contains(&"Delete HF_TOKEN".to_owned());
    let note = format!("HF_TOKEN goes over to {place}");
    assert_eq!(
        (is_deleted, plan.notes.contains(&note)),
        (!goes_over, goes_over),
        "{plan:?}"
    );
}

#[rstest]
#[case::of_its_own_set("ml/next", &["Delete OLD_TOKEN"])]
#[case::of_the_set_of_another("ml/earlier", &["Refuse HF_TOKEN", "Refuse OPENAI_API_KEY"])]
fn an_owner_that_keeps_its_set_hands_no_entry_over(#[case] other: &str, #[case] expected: &[&str]) {
    let set = json!({"setName": "shared", "apiKeySecretRef": {"name": "pipecat", "key": "token"}});
    let spec = json!({"provider": {"baseten": null, "pipecat": set}, "deletionPolicy": "Delete"});
    let wanted = wanted(&spec);
    let mut live = live();
    live.spec = wanted.spec.clone();
    let other = object(
        other,
        serde_json::to_value(&wanted.spec).unwrap(),
        json!({}),
    );
    let plan = run(&[Document::new(wanted, Some(live))], &[other]).remove(0);
    assert_eq!(said(&plan), expected, "{:?}", plan.notes);
}

#[rstest]
#[case::not_asked_for("OTHER", false)]
#[case::asked_for("shared", true)]
fn a_key_with_the_name_of_its_set_goes_over_to_one_that_asks_for_it(
    #[case] asked: &str,
    #[case] goes_over: bool,
) {
    let set = json!({"setName": "shared", "apiKeySecretRef": {"name": "pipecat", "key": "token"}});
    let of = |name: &str| {
        let data = json!([entry(name, "s", "k")]);
        let provider = json!({"baseten": null, "pipecat": set});
        wanted(&json!({"provider": provider, "deletionPolicy": "Delete", "data": data}))
    };
    let spec = serde_json::to_value(&of(asked).spec).unwrap();
    let earlier = object("ml/earlier", spec, json!({}));
    let wanted = of("HF_TOKEN");
    let mut live = live();
    live.spec = wanted.spec.clone();
    live.status.as_mut().unwrap().entries[1].name = "shared".to_owned();
    let plan = run(&[Document::new(wanted, Some(live))], &[earlier]).remove(0);
    let note = "shared goes over to ml/earlier".to_owned();
    assert_eq!(plan.notes.contains(&note), goes_over, "{:?}", plan.notes);
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

/// An object in a file with the digests of its values.
fn with_digests(
    wanted: ProviderSecret,
    live: ProviderSecret,
    digests: &[(&str, &str)],
) -> Document {
    let digests = digests.iter().map(|(name, digest)| {
        let digest = Wanted::Digest(Some((*digest).to_owned()));
        ((*name).to_owned(), digest)
    });
    Document {
        values: Some(digests.collect()),
        ..Document::new(wanted, Some(live))
    }
}
