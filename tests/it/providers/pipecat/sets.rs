//! Pipecat Cloud: which set is written, in which region, and sets that are not for us.

use serde_json::{Value, json};

use super::{case_with, image_pull::by_another};
use crate::{
    harness::{TestCase, run},
    providers::{assert_stalled, bodies, entry, spec},
};

fn region(case: &TestCase<'_>, set: &str) -> String {
    case.env.simulator().pipecat().sets(&case.account)[set]
        .region
        .clone()
}

/// The spec of one entry in this region.
fn spec_in(case: &TestCase<'_>, region: &str) -> Value {
    let mut spec = spec(case, &json!([entry("A_KEY")]));
    spec["provider"]["pipecat"]["region"] = region.into();
    spec
}

#[test]
fn a_region_is_sent_only_where_it_is_given() {
    run(async {
        let (case, _) = case_with(|_| {}).await;
        case.object("default", &[("A_KEY", "source", "a")]).await;
        case.wait_ready("default").await;
        assert!(
            bodies(&case, "PUT")
                .iter()
                .all(|body| body["region"].is_null())
        );
        let mut spec = spec_in(&case, "eu-central");
        spec["provider"]["pipecat"]["setName"] = "agents.eu".into();
        case.apply("region", spec).await.expect("applied");
        case.wait_ready("region").await;
        assert_eq!(bodies(&case, "PUT")[1]["region"], "eu-central");
        assert_eq!(region(&case, "agents"), "us-west");
        assert_eq!(region(&case, "agents.eu"), "eu-central");
        case.finish().await;
    });
}

#[test]
fn a_set_in_another_region_is_reported_and_left_alone() {
    run(async {
        let (case, _) = case_with(|_| {}).await;
        case.account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        case.apply("elsewhere", spec_in(&case, "ap-south"))
            .await
            .expect("applied");
        let object = case.wait_reason("elsewhere", "Conflict").await;
        assert_stalled(&object, "Conflict", "in another region");
        assert_eq!(case.writes(), Vec::<String>::new());
        // A name has one owner, also while it stalls.
        case.kubectl(&["delete", "psec", "elsewhere"]).await;
        // In its own region it is taken.
        let mut spec = spec_in(&case, "us-west");
        spec["data"][0]["name"] = "B_KEY".into();
        case.apply("here", spec).await.expect("applied");
        case.wait_ready("here").await;
        case.wait_held(&[("B_KEY", &case.value("one")), ("OTHER", "foreign")])
            .await;
        case.finish().await;
    });
}

#[test]
fn an_image_pull_secret_of_the_name_is_reported_and_left_alone() {
    run(async {
        let (case, _) = case_with(|_| {}).await;
        by_another(&case).await;
        let before = case.writes();
        case.object("kind", &[("A_KEY", "source", "a")]).await;
        let object = case.wait_reason("kind", "Conflict").await;
        assert_stalled(&object, "Conflict", "image pull secret");
        assert_eq!(case.writes(), before);
        case.finish_leaving(&["secretValue"]).await;
    });
}

#[test]
fn the_set_has_the_name_of_the_object_where_none_is_given() {
    run(async {
        let (case, value) = case_with(|_| {}).await;
        let mut spec = spec(&case, &json!([entry("A_KEY")]));
        let member = spec["provider"]["pipecat"]
            .as_object_mut()
            .expect("a member");
        member.remove("setName");
        case.apply("voice.agent-1", spec).await.expect("applied");
        case.wait_ready("voice.agent-1").await;
        assert_eq!(case.account.values(Some("voice.agent-1"))["A_KEY"], value);
        assert_eq!(case.account.scopes(), [Some("voice.agent-1".to_owned())]);
        case.finish().await;
    });
}
