//! What goes, and what the operator waits with or holds.

use std::collections::BTreeSet;

use super::*;
use crate::api::Found;

/// To apply what is there already confirms nothing; an edit ends no grace time, and confirms what is held where the
/// object says so, and where it is the only one since.
#[rstest]
#[case::held("RemovalHeld", "RemovalHeld", 3, "taken away: held until")]
#[case::waiting("Progressing", "Progressing", 3, "taken away: deleted when")]
#[case::held_and_edited("RemovalHeld", "RemovalHeld", 4, "")]
#[case::held_and_edited_twice("RemovalHeld", "RemovalHeld", 5, "held until")]
#[case::held_in_silence_and_edited("AuthenticationFailed", "RemovalHeld", 4, "held until")]
#[case::waiting_and_edited("Progressing", "Progressing", 4, "taken away: deleted when")]
fn what_a_secret_no_longer_gives_is_deleted_by_an_edit_that_confirms_it(
    #[case] said: &str,
    #[case] reason: &str,
    #[case] generation: i64,
    #[case] note: &str,
) {
    let spec = json!({"deletionPolicy": "Delete", "dataFrom": [{"secretRef": {"name": "all"}}]});
    let mut live = live();
    let status = live.status.as_mut().unwrap();
    status.observed_generation = Some(3);
    let ready = condition("Ready", "False", said, "It is so.", 60);
    status.conditions = vec![serde_json::from_value(ready).unwrap()];
    status.entries[1].state = EntryState::Failed;
    status.entries[1].reason = Some(reason.to_owned());
    let mut wanted = wanted(&spec);
    wanted.metadata.generation = Some(generation);
    let digests = [("HF_TOKEN", "d1"), ("OPENAI_API_KEY", "d3")];
    let plan = run(&[with_digests(wanted, live, &digests)], &[]).remove(0);
    let is_held = note.contains("held");
    let kept = if is_held { 3 } else { 2 };
    assert_eq!((plan.keep, plan.delete), (kept, 3 - kept), "{plan:?}");
    assert_eq!(plan.is_pending(), !is_held);
    let notes = plan.notes.join("\n");
    assert!(notes.contains(note), "{notes}");
}

/// Eight entries of the Secret `all` in its version 7, of which some are gone from it as the object says.
fn bulk(gone: usize, said: &str, reason: &str) -> ProviderSecret {
    let record = |number: usize| {
        let name = format!("K{number}");
        let is_gone = (8 - gone..8).contains(&number);
        // What was held when the object fell silent has no digest.
        let is_silent = is_gone && reason == "Suspended";
        let digest = (!is_silent).then(|| format!("d{number}"));
        let (state, reason) = if is_gone {
            ("Failed", Some(reason))
        } else {
            ("Synced", None)
        };
        json!({"name": name, "state": state, "reason": reason, "lastWriteTime": ago(600), "record": {"digest": digest}})
    };
    let spec = json!({
        "provider": provider("baseten", "baseten"), "deletionPolicy": "Delete",
        "dataFrom": [{"secretRef": {"name": "all"}}],
    });
    let status = json!({
        "conditions": [condition("Ready", "False", said, "It is so.", 60)],
        "sources": [{"name": "all", "resourceVersion": "7"}],
        "entries": (0..8).map(record).collect::<Vec<_>>(),
    });
    object("ml/bulk", spec, status)
}

/// The object of a file that edits it.
fn edited(live: &ProviderSecret, edit: &Value) -> ProviderSecret {
    let mut spec = serde_json::to_value(&live.spec).unwrap();
    json_patch::merge(&mut spec, edit);
    let mut wanted = object("ml/bulk", spec, json!({}));
    wanted.metadata.generation = Some(4);
    wanted
}

/// What the operator has found to be gone is gone, though the Secrets are not read.
#[rstest]
#[case::confirmed(7, "RemovalHeld", "RemovalHeld", json!({}), 7, "")]
#[case::not_said(7, "Rejected", "RemovalHeld", json!({}), 0, "7 that a Secret may have taken away: held")]
#[case::suspended(7, "RemovalHeld", "RemovalHeld", json!({"suspend": true}), 0, "taken away: held")]
#[case::resumed(1, "Suspended", "Suspended", json!({}), 0, "1 that a Secret may have taken away: held")]
#[case::waiting(2, "Progressing", "Progressing", json!({}), 2, "2 that a Secret may have taken away: deleted")]
#[case::much(7, "Progressing", "Progressing", json!({}), 0, "7 that a Secret may have taken away: held")]
#[case::approval(7, "RemovalHeld", "RemovalHeld", json!({"approval": "Manual"}), 7, "waits for approval")]
#[case::retained(7, "RemovalHeld", "RemovalHeld", json!({"deletionPolicy": "Retain"}), 0, "7 no longer wanted")]
#[case::another_source(
    7, "RemovalHeld", "RemovalHeld", json!({"dataFrom": [{"secretRef": {"name": "more"}}]}), 0,
    "which entries come from more is not known"
)]
fn what_the_operator_has_found_to_be_gone_is_known_without_values(
    #[case] gone: usize,
    #[case] said: &str,
    #[case] reason: &str,
    #[case] edit: Value,
    #[case] delete: usize,
    #[case] note: &str,
) {
    let live = bulk(gone, said, reason);
    let wanted = edited(&live, &edit);
    let plan = run(&[Document::new(wanted, Some(live))], &[]).remove(0);
    assert_eq!(plan.delete, delete, "{plan:?}");
    let notes = plan.notes.join("\n");
    assert!(notes.contains(note), "{notes}");
}

/// A list of keys that the patterns leave out: which names they gave is not known once these are transformed.
fn transformed(secret: &str) -> Value {
    let source =
        json!({"secretRef": {"name": secret}, "nameTransform": "UpperSnake", "exclude": ["K*"]});
    json!({"dataFrom": [source]})
}

/// What goes by the spec alone goes at once, and what a Secret may have taken away does not.
#[rstest]
#[case::much(1, "all", json!({"approval": "Automatic"}), "8", 0, "7 that a Secret may have taken away: held")]
#[case::little(6, "all", json!({"approval": "Automatic"}), "8", 2, "2 that a Secret may have taken away: deleted")]
#[case::by_the_spec(1, "all", transformed("all"), "7", 7, "")]
#[case::not_by_it_alone(
    1,
    "all",
    transformed("all"),
    "8",
    0,
    "7 that a Secret may have taken away: held"
)]
#[case::named_anew(
    1,
    "more",
    transformed("more"),
    "7",
    0,
    "7 that a Secret may have taken away: held"
)]
#[case::source_dropped(1, "all", json!({"dataFrom": null, "data": [entry("K0", "all", "K0")]}), "7", 7, "")]
#[case::approval(1, "all", json!({"approval": "Manual"}), "8", 7, "waits for approval")]
fn what_a_secret_may_have_taken_away_is_not_deleted_at_once(
    #[case] left: usize,
    #[case] secret: &str,
    #[case] edit: Value,
    #[case] version: &str,
    #[case] delete: usize,
    #[case] note: &str,
) {
    let live = bulk(0, "Synced", "");
    let wanted = edited(&live, &edit);
    let digests = (0..left).map(|number| (format!("K{number}"), format!("d{number}")));
    let digests: Vec<_> = digests.collect();
    let digests = digests.iter();
    let digests: Vec<_> = digests.map(|(name, digest)| (&**name, &**digest)).collect();
    let document = Document {
        versions: BTreeMap::from([(secret.to_owned(), version.to_owned())]),
        ..with_digests(wanted, live, &digests)
    };
    let plan = run(&[document], &[]).remove(0);
    assert_eq!((plan.delete, plan.keep), (delete, 8 - delete), "{plan:?}");
    let notes = plan.notes.join("\n");
    assert!(notes.contains(note), "{notes}");
}

/// What is synced was made from the Secrets that status names, and goes unless one of these cannot be read, or the Secret
/// that cannot may give the name too.
#[rstest]
#[case::of_another_secret(bulk(0, "Synced", ""), "more", "N_", 7)]
#[case::that_it_may_give(bulk(0, "Synced", ""), "more", "K", 0)]
#[case::of_its_secret(bulk(0, "Synced", ""), "all", "N_", 0)]
#[case::not_synced(bulk(7, "Progressing", "Progressing"), "more", "N_", 0)]
fn what_a_secret_that_cannot_be_read_may_give_stays(
    #[case] live: ProviderSecret,
    #[case] secret: &str,
    #[case] prefix: &str,
    #[case] delete: usize,
) {
    let source = json!({"secretRef": {"name": secret}, "prefix": prefix});
    let edit = json!({"dataFrom": [source], "data": [entry("K0", "values", "K0")]});
    let wanted = edited(&live, &edit);
    let document = Document {
        unread: BTreeSet::from([0]),
        ..with_digests(wanted, live, &[("K0", "d0")])
    };
    let plan = run(&[document], &[]).remove(0);
    assert_eq!((plan.delete, plan.keep), (delete, 8 - delete), "{plan:?}");
}

/// What goes may be all that works.
#[rstest]
#[case::all("B", Wanted::Refused(Reason::KeyNotFound), 0)]
#[case::not_all("B", Wanted::Digest(None), 3)]
#[case::one_that_is_there("HF_TOKEN", Wanted::Refused(Reason::KeyNotFound), 2)]
fn what_goes_stays_while_all_that_is_new_is_refused(
    #[case] name: &str,
    #[case] value: Wanted,
    #[case] delete: usize,
) {
    let data = json!([entry("A", "a", "k"), entry(name, "b", "k")]);
    let spec = json!({"deletionPolicy": "Delete", "data": data});
    let values = [("A", Wanted::Refused(Reason::KeyNotFound)), (name, value)];
    let plan = planned(&wanted(&spec), &[], Some(&values));
    assert_eq!(plan.delete, delete, "{plan:?}");
    let notes = plan.notes.join("\n");
    let note = "3 no longer wanted: they stay until one of the new names";
    assert_eq!(notes.contains(note), delete == 0, "{notes}");
}

/// It may have come in: the operator deletes it where nothing was there before.
#[rstest]
#[case::to_nothing(Some(Found::Absent), 1, false)]
#[case::to_what_another_wrote(Some(Found::Foreign), 0, true)]
#[case::not_sent(None, 0, false)]
fn what_was_sent_without_an_answer_goes_with_the_others(
    #[case] found: Option<Found>,
    #[case] delete: usize,
    #[case] is_foreign: bool,
) {
    let mut live = live();
    let record = &mut live.status.as_mut().unwrap().entries[1];
    record.state = EntryState::Pending;
    record.last_write_time = None;
    record.found = found;
    let wanted = wanted(&json!({"deletionPolicy": "Delete"}));
    let digests = [("HF_TOKEN", "d1"), ("OPENAI_API_KEY", "d3")];
    let plan = run(&[with_digests(wanted, live, &digests)], &[]).remove(0);
    assert_eq!((plan.delete, plan.keep), (delete, 2), "{plan:?}");
    let notes = plan.notes.join("\n");
    let note = "1 no longer wanted: they stay at the provider, because another";
    assert_eq!(notes.contains(note), is_foreign, "{notes}");
}

/// It may still change how it goes.
#[rstest]
#[case::delete("Delete", 3)]
#[case::retain("Retain", 0)]
fn of_a_deleted_object_a_file_changes_the_policies_alone(
    #[case] policy: &str,
    #[case] delete: usize,
) {
    let mut live = live();
    live.metadata.deletion_timestamp = live.metadata.creation_timestamp.clone();
    let data = json!([entry("NEW", "new", "key")]);
    let wanted = wanted(&json!({"deletionPolicy": policy, "data": data}));
    let plan = run(&[Document::new(wanted, Some(live))], &[]).remove(0);
    assert_eq!((plan.create, plan.delete), (0, delete), "{plan:?}");
    assert!(plan.is_pending(), "{plan:?}");
    let notes = plan.notes.join("\n");
    assert!(
        notes.contains("it is being deleted: what the file"),
        "{notes}"
    );
}
