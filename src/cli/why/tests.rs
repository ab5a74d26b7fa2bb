//! Planted faults: `why` names the cause of each.

mod operators; // which operator is judged, and a definition that is older
mod owners; // which object owns a name

use std::time::Duration;

use jiff::SignedDuration;
use rstest::rstest;

use super::*;
use crate::{
    api::{DeletionPolicy, FINALIZER, Reason},
    cli::{
        definition::DefinitionFact,
        installation::{Installation, LeaseFact},
        peer::Peer,
        reasons,
        rights::Right,
        tests::samples::{agent_keys, ago, documented, fleet, in_state, now},
    },
};

fn operator() -> Installation {
    Installation {
        namespace: "system".into(),
        name: "provider-secrets".into(),
        version: Some("0.1.0".into()),
        container: "provider-secrets".into(),
        image: None,
        service_account: "provider-secrets".into(),
        replicas: 2,
        available: 2,
        watched: Vec::new(),
        secret_access: crate::cli::secret_access::Access::default(),
        lease: Some(("system".into(), "provider-secrets".into())),
    }
}

fn lease(holder: Option<&str>, seconds: i64) -> LeaseFact {
    LeaseFact {
        namespace: "system".into(),
        name: "provider-secrets".into(),
        holder: holder.map(str::to_owned),
        renewed: Some(now() - SignedDuration::from_secs(seconds)),
        lasts: Duration::from_secs(15),
    }
}

fn right(verb: &str, resource: &str) -> Right {
    Right {
        verb: verb.into(),
        resource: resource.into(),
        namespace: Some("ml".into()),
    }
}

/// An object in a cluster in which all else is well.
fn facts(object: ProviderSecret) -> Facts {
    Facts {
        object,
        now: now(),
        installations: Known::Read(vec![operator()]),
        operator: Some(operator()),
        leases: Known::Read(vec![lease(Some("pod-abc_1"), 2)]),
        definition: Known::Read(DefinitionFact {
            is_there: true,
            is_established: true,
            ..DefinitionFact::default()
        }),
        lacking: Known::Read(Vec::new()),
        peers: Known::Read(Vec::new()),
    }
}

fn said(facts: &Facts) -> Explanation {
    Explanation::of(facts, &cause(facts))
}

fn failing() -> ProviderSecret {
    in_state(
        "ml/broken",
        "Reconciling",
        "SecretNotFound",
        "Secret huggingface does not exist. It is used as soon as it does.",
    )
}

/// The class of a reason, as one word.
fn class(reason: Reason) -> &'static str {
    let row = reasons::row(reason.as_str()).unwrap();
    row.class.split([',', ';']).next().unwrap()
}

#[test]
fn each_reason_is_named_with_a_prospect_an_advice_and_a_command() {
    for reason in Reason::ALL
        .iter()
        .filter(|reason| class(**reason) != "event only")
    {
        let object = in_state(
            "ml/broken",
            class(*reason),
            reason.as_str(),
            "It is so in Secret huggingface. Do this.",
        );
        let said = said(&facts(object));
        let expected = if *reason == Reason::Synced {
            "Ready"
        } else {
            reason.as_str()
        };
        assert_eq!(said.cause, expected);
        assert_eq!(said.ready, *reason == Reason::Synced, "{reason}");
        let text = said.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines[0].contains("for 9m: ") || lines[0].contains("9m"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("The operator ") && lines[1].ends_with('.'),
            "{text}"
        );
        assert!(lines[2].len() > 10, "{text}");
        assert!(lines[3].starts_with("Next: kubectl "), "{text}");
        let mut words = text.split(|letter: char| letter != '_' && !letter.is_alphanumeric());
        assert!(
            !words.any(|word| word == "NAME" || word == "NAMESPACE"),
            "{text}"
        );
    }
}

/// Faults that no condition names.
#[rstest]
#[case::there_is_no_operator("NoOperator", |facts: &mut Facts| {
    facts.operator = None;
    facts.installations = Known::Read(Vec::new());
    facts.leases = Known::Read(Vec::new());
})]
#[case::an_operator_by_hand_has_died("LeaseExpired", |facts: &mut Facts| {
    facts.operator = None;
    facts.installations = Known::Read(Vec::new());
    facts.leases = Known::Read(vec![lease(Some("laptop_1"), 3600)]);
})]
#[case::an_operator_by_hand_was_stopped("NoOperator", |facts: &mut Facts| {
    facts.operator = None;
    facts.installations = Known::Read(Vec::new());
    facts.leases = Known::Read(vec![lease(None, 3600)]);
})]
#[case::it_is_scaled_down("OperatorScaledDown", |facts: &mut Facts| {
    let operator = facts.operator.as_mut().unwrap();
    (operator.replicas, operator.available) = (0, 0);
})]
#[case::no_pod_starts("OperatorDown", |facts: &mut Facts| {
    facts.operator.as_mut().unwrap().available = 0;
    facts.leases = Known::Read(Vec::new());
})]
#[case::all_pods_died("OperatorDown", |facts: &mut Facts| {
    facts.operator.as_mut().unwrap().available = 0;
    facts.leases = Known::Read(vec![lease(Some("pod-abc_1"), 900)]);
})]
#[case::no_pod_starts_without_a_lease("OperatorDown", |facts: &mut Facts| {
    let operator = facts.operator.as_mut().unwrap();
    (operator.available, operator.lease) = (0, None);
    facts.leases = Known::Unread("no".into());
})]
#[case::the_leader_hangs("LeaseExpired", |facts: &mut Facts| {
    facts.leases = Known::Read(vec![lease(Some("pod-abc_1"), 900)]);
})]
#[case::nobody_takes_the_lease("NoLeader", |facts: &mut Facts| {
    facts.leases = Known::Read(vec![lease(None, 900)]);
})]
#[case::there_is_no_lease("NoLeader", |facts: &mut Facts| {
    facts.leases = Known::Read(Vec::new());
})]
#[case::the_namespace_is_not_watched("NamespaceNotWatched", |facts: &mut Facts| {
    let operator = facts.operator.as_mut().unwrap();
    operator.watched = vec!["a".into(), "b".into()];
})]
#[case::operators_watch_other_namespaces("NamespaceNotWatched", |facts: &mut Facts| {
    facts.operator = None;
    let watching = |name: &str| Installation { watched: vec![name.into()], ..operator() };
    facts.installations = Known::Read(vec![watching("a"), watching("b")]);
})]
#[case::rights_are_missing("OperatorForbidden", |facts: &mut Facts| {
    facts.lacking = Known::Read(["get", "list", "watch", "patch"].map(|verb| right(verb, "secrets")).into());
})]
#[case::a_finalizer_cannot_be_set("OperatorForbidden", |facts: &mut Facts| {
    facts.lacking = Known::Read(vec![right("patch", "providersecrets")]);
    facts.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
})]
#[case::a_finalizer_cannot_be_removed("OperatorForbidden", |facts: &mut Facts| {
    facts.lacking = Known::Read(vec![right("patch", "providersecrets")]);
    facts.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
})]
#[case::rights_without_which_it_works_are_missing("SecretNotFound", |facts: &mut Facts| {
    facts.lacking = Known::Read(vec![right("create", "events"), right("patch", "providersecrets")]);
})]
#[case::the_definition_is_not_served("DefinitionNotEstablished", |facts: &mut Facts| {
    facts.definition = Known::Read(DefinitionFact { is_there: true, ..DefinitionFact::default() });
})]
#[case::the_definition_is_old("DefinitionOld", |facts: &mut Facts| {
    facts.definition = Known::Read(DefinitionFact {
        is_there: true, is_established: true, lacks: vec!["status.writer".into()], ..DefinitionFact::default()
    });
    facts.object.metadata.generation = Some(4);
})]
#[case::the_newest_spec_was_not_looked_at("NotObserved", |facts: &mut Facts| {
    facts.object.metadata.generation = Some(4);
})]
#[case::it_was_never_looked_at("NotObserved", |facts: &mut Facts| {
    facts.object.status = None;
})]
#[case::it_is_being_deleted("Deleting", |facts: &mut Facts| {
    facts.object.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
})]
#[case::only_another_controller_keeps_it("HeldByFinalizer", |facts: &mut Facts| {
    facts.object.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
    facts.object.metadata.finalizers = Some(vec!["foregroundDeletion".to_owned()]);
    facts.installations = Known::Read(Vec::new());
})]
#[case::the_operator_keeps_it_too("Deleting", |facts: &mut Facts| {
    facts.object.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
    facts.object.metadata.finalizers = Some(vec!["foregroundDeletion".to_owned(), FINALIZER.to_owned()]);
})]
#[case::the_reason_is_of_a_newer_operator("OutOfQuota", |facts: &mut Facts| {
    facts.object = in_state("ml/broken", "Stalled", "OutOfQuota", "The account is full.");
})]
fn a_cause_that_no_condition_names_is_found(#[case] word: &str, #[case] plant: fn(&mut Facts)) {
    let mut facts = facts(failing());
    plant(&mut facts);
    let said = said(&facts);
    assert_eq!(said.cause, word, "{}", said.text());
    assert!(!said.ready);
    assert_eq!(said.text().lines().count(), 4, "{}", said.text());
}

/// As the operator writes it (tests/statuses.jsonl).
#[test]
fn of_a_deletion_that_is_blocked_the_cause_is_named_and_no_release_is_suggested() {
    let objects = include_str!("../../../tests/statuses.jsonl").lines();
    let mut objects = objects.map(|line| serde_json::from_str::<ProviderSecret>(line).unwrap());
    let blocked = objects
        .find(|object| Standing::of(object).reason == "DeletionBlocked")
        .unwrap();
    let said = said(&facts(blocked));
    assert_eq!(said.cause, "DeletionBlocked");
    assert!(
        said.what.ends_with(": What a Timeout is about."),
        "{}",
        said.what
    );
    assert!(said.advice.starts_with("Mend that"), "{}", said.advice);
    assert!(!said.text().contains("release"), "{}", said.text());
}

/// Whatever the operator said of it before.
#[test]
fn of_a_deletion_that_other_controllers_hold_the_finalizers_are_named() {
    let mut held = in_state("ml/held", "Reconciling", "DeletionBlocked", "It is so.");
    held.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
    held.metadata.finalizers = Some(vec!["example.com/one".to_owned()]);
    let said = said(&facts(held));
    let expected = "does not wait for the operator but for example.com/one.";
    assert!(said.what.ends_with(expected), "{}", said.what);
    let expected = "kubectl get psec held -n ml -o jsonpath={.metadata.finalizers}";
    assert_eq!(said.command, expected);
}

/// The plan that waits for approval, of an object that lives and of one that is deleted.
#[rstest]
#[case::living("AwaitingApproval", false)]
#[case::deleted("DeletionBlocked", true)]
fn a_plan_that_waits_is_the_cause_and_approve_the_next_command(
    #[case] reason: &str,
    #[case] is_deleted: bool,
) {
    let waits = "Plan 9c1f waits for approval: 1 to delete at Baseten. Look at it.";
    let message = if is_deleted {
        format!("What this object wrote is not deleted yet. {waits}")
    } else {
        waits.to_owned()
    };
    let mut object = in_state("ml/held", "Reconciling", reason, &message);
    object.spec.approval = Some(crate::api::Approval::Manual);
    let plan = serde_json::json!({"hash": "9c1f", "create": 0, "update": 0, "delete": 1, "refuse": 0, "keep": 0, "calls": 1, "actions": []});
    object.status.as_mut().unwrap().plan = serde_json::from_value(plan).unwrap();
    if is_deleted {
        object.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
    }
    let said = said(&facts(object));
    assert_eq!(said.cause, "AwaitingApproval");
    let waits = "Plan 9c1f waits for approval: 1 to delete at Baseten.";
    assert!(said.what.ends_with(waits), "{}", said.what);
    assert_eq!(said.command, "kubectl provider-secrets approve held -n ml");
}

/// A sync request is the confirmation (docs/reference.md#requests).
#[rstest]
#[case(Reason::RemovalHeld, "plan")]
#[case(Reason::AccountChanged, "status")]
fn the_next_command_confirms_nothing_that_is_held(#[case] reason: Reason, #[case] command: &str) {
    let said = said(&facts(in_state(
        "ml/held",
        "Stalled",
        reason.as_str(),
        "It is so.",
    )));
    let expected = format!("kubectl provider-secrets {command} held -n ml");
    assert_eq!(said.command, expected);
}

#[test]
fn what_may_not_be_read_is_no_cause() {
    let mut facts = facts(failing());
    let no = || "you may not".to_owned();
    facts.operator = None;
    facts.installations = Known::Unread(no());
    facts.leases = Known::Unread(no());
    facts.definition = Known::Unread(no());
    facts.lacking = Known::Unread(no());
    facts.peers = Known::Unread(no());
    assert_eq!(said(&facts).cause, "SecretNotFound");
}

#[test]
fn the_older_object_that_owns_a_name_is_named() {
    let message = "The older ProviderSecret first writes HF_TOKEN to the same place at Baseten. Remove it there or here; a name has one owner.";
    let of_one_account = |name: &str, class: &str, reason: &str| {
        let mut object = in_state(name, class, reason, message);
        object.status.as_mut().unwrap().scope = Some("team-7Hq".to_owned());
        object
    };
    let mut facts = facts(of_one_account("ml/second", "Stalled", "Conflict"));
    let peer = |name: &str, days: i64| {
        let mut peer = of_one_account(name, "Ready", "Synced");
        peer.metadata.creation_timestamp =
            serde_json::from_value(ago(days * 86_400).into()).unwrap();
        Peer::of(&peer)
    };
    facts.peers = Known::Read(vec![
        peer("ml/younger", 1),
        peer("team/oldest", 40),
        peer("ml/older", 20),
    ]);
    let said = said(&facts);
    insta::assert_snapshot!("owned", said.text());
    assert_eq!((said.cause.as_str(), said.ready), ("Conflict", false));
    documented("why second -n ml", &said.text());
}

#[test]
fn who_waits_for_the_same_account_is_named() {
    let mut facts = facts(agent_keys());
    let other = {
        let mut other = agent_keys();
        other.metadata.name = Some("other-keys".to_owned());
        Peer::of(&other)
    };
    let elsewhere = {
        let mut other = agent_keys();
        other.metadata.namespace = Some("else".to_owned());
        Peer::of(&other)
    };
    facts.peers = Known::Read(vec![other, elsewhere]);
    let said = said(&facts);
    insta::assert_snapshot!("account", said.text());
    documented("why agent-keys -n voice", &said.text());
}

#[test]
fn a_ready_object_is_idle_without_an_operator() {
    let mut facts = facts(fleet().remove(1));
    assert_eq!(said(&facts).cause, "Ready");
    insta::assert_snapshot!("ready", said(&facts).text());
    documented("why llm-serving -n ml", &said(&facts).text());
    facts.operator = None;
    facts.installations = Known::Read(Vec::new());
    facts.leases = Known::Read(Vec::new());
    let said = said(&facts);
    assert_eq!((said.cause.as_str(), said.ready), ("NoOperator", true));
    insta::assert_snapshot!("idle", said.text());
}

#[test]
fn an_expired_lease_is_shown_as_the_documents_show_it() {
    let mut facts = facts(fleet().remove(2));
    facts.leases = Known::Read(vec![lease(Some("provider-secrets-7d9f-abc_1f"), 2460)]);
    let said = said(&facts);
    insta::assert_snapshot!("lease", said.text());
    documented("why train-pool -n ml", &said.text());
}
