//! Create, rotate, add and remove, at each of the five upstream APIs: what goes over the wire, what
//! the provider holds then, and what kubectl shows.

mod longest;
mod restart;
mod suspend;

use crate::harness::{Target, TestCase, at_each_api, run};
use serde_json::{Value, json};

/// A set of Pipecat is written as a whole, everything else one by one.
fn writes_whole_sets(case: &TestCase<'_>) -> bool {
    case.target == Target::Pipecat
}

/// Applies the object `lifecycle` with the entry `A_KEY` and waits for it; the value that was sent.
async fn one_entry(case: &TestCase<'_>) -> String {
    one_entry_named(case, "A_KEY").await
}

async fn one_entry_named(case: &TestCase<'_>, name: &str) -> String {
    let (one, two) = (case.value("one"), case.value("two"));
    case.secret("source", &[("a", &one), ("b", &two)]).await;
    case.object("lifecycle", &[(name, "source", "a")]).await;
    case.wait_ready("lifecycle").await;
    one
}

/// Method and path of every request but the first `known`, with `{id}` for the provider's ids.
fn lines(case: &TestCase<'_>, known: usize) -> Vec<String> {
    let held = case.account.held(case.scope().as_deref());
    let ids: Vec<String> = held.into_values().filter_map(|held| held.id).collect();
    let requests = case.account.requests();
    let lines = requests[known..].iter().map(|request| case.line(request));
    lines
        .map(|line| ids.iter().fold(line, |line, id| line.replace(id, "{id}")))
        .collect()
}

/// The id of an entry at the provider, or how often it was written where there are no ids.
fn identity(case: &TestCase<'_>, name: &str) -> Option<String> {
    case.account.held(case.scope().as_deref())[name].id.clone()
}

/// The body of the newest write.
fn newest_body(case: &TestCase<'_>) -> Value {
    let writes = case.account.writes();
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
    run(at_each_api(async |case| {
        case.ready_at_once();
        // A name that no other test writes: a listing begun before a write of a name proves nothing.
        let one = one_entry_named(&case, "NEW_KEY").await;
        // Whose names they are is asked once for each account, where the spec does not say.
        let expected: &[&str] = match case.target {
            Target::BasetenWorkspace => &["GET /v1/teams", "POST /v1/secrets"],
            Target::BasetenTeam => &["POST /v1/teams/{team}/secrets"],
            Target::PrimeIntellect => &[
                "GET /api/v1/user/whoami",
                "GET /api/v1/secrets/",
                "POST /api/v1/secrets/",
            ],
            Target::Pipecat => &[
                "GET /v1/secrets",
                "PUT /v1/secrets/agents",
                "GET /v1/secrets/agents",
            ],
            Target::Braintrust => &["GET /v1/ai_secret", "PUT /v1/ai_secret"],
        };
        assert_eq!(lines(&case, 0), expected);
        assert_eq!(
            newest_body(&case),
            first_body(case.target, &[("NEW_KEY", &one)])
        );
        case.wait_held(&[("NEW_KEY", &one)]).await;
        let columns = case.columns("lifecycle").await;
        let provider = case.target.provider();
        assert_eq!(columns[..4], [provider, "True", "Synced", "1/1"]);
        assert!(
            columns[4].ends_with('s'),
            "LAST-SYNC is an age: {columns:?}"
        );
        case.finish().await;
    }));
}

#[test]
fn every_request_says_who_asks_and_carries_json() {
    run(at_each_api(async |case| {
        one_entry(&case).await;
        let scheme = match case.target {
            Target::BasetenWorkspace | Target::BasetenTeam => "Api-Key ",
            _ => "Bearer ",
        };
        let agent = concat!("provider-secrets/", env!("CARGO_PKG_VERSION"));
        for request in case.account.requests() {
            assert_eq!(request.header("user-agent"), Some(agent));
            let sent = request.header("authorization").unwrap_or_default();
            assert!(sent.starts_with(scheme), "{sent}");
            let carries_json = request.header("content-type") == Some("application/json");
            assert_eq!(carries_json, request.is_write(), "{}", request.line());
            assert!(!request.query.unwrap_or_default().contains(&case.key));
        }
        case.finish().await;
    }));
}

#[test]
fn a_rotated_value_replaces_the_old_one_under_the_same_id_in_one_write() {
    run(at_each_api(async |case| {
        case.ready_at_once();
        one_entry(&case).await;
        let before = identity(&case, "A_KEY");
        let known = case.account.requests().len();
        let rotated = case.value("rotated");
        let (two, entries) = (case.value("two"), [("A_KEY", rotated.as_str())]);
        let version = case.secret("source", &[("a", &rotated), ("b", &two)]).await;
        let object = case.wait_current("lifecycle", &version).await;
        case.wait_held(&entries).await;
        let expected: &[&str] = match case.target {
            Target::BasetenWorkspace => &["POST /v1/secrets"],
            Target::BasetenTeam => &["POST /v1/teams/{team}/secrets"],
            Target::PrimeIntellect => &["PATCH /api/v1/secrets/{id}"],
            Target::Pipecat => &["PUT /v1/secrets/agents", "GET /v1/secrets/agents"],
            Target::Braintrust => &["PATCH /v1/ai_secret/{id}"],
        };
        assert_eq!(lines(&case, known), expected);
        assert_eq!(newest_body(&case), next_body(case.target, &entries));
        assert_eq!(identity(&case, "A_KEY"), before);
        let status = object.status.expect("there is a status");
        assert_eq!(status.entries[0].remote_id, before);
        assert_eq!(
            case.columns("lifecycle").await[1..4],
            ["True", "Synced", "1/1"]
        );
        case.finish().await;
    }));
}

#[test]
fn an_added_entry_is_the_only_one_written_but_in_a_set() {
    run(at_each_api(async |case| {
        case.ready_at_once();
        let one = one_entry(&case).await;
        let two = case.value("two");
        let known = case.account.requests().len();
        case.object(
            "lifecycle",
            &[("A_KEY", "source", "a"), ("B_ADDED_KEY", "source", "b")],
        )
        .await;
        case.wait_ready("lifecycle").await;
        let expected: &[&str] = match case.target {
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
        assert_eq!(lines(&case, known), expected);
        let entries = [("A_KEY", one.as_str()), ("B_ADDED_KEY", two.as_str())];
        assert_eq!(newest_body(&case), first_body(case.target, &entries));
        assert_eq!(case.held().len(), 2);
        let times = case.account.held(case.scope().as_deref())["A_KEY"].writes;
        assert_eq!(times, if writes_whole_sets(&case) { 2 } else { 1 });
        assert_eq!(
            case.columns("lifecycle").await[1..4],
            ["True", "Synced", "2/2"]
        );
        case.finish().await;
    }));
}

#[test]
fn one_rotated_key_of_two_is_the_only_one_written_but_in_a_set() {
    run(at_each_api(async |case| {
        let one = one_entry(&case).await;
        case.object(
            "lifecycle",
            &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
        )
        .await;
        case.wait_ready("lifecycle").await;
        let before = case.writes().len();
        let rotated = case.value("rotated");
        let version = case.secret("source", &[("a", &one), ("b", &rotated)]).await;
        case.wait_current("lifecycle", &version).await;
        let entries = [("A_KEY", one.as_str()), ("B_KEY", rotated.as_str())];
        case.wait_held(&entries).await;
        assert_eq!(case.writes().len(), before + 1);
        assert_eq!(newest_body(&case), next_body(case.target, &entries));
        case.finish().await;
    }));
}

#[test]
fn an_entry_removed_from_spec_leaves_status_and_stays_at_the_provider() {
    run(at_each_api(async |case| {
        let (one, two) = (one_entry(&case).await, case.value("two"));
        case.object(
            "lifecycle",
            &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
        )
        .await;
        case.wait_ready("lifecycle").await;
        let before = case.writes();
        case.object("lifecycle", &[("B_KEY", "source", "b")]).await;
        let object = case.wait_ready("lifecycle").await;
        let status = object.status.expect("there is a status");
        let names: Vec<&str> = status
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(names, ["B_KEY"]);
        assert_eq!(case.writes(), before);
        case.wait_held(&[("A_KEY", &one), ("B_KEY", &two)]).await;
        assert_eq!(
            case.columns("lifecycle").await[1..4],
            ["True", "Synced", "1/1"]
        );
        // What is forgotten is not written when its source changes, and what is kept is.
        let rotated = case.value("rotated");
        case.secret("source", &[("a", &rotated), ("b", &rotated)])
            .await;
        case.wait_held(&[("A_KEY", &one), ("B_KEY", &rotated)])
            .await;
        // Given back, it is an update of what is there.
        case.object(
            "lifecycle",
            &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
        )
        .await;
        case.wait_held(&[("A_KEY", &rotated), ("B_KEY", &rotated)])
            .await;
        case.finish().await;
    }));
}
