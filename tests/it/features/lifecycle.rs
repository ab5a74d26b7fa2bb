//! Create, rotate, add and remove, at each of the five upstream APIs: what goes over the wire, what
//! the provider holds then, and what kubectl shows.

mod longest;
mod restart;
mod suspend;

use crate::harness::{Scene, Target, at_each_api, run};
use provider_secrets::api::{ProviderSecret, SourceStatus};
use serde_json::{Value, json};

/// A set of Pipecat is written as a whole, everything else one by one.
fn writes_whole_sets(scene: &Scene<'_>) -> bool {
    scene.target == Target::Pipecat
}

/// Applies the object `life` with the entry `A_KEY` and waits for it; the value that was sent.
async fn one_entry(scene: &Scene<'_>) -> String {
    one_entry_named(scene, "A_KEY").await
}

async fn one_entry_named(scene: &Scene<'_>, name: &str) -> String {
    let (one, two) = (scene.value("one"), scene.value("two"));
    scene.secret("source", &[("a", &one), ("b", &two)]).await;
    scene.object("life", &[(name, "source", "a")]).await;
    scene.wait_ready("life").await;
    one
}

/// Changes the Secret `source` and waits until status speaks of it.
async fn rotate(scene: &Scene<'_>, data: &[(&str, &str)]) -> ProviderSecret {
    let version = scene.secret("source", data).await;
    let is_acted_on = |object: &ProviderSecret| {
        let sources = object.status.iter().flat_map(|status| &status.sources);
        let is_newest = |source: &&SourceStatus| source.resource_version == version;
        sources
            .filter(is_newest)
            .any(|source| source.name == "source")
    };
    scene
        .wait("life", "of the newest Secret", is_acted_on)
        .await
}

/// Method and path of every request but the first `known`, with `{id}` for the provider's ids.
fn lines(scene: &Scene<'_>, known: usize) -> Vec<String> {
    let held = scene.account.held(scene.scope().as_deref());
    let ids: Vec<String> = held.into_values().filter_map(|held| held.id).collect();
    let requests = scene.account.requests();
    let lines = requests[known..].iter().map(|request| scene.line(request));
    lines
        .map(|line| ids.iter().fold(line, |line, id| line.replace(id, "{id}")))
        .collect()
}

/// The id of an entry at the provider, or how often it was written where there are no ids.
fn identity(scene: &Scene<'_>, name: &str) -> Option<String> {
    scene.account.held(scene.scope().as_deref())[name]
        .id
        .clone()
}

/// The body of the newest write.
fn newest_body(scene: &Scene<'_>) -> Value {
    let writes = scene.account.writes();
    let body = writes.last().and_then(|write| write.body.clone());
    body.expect("a write has a body").as_ref().clone()
}

/// What the first write of entries is made of.
fn first_body(target: Target, entries: &[(&str, &str)]) -> Value {
    let (name, value) = entries[entries.len() - 1];
    match target {
        Target::BasetenWorkspace | Target::BasetenTeam => json!({"name": name, "value": value}),
        Target::PrimeIntellect => json!({"name": name, "value": value, "isFile": false}),
        Target::Pipecat => {
            let pair =
                |(name, value): &(&str, &str)| json!({"secretKey": name, "secretValue": value});
            json!({"secrets": entries.iter().map(pair).collect::<Vec<_>>()})
        }
        Target::Braintrust => json!({"name": name, "secret": value}),
    }
}

/// What a write of an entry that is there is made of: nothing that is not managed.
fn next_body(target: Target, entries: &[(&str, &str)]) -> Value {
    let (_, value) = entries[entries.len() - 1];
    match target {
        Target::PrimeIntellect => json!({"value": value}),
        Target::Braintrust => json!({"secret": value}),
        _ => first_body(target, entries),
    }
}

#[test]
fn a_new_object_costs_the_fewest_requests_and_is_shown_as_synced() {
    run(at_each_api(async |scene| {
        // A name that no other test writes: a listing begun before a write of a name is not believed.
        let one = one_entry_named(&scene, "NEW_KEY").await;
        let wanted: &[&str] = match scene.target {
            Target::BasetenWorkspace => &["POST /v1/secrets"],
            Target::BasetenTeam => &["POST /v1/teams/{team}/secrets"],
            Target::PrimeIntellect => &["GET /api/v1/secrets/", "POST /api/v1/secrets/"],
            Target::Pipecat => &[
                "GET /v1/secrets",
                "PUT /v1/secrets/agents",
                "GET /v1/secrets/agents",
            ],
            Target::Braintrust => &["GET /v1/ai_secret", "PUT /v1/ai_secret"],
        };
        assert_eq!(lines(&scene, 0), wanted);
        assert_eq!(
            newest_body(&scene),
            first_body(scene.target, &[("NEW_KEY", &one)])
        );
        scene.wait_held(&[("NEW_KEY", &one)]).await;
        let columns = scene.columns("life").await;
        let provider = scene.target.provider();
        assert_eq!(columns[..4], [provider, "True", "Synced", "1/1"]);
        assert!(
            columns[4].ends_with('s'),
            "LAST-SYNC is an age: {columns:?}"
        );
        scene.finish().await;
    }));
}

#[test]
fn every_request_says_who_asks_and_carries_json() {
    run(at_each_api(async |scene| {
        one_entry(&scene).await;
        let scheme = match scene.target {
            Target::BasetenWorkspace | Target::BasetenTeam => "Api-Key ",
            _ => "Bearer ",
        };
        let agent = concat!("provider-secrets/", env!("CARGO_PKG_VERSION"));
        for request in scene.account.requests() {
            assert_eq!(request.header("user-agent"), Some(agent));
            let sent = request.header("authorization").unwrap_or_default();
            assert!(sent.starts_with(scheme), "{sent}");
            let carries_json = request.header("content-type") == Some("application/json");
            assert_eq!(carries_json, request.is_write(), "{}", request.line());
            assert!(!request.query.unwrap_or_default().contains(&scene.key));
        }
        scene.finish().await;
    }));
}

#[test]
fn a_rotated_value_replaces_the_old_one_under_the_same_id_in_one_write() {
    run(at_each_api(async |scene| {
        one_entry(&scene).await;
        let before = identity(&scene, "A_KEY");
        let known = scene.account.requests().len();
        let rotated = scene.value("rotated");
        let (two, entries) = (scene.value("two"), [("A_KEY", rotated.as_str())]);
        let object = rotate(&scene, &[("a", &rotated), ("b", &two)]).await;
        scene.wait_held(&entries).await;
        let wanted: &[&str] = match scene.target {
            Target::BasetenWorkspace => &["POST /v1/secrets"],
            Target::BasetenTeam => &["POST /v1/teams/{team}/secrets"],
            Target::PrimeIntellect => &["PATCH /api/v1/secrets/{id}"],
            Target::Pipecat => &["PUT /v1/secrets/agents", "GET /v1/secrets/agents"],
            Target::Braintrust => &["PATCH /v1/ai_secret/{id}"],
        };
        assert_eq!(lines(&scene, known), wanted);
        assert_eq!(newest_body(&scene), next_body(scene.target, &entries));
        assert_eq!(identity(&scene, "A_KEY"), before);
        let status = object.status.expect("there is a status");
        assert_eq!(status.entries[0].remote_id, before);
        assert_eq!(scene.columns("life").await[1..4], ["True", "Synced", "1/1"]);
        scene.finish().await;
    }));
}

#[test]
fn an_added_entry_is_the_only_one_written_but_in_a_set() {
    run(at_each_api(async |scene| {
        let one = one_entry(&scene).await;
        let two = scene.value("two");
        let known = scene.account.requests().len();
        scene
            .object(
                "life",
                &[("A_KEY", "source", "a"), ("B_ADDED_KEY", "source", "b")],
            )
            .await;
        scene.wait_ready("life").await;
        let wanted: &[&str] = match scene.target {
            Target::BasetenWorkspace => &["POST /v1/secrets"],
            Target::BasetenTeam => &["POST /v1/teams/{team}/secrets"],
            Target::PrimeIntellect => &["GET /api/v1/secrets/", "POST /api/v1/secrets/"],
            Target::Pipecat => &["PUT /v1/secrets/agents", "GET /v1/secrets/agents"],
            // The page after the last one is empty.
            Target::Braintrust => &[
                "GET /v1/ai_secret",
                "GET /v1/ai_secret",
                "PUT /v1/ai_secret",
            ],
        };
        assert_eq!(lines(&scene, known), wanted);
        let entries = [("A_KEY", one.as_str()), ("B_ADDED_KEY", two.as_str())];
        assert_eq!(newest_body(&scene), first_body(scene.target, &entries));
        assert_eq!(scene.held().len(), 2);
        let times = scene.account.held(scene.scope().as_deref())["A_KEY"].writes;
        assert_eq!(times, if writes_whole_sets(&scene) { 2 } else { 1 });
        assert_eq!(scene.columns("life").await[1..4], ["True", "Synced", "2/2"]);
        scene.finish().await;
    }));
}

#[test]
fn one_rotated_key_of_two_is_the_only_one_written_but_in_a_set() {
    run(at_each_api(async |scene| {
        let one = one_entry(&scene).await;
        scene
            .object(
                "life",
                &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
            )
            .await;
        scene.wait_ready("life").await;
        let before = scene.writes().len();
        let rotated = scene.value("rotated");
        rotate(&scene, &[("a", &one), ("b", &rotated)]).await;
        let entries = [("A_KEY", one.as_str()), ("B_KEY", rotated.as_str())];
        scene.wait_held(&entries).await;
        assert_eq!(scene.writes().len(), before + 1);
        assert_eq!(newest_body(&scene), next_body(scene.target, &entries));
        scene.finish().await;
    }));
}

#[test]
fn an_entry_removed_from_spec_leaves_status_and_stays_at_the_provider() {
    run(at_each_api(async |scene| {
        let (one, two) = (one_entry(&scene).await, scene.value("two"));
        scene
            .object(
                "life",
                &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
            )
            .await;
        scene.wait_ready("life").await;
        let before = scene.writes();
        scene.object("life", &[("B_KEY", "source", "b")]).await;
        let object = scene.wait_ready("life").await;
        let status = object.status.expect("there is a status");
        let names: Vec<&str> = status
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(names, ["B_KEY"]);
        assert_eq!(scene.writes(), before);
        scene.wait_held(&[("A_KEY", &one), ("B_KEY", &two)]).await;
        assert_eq!(scene.columns("life").await[1..4], ["True", "Synced", "1/1"]);
        // What is forgotten is not written when its source changes, and what is kept is.
        let rotated = scene.value("rotated");
        scene
            .secret("source", &[("a", &rotated), ("b", &rotated)])
            .await;
        scene
            .wait_held(&[("A_KEY", &one), ("B_KEY", &rotated)])
            .await;
        // Given back, it is an update of what is there.
        scene
            .object(
                "life",
                &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
            )
            .await;
        scene
            .wait_held(&[("A_KEY", &rotated), ("B_KEY", &rotated)])
            .await;
        scene.finish().await;
    }));
}
