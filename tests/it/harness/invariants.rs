//! What must hold at the end of every test, whatever it did: reliability.md 6, I1 to I7.

use std::{
    collections::BTreeMap,
    io::{Read as _, Seek as _, SeekFrom},
    time::Duration,
};

use kube::api::{DeleteParams, ListParams};
use provider_secrets::api::ProviderSecret;
use simulator::Exchange;

use super::{Scene, Target, calls, condition, output, test_case::check_conditions};

/// How many intervals of verification nothing may move.
const INTERVALS: u32 = 3;

/// Checks them. `left` are the names that the test left at the provider on purpose.
pub(super) async fn check(scene: &Scene<'_>, left: &[&str]) {
    let objects = objects(scene).await;
    for object in &objects {
        check_conditions(object);
    }
    output::check(scene, &objects).await;
    only_the_provider_was_asked(scene);
    strangers_are_untouched(scene);
    remote_is_what_is_wanted(scene, &objects, left);
    nothing_moves(scene, &objects).await;
    if scene.stage.brisk.is_some() {
        leave(scene, &objects).await;
    }
}

async fn objects(scene: &Scene<'_>) -> Vec<ProviderSecret> {
    let listed = scene.objects().list(&ListParams::default()).await;
    listed.expect("objects are listed").items
}

/// A key of this account went to this provider only, with paths of its API only.
fn only_the_provider_was_asked(scene: &Scene<'_>) {
    let paths: &[&str] = match scene.target {
        Target::BasetenWorkspace => &["/v1/secrets", "/v1/teams"],
        // Of another team too, where a test gives an object a key that does not open its own.
        Target::BasetenTeam => &["/v1/teams/"],
        Target::PrimeIntellect => &["/api/v1/secrets/", "/api/v1/user/whoami"],
        Target::Pipecat => &["/v1/secrets"],
        Target::Braintrust => &["/v1/ai_secret"],
    };
    let url = scene.stage.served.url(scene.account.provider());
    for request in scene.account.requests() {
        let host = request.header("host").unwrap_or_default();
        assert!(url.contains(host), "{host} was asked, not {url}");
        nothing_else_is_sent(&request);
        let line = scene.line(&request);
        let path = line.split(' ').nth(1).unwrap_or_default();
        let is_known = paths.iter().any(|known| path.starts_with(known));
        assert!(is_known, "{:?}: {line}", scene.target);
    }
}

/// The headers of a request are these and no others: nothing that another server gave us, and no
/// credential but the key, by which the simulator knows the account.
fn nothing_else_is_sent(request: &Exchange) {
    for (name, value) in &request.headers {
        let is_known = match name.as_str() {
            "accept" | "content-type" => value == "application/json",
            "authorization" => ["Api-Key ***", "Bearer ***"].contains(&value.as_str()),
            "content-length" => value.bytes().all(|byte| byte.is_ascii_digit()),
            "user-agent" => value == concat!("provider-secrets/", env!("CARGO_PKG_VERSION")),
            // Compared with the provider's own.
            "host" => true,
            _ => false,
        };
        assert!(is_known, "{}: {name}: {value}", request.line());
    }
}

/// What somebody else wrote is as it was.
fn strangers_are_untouched(scene: &Scene<'_>) {
    let strangers = scene.strangers.lock().expect("nobody panicked");
    for ((scope, name), value) in strangers.iter() {
        let held = scene.account.held(scope.as_deref());
        let held = held.get(name).map(|held| (&*held.value, held.foreign));
        assert_eq!(held, Some((&**value, true)), "{:?} {name}", scene.target);
    }
}

/// Everything that we wrote is named by an object or was left on purpose, and everything that an
/// object calls synced is there.
fn remote_is_what_is_wanted(scene: &Scene<'_>, objects: &[ProviderSecret], left: &[&str]) {
    let fold = |name: &str| match scene.target {
        Target::BasetenWorkspace | Target::BasetenTeam => name.replace(['-', '.'], "_"),
        _ => name.to_owned(),
    };
    let mut wanted: BTreeMap<String, bool> = left.iter().map(|name| (fold(name), false)).collect();
    for object in objects {
        let is_ready = condition(object, "Ready").is_some_and(|ready| ready.status == "True");
        let data = object.spec.data.iter().flatten();
        wanted.extend(data.map(|entry| (fold(&entry.name), false)));
        let pipecat = object.spec.provider.pipecat.as_ref();
        let is_image_pull = pipecat.is_some_and(|pipecat| pipecat.image_pull_secret.is_some());
        let entries = object.status.iter().flat_map(|status| &status.entries);
        for entry in entries {
            // What the simulator calls the one value of an image pull secret.
            let name = if is_image_pull {
                "secretValue"
            } else {
                &entry.name
            };
            *wanted.entry(fold(name)).or_default() |= is_ready;
        }
    }
    // All scopes, so that nothing is written into a scope that nobody named.
    let mut names = Vec::new();
    for scope in scene.account.scopes() {
        for (name, held) in scene.account.held(scope.as_deref()) {
            let is_ours = held.writes > 0 && !held.foreign;
            if is_ours && scene.shares.is_none() {
                let is_wanted = wanted.contains_key(&fold(&name));
                assert!(
                    is_wanted,
                    "{:?}: {name} is in {scope:?}, and nobody wants it",
                    scene.target
                );
            }
            names.push(fold(&name));
        }
    }
    for (name, is_synced) in wanted {
        let is_there = !is_synced || names.contains(&name);
        assert!(
            is_there,
            "{:?}: {name} is synced and not there",
            scene.target
        );
    }
}

/// Whether nothing more is expected of an object.
fn is_at_rest(object: &ProviderSecret) -> bool {
    object.metadata.deletion_timestamp.is_none() && condition(object, "Reconciling").is_none()
}

/// After all is done nothing moves: no write at the provider, none in Kubernetes, no event. Where
/// verification is frequent it is waited for.
async fn nothing_moves(scene: &Scene<'_>, objects: &[ProviderSecret]) {
    if !objects.iter().all(is_at_rest) {
        return;
    }
    let Some(interval) = scene.stage.brisk else {
        return;
    };
    let (writes, before) = (scene.writes(), kubernetes_writes(scene).await);
    let objects = self::objects(scene).await;
    let log = scene.stage.operator.process().log_path();
    let length = std::fs::metadata(log).map_or(0, |log| log.len());
    tokio::time::sleep(interval * INTERVALS + Duration::from_millis(200)).await;
    assert_eq!(scene.writes(), writes, "{:?}: the provider", scene.target);
    let now = self::objects(scene).await;
    for (before, now) in objects.iter().zip(&now) {
        assert_eq!(before.status, now.status, "{:?}: status", scene.target);
        let (before, now) = (&before.metadata, &now.metadata);
        assert_eq!(
            before.resource_version, now.resource_version,
            "{:?}",
            scene.target
        );
    }
    assert_eq!(kubernetes_writes(scene).await, before, "{:?}", scene.target);
    let told = told_since(scene, length);
    assert_eq!(told, Vec::<String>::new(), "{:?}: events", scene.target);
}

/// What the operator told about this namespace since its log had a length. Every event is a line as
/// well; the event itself is sent beside the pass and comes later.
fn told_since(scene: &Scene<'_>, length: u64) -> Vec<String> {
    let path = scene.stage.operator.process().log_path();
    let mut file = std::fs::File::open(path).expect("there is a log");
    file.seek(SeekFrom::Start(length)).expect("it is a file");
    let mut news = Vec::new();
    file.read_to_end(&mut news).expect("the log is read");
    let news = String::from_utf8_lossy(&news);
    let namespace = format!("\"namespace\":\"{}\"", scene.namespace);
    let is_told = |line: &&str| line.contains(&namespace) && line.contains("\"reason\":");
    news.lines().filter(is_told).map(str::to_owned).collect()
}

/// The operator's writes about this namespace, but for events.
async fn kubernetes_writes(scene: &Scene<'_>) -> Vec<String> {
    let calls = calls(scene.stage, &scene.namespace).await;
    let writes = calls.iter().filter(|call| {
        call.resource != "events" && !matches!(call.verb.as_str(), "get" | "list" | "watch")
    });
    writes
        .map(|call| format!("{} {}/{}", call.verb, call.resource, call.name))
        .collect()
}

/// Objects that are looked at every second are in the way of later tests.
async fn leave(scene: &Scene<'_>, objects: &[ProviderSecret]) {
    scene.account.clear_faults();
    for object in objects {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        // It may be gone meanwhile.
        let _ = scene.objects().delete(name, &DeleteParams::default()).await;
    }
}
