use std::time::Duration;

use jiff::SignedDuration;
use rstest::rstest;

use super::*;
use crate::cli::tests::samples::{agent_keys, ago, documented, fleet, now};

fn operator() -> Installation {
    Installation {
        namespace: "provider-secrets-system".into(),
        name: "provider-secrets".into(),
        version: Some(crate::cli::version::CLIENT.into()),
        container: "provider-secrets".into(),
        image: None,
        service_account: "provider-secrets".into(),
        replicas: 2,
        available: 2,
        watched: Vec::new(),
        secret_access: crate::cli::secret_access::Access::default(),
        lease: Some(("provider-secrets-system".into(), "provider-secrets".into())),
    }
}

fn lease(holder: Option<&str>, seconds: i64) -> LeaseFact {
    LeaseFact {
        namespace: "provider-secrets-system".into(),
        name: "provider-secrets".into(),
        holder: holder.map(str::to_owned),
        renewed: Some(now() - SignedDuration::from_secs(seconds)),
        lasts: Duration::from_secs(15),
    }
}

/// A cluster in which all is well.
fn well() -> Facts {
    let ready = fleet().remove(1);
    Facts {
        now: now(),
        namespace: "ml".into(),
        version: Ok("v1.36.3".into()),
        definition: Known::Read(DefinitionFact {
            is_there: true,
            is_established: true,
            ..DefinitionFact::default()
        }),
        installations: Known::Read(vec![operator()]),
        leases: vec![(
            operator().namespaced_name(),
            Known::Read(vec![lease(Some("provider-secrets-7d9f-abc_1f"), 2)]),
        )],
        lacking: vec![(
            "ServiceAccount provider-secrets-system/provider-secrets in all namespaces".into(),
            Known::Read(Vec::new()),
        )],
        objects: Visible::whole(Known::Read(vec![Health::of(&ready, now())])),
        watched: Vec::new(),
        endpoints: vec![("baseten/default (api.baseten.co)".into(), Ok(()))],
    }
}

fn worst(facts: &Facts) -> Mark {
    let marks = checks(facts).into_iter().map(|check| check.mark);
    let weight = |mark: &Mark| match mark {
        Mark::Tick => 0,
        Mark::Exclamation => 1,
        Mark::Cross => 2,
    };
    marks.max_by_key(weight).unwrap()
}

#[test]
fn what_is_well_has_a_tick_on_each_line() {
    let checks = checks(&well());
    assert!(
        checks.iter().all(|check| check.mark == Mark::Tick),
        "{checks:#?}"
    );
    assert!(lines(&checks, Paint::default()).ends_with("Everything is well.\n"));
}

#[test]
fn a_fleet_with_faults_is_shown_as_the_documents_show_it() {
    let mut facts = well();
    facts.endpoints.clear();
    let objects = fleet();
    facts.objects.found = Known::Read(
        objects
            .iter()
            .map(|object| Health::of(object, now()))
            .collect(),
    );
    let shown = lines(&checks(&facts), Paint::default());
    insta::assert_snapshot!("doctor", shown);
    documented("doctor", &shown);
}

#[rstest]
#[case::an_old_api_server(Mark::Cross, |facts: &mut Facts| facts.version = Ok("v1.29.1".into()))]
#[case::a_vendor_s_version(Mark::Tick, |facts: &mut Facts| facts.version = Ok("v1.33.1-eks-1".into()))]
#[case::a_version_that_may_not_be_read(Mark::Exclamation, |facts: &mut Facts| {
    facts.version = Err(Refusal { is_forbidden: true, ..Refusal::failed("no") });
})]
#[case::an_api_server_that_is_not_reached(Mark::Cross, |facts: &mut Facts| facts.version = Err(Refusal::transient("no")))]
#[case::no_definition(Mark::Cross, |facts: &mut Facts| facts.definition = Known::Read(DefinitionFact::default()))]
#[case::a_definition_that_is_not_served(Mark::Cross, |facts: &mut Facts| {
    facts.definition = Known::Read(DefinitionFact { is_there: true, ..DefinitionFact::default() });
})]
#[case::an_older_definition(Mark::Cross, |facts: &mut Facts| {
    facts.definition = Known::Read(DefinitionFact { is_there: true, is_established: true, lacks: vec!["spec.x".into()], ..DefinitionFact::default() });
})]
#[case::a_newer_definition(Mark::Exclamation, |facts: &mut Facts| {
    facts.definition = Known::Read(DefinitionFact { is_there: true, is_established: true, unknown: vec!["spec.x".into()], ..DefinitionFact::default() });
})]
#[case::no_operator(Mark::Cross, |facts: &mut Facts| facts.installations = Known::Read(Vec::new()))]
#[case::one_pod_of_two(Mark::Exclamation, |facts: &mut Facts| {
    facts.installations = Known::Read(vec![Installation { available: 1, ..operator() }]);
})]
#[case::no_pod(Mark::Cross, |facts: &mut Facts| {
    facts.installations = Known::Read(vec![Installation { available: 0, ..operator() }]);
})]
#[case::another_version(Mark::Exclamation, |facts: &mut Facts| {
    facts.installations = Known::Read(vec![Installation { version: Some("9.9.9".into()), ..operator() }]);
})]
#[case::an_expired_lease(Mark::Cross, |facts: &mut Facts| facts.leases[0].1 = Known::Read(vec![lease(Some("pod"), 600)]))]
#[case::a_free_lease(Mark::Cross, |facts: &mut Facts| facts.leases[0].1 = Known::Read(vec![lease(None, 600)]))]
#[case::no_lease(Mark::Cross, |facts: &mut Facts| facts.leases[0].1 = Known::Read(Vec::new()))]
#[case::a_missing_right(Mark::Cross, |facts: &mut Facts| {
    facts.lacking[0].1 = Known::Read(vec![Right { verb: "get".into(), resource: "secrets".into(), namespace: None }]);
})]
#[case::rights_that_may_not_be_asked_for(Mark::Exclamation, |facts: &mut Facts| facts.lacking[0].1 = Known::Unread("no".into()))]
#[case::an_endpoint_that_is_not_reached(Mark::Cross, |facts: &mut Facts| facts.endpoints[0].1 = Err("no connection".into()))]
#[case::a_refused_key(Mark::Cross, |facts: &mut Facts| facts.objects.found = Known::Read(vec![Health::of(&agent_keys(), now())]))]
#[case::a_paused_account(Mark::Exclamation, |facts: &mut Facts| facts.objects.found = Known::Read(vec![Health::of(&fleet()[2], now())]))]
#[case::a_slow_deletion(Mark::Exclamation, |facts: &mut Facts| deleted(facts, 90))]
#[case::a_stuck_deletion(Mark::Cross, |facts: &mut Facts| deleted(facts, 1800))]
#[case::a_new_deletion(Mark::Tick, |facts: &mut Facts| deleted(facts, 5))]
#[case::a_deaf_watch(Mark::Cross, |facts: &mut Facts| facts.objects.found = Known::Read(vec![unseen(1)]))]
#[case::a_deaf_watch_of_the_namespaces_that_are_watched(Mark::Cross, |facts: &mut Facts| {
    facts.installations = Known::Read(vec![Installation { watched: vec!["ml".into()], ..operator() }]);
    facts.objects.found = Known::Read(vec![unseen(1)]);
})]
#[case::a_deaf_watch_beside_an_account_that_is_held_back(Mark::Cross, |facts: &mut Facts| {
    facts.objects.found = Known::Read(vec![unseen(1), Health::of(&fleet()[2], now())]);
})]
#[case::a_namespace_that_is_not_watched(Mark::Exclamation, |facts: &mut Facts| {
    facts.installations = Known::Read(vec![Installation { watched: vec!["a".into()], ..operator() }]);
    facts.objects.found = Known::Read(vec![unseen(1)]);
})]
#[case::a_namespace_that_the_flags_do_not_name(Mark::Exclamation, |facts: &mut Facts| {
    facts.installations = Known::Unread("no".into());
    facts.watched = vec!["a".into()];
    facts.objects.found = Known::Read(vec![unseen(1)]);
})]
#[case::other_namespaces_that_may_not_be_looked_at(Mark::Exclamation, |facts: &mut Facts| {
    facts.objects.narrowed = Some("you may not".into());
})]
#[case::other_namespaces_that_are_not_watched(Mark::Tick, |facts: &mut Facts| {
    facts.objects.narrowed = Some("you may not".into());
    facts.watched = vec!["ml".into()];
})]
#[case::objects_that_are_not_read(Mark::Exclamation, |facts: &mut Facts| {
    facts.objects.found = Known::Unread("no".into());
    facts.objects.narrowed = Some("you may not".into());
})]
#[case::an_object_that_waits_for_its_account(Mark::Exclamation, |facts: &mut Facts| {
    facts.objects.found = Known::Read(vec![unseen(2)]);
})]
fn a_fault_has_its_mark(#[case] mark: Mark, #[case] plant: fn(&mut Facts)) {
    let mut facts = well();
    plant(&mut facts);
    assert_eq!(
        worst(&facts),
        mark,
        "{}",
        lines(&checks(&facts), Paint::default())
    );
}

#[rstest]
#[case(vec![unseen(1)], "✗ Watches: 1 object has a spec that the operator does not act on, such as ml/llm-serving ")]
#[case(vec![unseen(1), unseen(0)], "✗ Watches: 2 objects have a spec that the operator does not act on, such as ml/llm-serving ")]
fn the_specs_that_nobody_acts_on_are_counted(#[case] objects: Vec<Health>, #[case] line: &str) {
    let mut facts = well();
    facts.objects.found = Known::Read(objects);
    let shown = lines(&checks(&facts), Paint::default());
    assert!(shown.contains(line), "{shown}");
}

/// An edit that only removes leaves no time, so that its spec seems to be as old as the one before.
#[test]
fn a_spec_that_is_seen_once_tells_of_no_deaf_watch() {
    let first = [unseen(1), Health::of(&fleet()[2], now())];
    let seen = objects::seen_twice(&first, vec![unseen(1), unseen(2)]);
    let deaf: Vec<bool> = seen.iter().map(Health::is_deaf).collect();
    assert_eq!(deaf, [true, false]);
}

/// One of the fleet with a spec that no operator has acted on.
fn unseen(index: usize) -> Health {
    let mut object = fleet().remove(index);
    object.metadata.generation = Some(4);
    Health::of(&object, now())
}

fn deleted(facts: &mut Facts, seconds: i64) {
    let mut object = fleet().remove(1);
    object.metadata.deletion_timestamp = serde_json::from_value(ago(seconds).into()).unwrap();
    facts.objects.found = Known::Read(vec![Health::of(&object, now())]);
}
