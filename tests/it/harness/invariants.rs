//! The invariants: what holds at the end of every test, whatever it did.

use std::{
    collections::BTreeMap,
    io::{Read as _, Seek as _, SeekFrom},
    time::Duration,
};

use kube::api::{DeleteParams, ListParams};
use provider_secrets::api::ProviderSecret;
use simulator::Exchange;

use super::{TestCase, TestEnv, calls, condition, output, test_case::check_conditions};

/// For how many verify intervals nothing may change.
const INTERVALS: u32 = 3;

/// Checks the invariants. `left` are the names that the test left at the provider on purpose.
pub(super) async fn check(case: &TestCase<'_>, left: &[&str]) {
    let objects = objects(case).await;
    for object in &objects {
        check_conditions(object);
    }
    case.env.statuses().check();
    output::check(case, &objects).await;
    only_the_provider_was_asked(case);
    no_right_was_missing(case);
    foreign_secrets_are_untouched(case);
    remote_is_what_is_expected(case, &objects, left);
    nothing_moves(case, &objects).await;
    if case.env.verify_interval.is_some() {
        delete_objects(case, &objects).await;
    }
}

async fn objects(case: &TestCase<'_>) -> Vec<ProviderSecret> {
    let listed = case.objects().list(&ListParams::default()).await;
    listed.expect("objects are listed").items
}

/// The operator asked the API server for nothing that the chart does not grant: with the tests of `install/rbac`, which
/// hold that everything granted is used, granted is used. Only a test with a cluster of its own takes a right away.
fn no_right_was_missing(case: &TestCase<'_>) {
    if case.env.cluster.is_pooled() {
        let mut calls = case.env.cluster.calls();
        calls.retain(|call| call.user == TestEnv::user() && call.is_forbidden);
        assert!(calls.is_empty(), "{calls:#?}");
    }
}

/// The account's key went to this provider only, and to paths of its API only.
fn only_the_provider_was_asked(case: &TestCase<'_>) {
    let paths = case.target.paths();
    let url = case.env.served.url(case.account.provider());
    for request in case.account.requests() {
        let host = request.header("host").unwrap_or_default();
        assert!(url.contains(host), "{host} was asked, not {url}");
        nothing_else_is_sent(&request);
        let line = case.line(&request);
        let path = line.split(' ').nth(1).unwrap_or_default();
        let is_known = paths.iter().any(|known| path.starts_with(known));
        assert!(is_known, "{:?}: {line}", case.target);
    }
}

/// A request has these headers and no others: none that another server gave us, and no credential but the key, by
/// which the simulator knows the account.
fn nothing_else_is_sent(request: &Exchange) {
    for (name, value) in &request.headers {
        let is_known = match name.as_str() {
            "accept" | "content-type" => value == "application/json",
            "accept-encoding" => value == "identity",
            "authorization" => ["Api-Key ***", "Bearer ***"].contains(&value.as_str()),
            "content-length" => value.bytes().all(|byte| byte.is_ascii_digit()),
            "user-agent" => value == concat!("provider-secrets/", env!("CARGO_PKG_VERSION")),
            // The caller compares it with the provider's.
            "host" => true,
            _ => false,
        };
        assert!(is_known, "{}: {name}: {value}", request.line());
    }
}

/// Secrets of other clients are unchanged.
fn foreign_secrets_are_untouched(case: &TestCase<'_>) {
    let foreign_secrets = case
        .foreign_secrets
        .lock()
        .expect("the lock is not poisoned");
    for ((scope, name), value) in foreign_secrets.iter() {
        let held = case.account.held(scope.as_deref());
        let held = held.get(name).map(|held| (&*held.value, held.foreign));
        assert_eq!(held, Some((&**value, true)), "{:?} {name}", case.target);
    }
}

/// Every secret of ours is named by an object or was left on purpose, and every entry that an object calls synced is
/// there.
fn remote_is_what_is_expected(case: &TestCase<'_>, objects: &[ProviderSecret], left: &[&str]) {
    let fold = |name: &str| case.target.fold(name);
    let mut expected: BTreeMap<String, bool> =
        left.iter().map(|name| (fold(name), false)).collect();
    for object in objects {
        let is_ready = condition(object, "Ready").is_some_and(|ready| ready.status == "True");
        let data = object.spec.data.iter().flatten();
        expected.extend(data.map(|entry| (fold(&entry.name), false)));
        let pipecat = object.spec.provider.pipecat.as_ref();
        let is_image_pull = pipecat.is_some_and(|pipecat| pipecat.image_pull_secret.is_some());
        let entries = object.status.iter().flat_map(|status| &status.entries);
        for entry in entries {
            // The simulator's name of the one value of an image pull secret.
            let name = if is_image_pull {
                "secretValue"
            } else {
                &entry.name
            };
            *expected.entry(fold(name)).or_default() |= is_ready;
        }
    }
    // All scopes: the operator must not write into a scope that no object names.
    let mut names = Vec::new();
    for scope in case.account.scopes() {
        for (name, held) in case.account.held(scope.as_deref()) {
            let is_ours = held.writes > 0 && !held.foreign;
            if is_ours && case.shares.is_none() {
                let is_expected = expected.contains_key(&fold(&name));
                assert!(
                    is_expected,
                    "{:?}: {name} is in {scope:?}, and no object names it",
                    case.target
                );
            }
            names.push(fold(&name));
        }
    }
    for (name, is_synced) in expected {
        let is_there = !is_synced || names.contains(&name);
        assert!(
            is_there,
            "{:?}: {name} is synced and not there",
            case.target
        );
    }
}

/// Whether the operator has nothing left to do for an object.
fn is_at_rest(object: &ProviderSecret) -> bool {
    object.metadata.deletion_timestamp.is_none() && condition(object, "Reconciling").is_none()
}

/// At rest nothing changes: no write at the provider, none in Kubernetes, no event. Waits for verification where its
/// interval is short.
async fn nothing_moves(case: &TestCase<'_>, objects: &[ProviderSecret]) {
    if !objects.iter().all(is_at_rest) {
        return;
    }
    let Some(interval) = case.env.verify_interval else {
        return;
    };
    let (writes, before) = (case.writes(), kubernetes_writes(case).await);
    let objects = self::objects(case).await;
    let log = case.env.operator.process().log_path();
    let length = std::fs::metadata(log).map_or(0, |log| log.len());
    tokio::time::sleep(interval * INTERVALS + Duration::from_millis(200)).await;
    assert_eq!(case.writes(), writes, "{:?}: the provider", case.target);
    let now = self::objects(case).await;
    for (before, now) in objects.iter().zip(&now) {
        assert_eq!(before.status, now.status, "{:?}: status", case.target);
        let (before, now) = (&before.metadata, &now.metadata);
        assert_eq!(
            before.resource_version, now.resource_version,
            "{:?}",
            case.target
        );
    }
    assert_eq!(kubernetes_writes(case).await, before, "{:?}", case.target);
    let news = logged_since(case, length);
    assert_eq!(news, Vec::<String>::new(), "{:?}: events", case.target);
}

/// The log lines about events in this namespace since the log had this length. The operator logs every event; the
/// event itself is sent outside of the reconcile and comes later.
fn logged_since(case: &TestCase<'_>, length: u64) -> Vec<String> {
    let path = case.env.operator.process().log_path();
    let mut file = std::fs::File::open(path).expect("there is a log");
    file.seek(SeekFrom::Start(length)).expect("it is a file");
    let mut news = Vec::new();
    file.read_to_end(&mut news).expect("the log is read");
    let news = String::from_utf8_lossy(&news);
    let namespace = format!("\"namespace\":\"{}\"", case.namespace);
    let is_news = |line: &&str| line.contains(&namespace) && line.contains("\"reason\":");
    news.lines().filter(is_news).map(str::to_owned).collect()
}

/// The operator's writes in this namespace, without events.
async fn kubernetes_writes(case: &TestCase<'_>) -> Vec<String> {
    let calls = calls(case.env, &case.namespace).await;
    let writes = calls.iter().filter(|call| {
        call.resource != "events" && !matches!(call.verb.as_str(), "get" | "list" | "watch")
    });
    writes
        .map(|call| format!("{} {}/{}", call.verb, call.resource, call.name))
        .collect()
}

/// Deletes the objects: verified every second, they would slow down later tests.
async fn delete_objects(case: &TestCase<'_>, objects: &[ProviderSecret]) {
    case.account.clear_faults();
    for object in objects {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        // It may be gone.
        let _ = case.objects().delete(name, &DeleteParams::default()).await;
    }
}
