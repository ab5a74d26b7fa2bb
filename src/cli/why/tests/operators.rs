//! Which operator an object is judged by, and a definition that is older than the operator.

use super::*;

/// Of several that watch its namespace: the available pods and, if it is held, the age of the Lease of each.
#[rstest]
#[case::one_leads([(2, Some(900)), (2, Some(2))], "second")]
#[case::one_has_pods([(0, None), (1, None)], "second")]
#[case::one_leads_and_one_has_pods([(1, None), (0, Some(2))], "second")]
#[case::both_lead([(2, Some(2)), (2, Some(2))], "first")]
#[case::both_are_down([(0, Some(900)), (0, Some(900))], "first")]
fn the_operator_of_an_object_is_the_one_that_leads(
    #[case] found: [(i32, Option<i64>); 2],
    #[case] expected: &str,
) {
    let operators = ["first", "second"].into_iter().zip(found);
    let operators = operators.map(|(name, (available, renewed))| {
        let operator = Installation {
            name: name.to_owned(),
            available,
            ..operator()
        };
        let held = renewed.map(|seconds| lease(Some("pod-abc_1"), seconds));
        (operator, Known::Read(held.into_iter().collect()))
    });
    let (operator, _) = chosen(operators.collect(), now()).unwrap();
    assert_eq!(operator.name, expected);
}

#[test]
fn a_lease_that_an_operator_by_hand_left_hides_no_other() {
    let mut facts = facts(failing());
    facts.operator = None;
    facts.installations = Known::Read(Vec::new());
    let leases = vec![lease(Some("gone_1"), 3600), lease(Some("laptop_1"), 2)];
    facts.leases = Known::Read(leases);
    assert_eq!(said(&facts).cause, "SecretNotFound");
}

/// A definition that lacks these fields.
fn without(lacks: &[&str]) -> Known<DefinitionFact> {
    Known::Read(DefinitionFact {
        is_there: true,
        is_established: true,
        lacks: lacks.iter().map(|field| (*field).to_owned()).collect(),
        ..DefinitionFact::default()
    })
}

#[rstest]
#[case::waits("AwaitingApproval", "Manual", &["status.plan", "status.plan.hash"], "DefinitionOld")]
#[case::is_deleted("DeletionBlocked", "Manual", &["status.plan"], "DefinitionOld")]
#[case::another_field("AwaitingApproval", "Manual", &["status.writer"], "AwaitingApproval")]
#[case::needs_no_approval("DeletionBlocked", "Automatic", &["status.plan"], "DeletionBlocked")]
fn a_plan_that_the_definition_does_not_store_cannot_be_approved(
    #[case] reason: &str,
    #[case] approval: &str,
    #[case] lacks: &[&str],
    #[case] expected: &str,
) {
    let mut object = in_state("ml/held", "Reconciling", reason, "Plan 9c1f waits.");
    object.spec.approval = serde_json::from_value(approval.into()).unwrap();
    if reason == "DeletionBlocked" {
        object.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
    }
    let mut facts = facts(object);
    facts.definition = without(lacks);
    assert_eq!(said(&facts).cause, expected);
}

#[test]
fn of_a_ready_object_an_older_definition_is_told_besides() {
    let mut facts = facts(fleet().remove(1));
    facts.definition = without(&["status.writer"]);
    let said = said(&facts);
    assert_eq!((said.cause.as_str(), said.ready), ("DefinitionOld", true));
    let expected = "acknowledged all 3 entries. The CustomResourceDefinition is older than";
    assert!(said.what.contains(expected), "{}", said.what);
    assert_eq!(said.text().lines().count(), 4, "{}", said.text());
}
