//! What is known of values.

use super::*;

/// What the operator sends again is what it does not know the provider to have.
#[rstest]
#[case::acknowledged(EntryState::Synced, None, true)]
#[case::without_its_key(EntryState::Failed, Some("KeyNotFound"), true)]
#[case::not_answered(EntryState::Pending, Some("Progressing"), false)]
#[case::not_ours(EntryState::Failed, Some("Unsupported"), false)]
fn a_value_that_the_provider_has_is_not_sent(
    #[case] state: EntryState,
    #[case] reason: Option<&str>,
    #[case] is_kept: bool,
) {
    let mut live = live();
    let record = &mut live.status.as_mut().unwrap().entries[0];
    record.state = state;
    record.reason = reason.map(str::to_owned);
    let wanted = wanted(&json!({}));
    let digests = [("HF_TOKEN", "d1"), ("OPENAI_API_KEY", "d3")];
    let plan = run(&[with_digests(wanted.clone(), live.clone(), &digests)], &[]).remove(0);
    assert_eq!(
        (plan.update, plan.calls),
        (usize::from(!is_kept), plan.update)
    );
    // Where its value is not known that is said.
    let plan = run(&[Document::new(wanted, Some(live))], &[]).remove(0);
    let is_synced = state == EntryState::Synced;
    assert_eq!(plan.update, usize::from(!is_synced));
    let notes = plan.notes.join("\n");
    let is_said = notes.contains("if HF_TOKEN has the value of its last write, nothing is sent");
    assert_eq!(is_said, is_kept && !is_synced, "{notes}");
}

/// The digest of a value is one of its options too.
#[rstest]
#[case::nothing(json!({"secretKeyRef": {"name": "huggingface", "key": "token"}}), 0, None)]
#[case::key(
    json!({"secretKeyRef": {"name": "huggingface", "key": "other"}}), 1,
    Some("HF_TOKEN comes from another key")
)]
#[case::template(
    json!({"template": "{{ token }}", "secretRef": {"name": "huggingface"}}), 1,
    Some("HF_TOKEN has another template")
)]
#[case::options(
    json!({
        "secretKeyRef": {"name": "huggingface", "key": "token"},
        "braintrust": {"metadata": {"api_base": "https://example.com"}},
    }),
    1, None
)]
fn what_of_an_entry_is_another_is_said(
    #[case] source: Value,
    #[case] update: usize,
    #[case] note: Option<&str>,
) {
    let mut changed = json!({"name": "HF_TOKEN"});
    json_patch::merge(&mut changed, &source);
    let data = json!([changed, entry("OPENAI_API_KEY", "openai", "key")]);
    let plan = planned(&wanted(&json!({"data": data})), &[], None);
    assert_eq!(plan.update, update, "{plan:?}");
    let notes = plan.notes.join("\n");
    assert_eq!(notes.contains("nothing is sent"), note.is_some(), "{notes}");
    assert!(notes.contains(note.unwrap_or_default()), "{notes}");
}

/// The provider may refuse the update of a credential for a registry.
#[test]
fn an_update_that_may_delete_says_so() {
    let set = json!({
        "setName": "regcred", "apiKeySecretRef": {"name": "pipecat", "key": "token"},
        "imagePullSecret": {"secretRef": {"name": "registry"}},
        "replaceImagePullSecret": "Recreate",
    });
    let spec = json!({"provider": {"baseten": null, "pipecat": set}, "data": null});
    let wanted = wanted(&spec);
    let mut live = live();
    live.spec = wanted.spec.clone();
    let entries = &mut live.status.as_mut().unwrap().entries;
    entries.truncate(1);
    entries[0].name = "regcred".to_owned();
    let digests = [("regcred", "other")];
    let plan = run(&[with_digests(wanted, live, &digests)], &[]).remove(0);
    assert_eq!(said(&plan), ["Update regcred"]);
    assert_eq!(plan.actions[0].reason.as_deref(), Some("Recreate"));
}
