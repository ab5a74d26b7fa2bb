//! `sync`, `suspend` and `resume`: requests to the operator, and the wait until it has acted on them.

mod progress;

use std::{process::ExitCode, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::{Value, json};

use self::progress::{Asked, Progress, progress};
use super::{
    answer::{Answer, Answered, DONE, FAILED, Refusal},
    flags::{ClusterFlags, Scope, WaitFlags},
    print,
    read::{Reader, on_cluster},
    say,
    view::{namespaced_name, resource_name},
    wait::Wait,
};
use crate::{
    api::{ProviderSecret, SYNC_REQUESTED_AT},
    controller::{REQUESTS, request_order},
};

/// How many objects a line about a wait that was in vain names.
const MAX_NAMED: usize = 3;

/// What is asked of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// To look at everything and try it now.
    Sync,
    /// To leave the object alone.
    Suspend,
    /// To go on.
    Resume,
}

impl Verb {
    /// What a line says that tells of the request.
    fn asked(self) -> &'static str {
        match self {
            Self::Sync => "sync requested",
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
        }
    }

    /// The change of the object.
    fn patch(self, token: &str) -> Value {
        match self {
            Self::Sync => json!({"metadata": {"annotations": {SYNC_REQUESTED_AT: token}}}),
            Self::Suspend => json!({"spec": {"suspend": true}}),
            Self::Resume => json!({"spec": {"suspend": false}}),
        }
    }
}

/// The flags of `sync`, `suspend` and `resume`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The objects
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Every object of the namespace
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    wait: WaitFlags,
}

pub(super) fn run(flags: &Flags, verb: Verb) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let is_bounded = flags.all || flags.scope.all_namespaces || flags.scope.selector.is_some();
        if flags.names.is_empty() && !is_bounded {
            let text = "name objects, or give --selector, --all or --all-namespaces";
            return Err(Refusal::usage(text));
        }
        if flags.all && !flags.names.is_empty() {
            return Err(Refusal::usage("give names or --all, not both"));
        }
        flags.scope.is_clear(&flags.cluster)?;
        let objects = reader.objects(&flags.names, &flags.scope).await?;
        if let Some(text) = in_vain(&objects, &reader, flags) {
            say(&text);
        }
        request(&reader, verb, objects, &flags.wait).await
    })
}

/// What is said where nothing is asked of any object: a label may be misspelt.
fn in_vain(objects: &[ProviderSecret], reader: &Reader, flags: &Flags) -> Option<String> {
    let is_told = !objects.is_empty() || reader.is_incomplete();
    (!is_told).then(|| flags.scope.none_found(&reader.namespace))
}

/// An object that is waited for.
struct Waited {
    namespace: String,
    name: String,
    uid: Option<String>,
    asked: Asked,
}

async fn request(
    reader: &Reader,
    verb: Verb,
    objects: Vec<ProviderSecret>,
    wait: &WaitFlags,
) -> Answered {
    let now = Timestamp::now();
    let mut code = DONE;
    let mut waited = Vec::new();
    for object in objects {
        let (namespace, name) = namespaced_name(&object);
        let is_held = verb == Verb::Sync && object.spec.is_suspended();
        if is_held {
            say(&format!("{namespace}/{name} is suspended: resume it first"));
            code = FAILED;
            continue;
        }
        let token = token(last_request(&object), now);
        let changed = match reader.patch(&namespace, &name, &verb.patch(&token)).await {
            Ok(changed) => changed,
            // The others must not wait for it.
            Err(refusal) => {
                say(&refusal.text);
                code = code.max(refusal.code);
                continue;
            }
        };
        code = code.max(told(&format!(
            "{} {}\n",
            resource_name(&name),
            verb.asked()
        )));
        let status = changed.status;
        waited.push(Waited {
            namespace,
            name,
            uid: changed.metadata.uid,
            asked: Asked {
                token,
                handled_before: status.and_then(|status| status.last_handled_sync_request),
                generation: changed.metadata.generation,
            },
        });
    }
    if wait.wait {
        code = code.max(self::wait(reader, verb, waited, wait.timeout).await?);
    }
    Ok(Answer {
        text: String::new(),
        code,
    })
}

/// Prints a line of one object, and gives the exit code. The others must not wait for one that cannot be written.
fn told(line: &str) -> u8 {
    let Err(refusal) = print(line) else {
        return DONE;
    };
    say(&refusal.text);
    refusal.code
}

/// The latest request that was made of an object, or that the operator has handled.
pub(super) fn last_request(object: &ProviderSecret) -> Option<&str> {
    let status = object.status.as_ref();
    let handled = status.and_then(|status| status.last_handled_sync_request.as_ref());
    let annotations = object.annotations();
    let asked = REQUESTS.into_iter().filter_map(|key| annotations.get(key));
    let requests = asked.chain(handled).map(String::as_str);
    requests.max_by_key(|asked| request_order(asked))
}

/// The text of a request that is made `now`. Unlike a time of whole seconds it differs from that of a request a moment
/// ago. The operator takes the latest time alone (docs/reference.md#requests), and the clock that the `last` one was
/// written with may be ahead.
pub(super) fn token(last: Option<&str>, now: Timestamp) -> String {
    let last = last.and_then(|text| text.parse::<Timestamp>().ok());
    let after_last = last.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
    format!("{:.9}", after_last.map_or(now, |after| now.max(after)))
}

/// Waits until the operator has acted on all of them, and tells of each what came of it. Gives the exit code.
async fn wait(
    reader: &Reader,
    verb: Verb,
    mut waited: Vec<Waited>,
    timeout: Duration,
) -> Result<u8, Refusal> {
    let wait = Wait::new(timeout);
    let mut code = DONE;
    while !waited.is_empty() {
        let mut open = Vec::new();
        for one in waited {
            let found = reader.find(&one.namespace, &one.name);
            let found = match wait.look(found).await {
                Ok(found) => found.filter(|found| found.metadata.uid == one.uid),
                Err(refusal) if refusal.is_transient => {
                    open.push(one);
                    continue;
                }
                // The others are waited for all the same.
                Err(refusal) => {
                    say(&refusal.text);
                    code = FAILED;
                    continue;
                }
            };
            let Some(object) = found else {
                say(&format!(
                    "{}/{} was deleted meanwhile",
                    one.namespace, one.name
                ));
                code = FAILED;
                continue;
            };
            match progress(verb, &object, &one.asked, wait.elapsed()) {
                Progress::Waiting => open.push(one),
                Progress::Done { is_ready, text } => {
                    let seconds = wait.elapsed().as_secs_f64();
                    code = code.max(told(&format!(
                        "{} {text} in {seconds:.1}s\n",
                        resource_name(&one.name)
                    )));
                    if !is_ready {
                        code = FAILED;
                    }
                }
            }
        }
        waited = open;
        if !waited.is_empty() && !wait.pause().await {
            let names = waited
                .iter()
                .take(MAX_NAMED)
                .map(|one| format!("{}/{}", one.namespace, one.name));
            let names = names.collect::<Vec<String>>().join(", ");
            let first = &waited[0];
            return Err(Refusal::timeout(format!(
                "timed out waiting for {} of them, such as {names}: see kubectl provider-secrets why {} -n {}",
                waited.len(),
                first.name,
                first.namespace
            )));
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;
    use crate::cli::{
        answer::TIMEOUT,
        tests::samples::{answering, condition, object, provider, refused, silent},
    };
    use crate::{api::FLUX_REQUESTED_AT, controller::requested};

    fn waited(name: &str) -> Waited {
        Waited {
            namespace: "ml".to_owned(),
            name: name.to_owned(),
            uid: Some(format!("uid-of-{name}")),
            asked: Asked {
                token: "token".to_owned(),
                handled_before: None,
                generation: Some(3),
            },
        }
    }

    /// An object of this name that has handled the request.
    fn handled(name: &str) -> (u16, Value) {
        let spec = json!({"provider": provider("baseten", "baseten")});
        let ready = condition("Ready", "True", "Synced", "m", 5);
        let status = json!({"lastHandledSyncRequest": "token", "conditions": [ready]});
        let object = object(&format!("ml/{name}"), spec, status);
        (200, serde_json::to_value(object).unwrap())
    }

    /// Of the two objects the first is asked for first.
    #[rstest]
    #[case::restart(vec![refused(503), refused(503), handled("one"), handled("two")], Ok(DONE))]
    #[case::deleted(vec![refused(404), refused(429), handled("two")], Ok(FAILED))]
    #[case::made_anew(vec![handled("other"), handled("two")], Ok(FAILED))]
    #[case::forbidden(vec![refused(403), handled("two")], Ok(FAILED))]
    #[case::down(vec![refused(503)], Err(TIMEOUT))]
    #[tokio::test(start_paused = true)]
    async fn a_failed_read_of_one_object_ends_no_wait(
        #[case] answers: Vec<(u16, Value)>,
        #[case] expected: Result<u8, u8>,
    ) {
        let both = vec![waited("one"), waited("two")];
        let timeout = Duration::from_mins(1);
        let found = wait(&answering(answers), Verb::Sync, both, timeout).await;
        assert_eq!(found.map_err(|refusal| refusal.code), expected);
    }

    /// However many objects are waited for; without time they are looked at once.
    #[rstest]
    #[case::shorter_than_a_read(Duration::from_secs(5), 5)]
    #[case::longer_than_a_read(Duration::from_secs(70), 70)]
    #[case::without_time(Duration::ZERO, 30)]
    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_in_time_while_the_api_server_is_silent(
        #[case] timeout: Duration,
        #[case] seconds: u64,
    ) {
        let began = Instant::now();
        let all = ["one", "two", "three"].map(waited).into();
        let found = wait(&silent(), Verb::Sync, all, timeout).await;
        assert_eq!(found.map_err(|refusal| refusal.code), Err(TIMEOUT));
        assert_eq!(began.elapsed().as_secs(), seconds);
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    #[rstest]
    #[case(&["-l", "team=non"], "No resources found in ml namespace.")]
    #[case(&["--all"], "No resources found in ml namespace.")]
    #[case(&["-A"], "No resources found")]
    #[tokio::test]
    async fn a_request_of_no_object_is_said(#[case] words: &[&str], #[case] expected: &str) {
        let words = [&["suspend"], words].concat();
        let flags = <Line as clap::Parser>::try_parse_from(words).unwrap().flags;
        let reader = answering(vec![refused(404)]);
        assert_eq!(in_vain(&[], &reader, &flags).as_deref(), Some(expected));
        let (_, found) = handled("one");
        let found: ProviderSecret = serde_json::from_value(found).unwrap();
        assert_eq!(in_vain(&[found], &reader, &flags), None);
    }

    /// Flux writes its own annotation, with a clock of its own.
    #[rstest]
    #[case::alone(json!({}), "2026-11-29T12:00:00.000000000Z")]
    #[case::before(json!({FLUX_REQUESTED_AT: "2026-11-29T11:59:59Z"}), "2026-11-29T12:00:00.000000000Z")]
    #[case::after_that_of_another_user(json!({SYNC_REQUESTED_AT: "2026-11-29T12:00:01Z"}), "2026-11-29T12:00:01.000000001Z")]
    #[case::after(json!({FLUX_REQUESTED_AT: "2026-11-29T12:00:01Z"}), "2026-11-29T12:00:01.000000001Z")]
    #[case::before_elsewhere(json!({FLUX_REQUESTED_AT: "2026-11-29T13:30:00+02:00"}), "2026-11-29T12:00:00.000000000Z")]
    #[case::after_elsewhere(json!({FLUX_REQUESTED_AT: "2026-11-29T11:30:00-01:00"}), "2026-11-29T12:30:00.000000001Z")]
    #[case::no_time(json!({FLUX_REQUESTED_AT: "now"}), "2026-11-29T12:00:00.000000000Z")]
    fn a_request_is_later_than_any_before_it(#[case] annotations: Value, #[case] expected: &str) {
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
            "metadata": {"name": "object", "namespace": "ml", "annotations": annotations},
            "spec": {"provider": {"baseten": {"apiKeySecretRef": {"name": "api", "key": "key"}}}},
        });
        let mut object: ProviderSecret = serde_json::from_value(object).unwrap();
        let now = "2026-11-29T12:00:00Z".parse().unwrap();
        let asked = token(last_request(&object), now);
        assert_eq!(asked, expected);
        let annotations = object.annotations_mut();
        annotations.insert(SYNC_REQUESTED_AT.to_owned(), asked.clone());
        assert_eq!(requested(&object).as_ref(), Some(&asked));
        // Also than one that was handled, whatever clock it was made with.
        let status = object.status.get_or_insert_default();
        status.last_handled_sync_request = Some(asked.clone());
        object.annotations_mut().clear();
        let next = token(last_request(&object), now);
        assert!(request_order(&next) > request_order(&asked), "{next}");
    }
}
