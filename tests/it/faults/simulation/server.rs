//! The in-memory API server as a tower service: what a kube client of the operator talks to.
//!
//! It does what the operator relies on as the real one does, and refuses everything else, so that a
//! new kind of call is noticed. Each call takes a little time, before its effect and after it: a
//! watch may show a write before the writer has its answer.

pub(super) mod faults;

use std::{collections::VecDeque, future::pending, io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response, StatusCode, header},
};
use kube::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use tower::service_fn;

use self::faults::{Does, Drops, SILENCE};
use super::{
    refusal::Refusal,
    request::Asked,
    store::{Part, Resource, Store},
};
use crate::faults::call_log::{CallLog, Effect};

/// How long one way takes.
const WAY: Duration = Duration::from_millis(1);
/// How long a watch runs that does not say.
const WATCH: u64 = 300;

/// A client for an incarnation of the operator.
pub(super) fn client(store: &Arc<Store>, call_log: &CallLog, incarnation: u64) -> Client {
    let (store, call_log) = (Arc::clone(store), call_log.clone());
    let service = service_fn(move |request: Request<kube::client::Body>| {
        let (store, call_log) = (Arc::clone(&store), call_log.clone());
        async move {
            call_log.ensure_alive(incarnation).await;
            call_log.ensure_connected(incarnation).await;
            let answer = match Asked::read(request).await {
                Ok(asked) => match store.faults.of(&asked) {
                    Some(Does::Hang) => {
                        sleep(SILENCE).await;
                        return Err(io::Error::from(io::ErrorKind::TimedOut));
                    }
                    Some(Does::Busy(seconds)) => {
                        sleep(2 * WAY).await;
                        return Ok(busy(seconds));
                    }
                    Some(Does::Stray(code)) => {
                        sleep(2 * WAY).await;
                        let status = StatusCode::from_u16(code).expect("a status");
                        return Ok(respond(status, Body::from("404 page not found\n")));
                    }
                    fault => answer(store, call_log, incarnation, asked, fault).await,
                },
                Err(refusal) => Err(refusal),
            };
            Ok(answer.unwrap_or_else(|refusal| {
                let status = StatusCode::from_u16(refusal.code).expect("a status");
                respond(status, Body::from(refusal.status().to_string()))
            }))
        }
    });
    Client::new(service, "default")
}

/// What the filter of priority and fairness says: in its header and not in JSON.
fn busy(seconds: u64) -> Response<Body> {
    Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(header::RETRY_AFTER, seconds)
        .body(Body::from("Too many requests, please try again later.\n"))
        .expect("a response")
}

async fn answer(
    store: Arc<Store>,
    call_log: CallLog,
    incarnation: u64,
    asked: Asked,
    fault: Option<Does>,
) -> Result<Response<Body>, Refusal> {
    let refusal = move |is_done| fault.map_or(Ok(()), |fault| fault.refusal(is_done));
    if asked.is_collection() {
        sleep(WAY).await;
        call_log.ensure_alive(incarnation).await;
        refusal(false)?;
        return if asked.is_watch() {
            watch(store, &asked)
        } else {
            list(&store, &asked)
        };
    }
    // Those of the election are not counted: they go on for ever.
    if asked.resource == Resource::Leases {
        sleep(WAY).await;
        call_log.ensure_alive(incarnation).await;
        let done = write(&store, &asked);
        sleep(WAY).await;
        call_log.ensure_alive(incarnation).await;
        return Ok(respond(StatusCode::OK, Body::from(done?.to_string())));
    }
    // Events are not counted: whether they arrive changes nothing.
    if asked.resource == Resource::Events {
        sleep(WAY).await;
        refusal(false)?;
        let done = write(&store, &asked);
        call_log.record_change();
        return Ok(respond(StatusCode::CREATED, Body::from(done?.to_string())));
    }
    let effect = if asked.method == "GET" {
        Effect::Read
    } else {
        Effect::Record
    };
    let line = asked.line();
    let call = async move {
        sleep(WAY).await;
        let done = match refusal(false) {
            Err(refusal) => Err(refusal),
            Ok(()) => write(&store, &asked),
        };
        sleep(WAY).await;
        if let Some(Does::Late(late)) = fault {
            sleep(late).await;
        }
        refusal(true)?;
        done
    };
    let done = call_log.call(incarnation, line, effect, call).await?;
    Ok(respond(StatusCode::OK, Body::from(done.to_string())))
}

/// Everything that is about one object.
fn write(store: &Store, asked: &Asked) -> Result<Value, Refusal> {
    let namespace = asked.namespace.clone().unwrap_or_default();
    let id = |name: &str| (asked.resource, namespace.clone(), name.to_owned());
    let Some(name) = &asked.name else {
        let metadata = &asked.body["metadata"];
        let given = metadata["name"].as_str().map(str::to_owned);
        let generated = metadata["generateName"]
            .as_str()
            .map(|prefix| format!("{prefix}{}", store.list(asked.resource, None).len()));
        return match (asked.method.as_str(), given.or(generated)) {
            ("POST", Some(name)) => store.create(&id(&name), asked.body.clone()),
            _ => Err(unknown(asked)),
        };
    };
    let id = id(name);
    let part = if asked.is_status {
        Part::Status
    } else {
        Part::Main
    };
    match asked.method.as_str() {
        "GET" => Ok(view(store.get(&id)?, asked.is_partial)),
        "DELETE" => store.delete(&id),
        "PUT" => store.update(&id, part, |object| {
            *object = asked.body.clone();
            Ok(())
        }),
        "PATCH" => match asked.content_type.as_str() {
            "application/merge-patch+json" => store.update(&id, part, |object| {
                json_patch::merge(object, &asked.body);
                Ok(())
            }),
            "application/json-patch+json" => store.update(&id, part, |object| {
                let invalid = || Refusal::invalid("the server could not apply the JSON patch");
                let patch: json_patch::Patch =
                    serde_json::from_value(asked.body.clone()).map_err(|_| invalid())?;
                let patch = without_absent_tests(object, patch);
                json_patch::patch(object, &patch).map_err(|_| invalid())
            }),
            _ => Err(unknown(asked)),
        },
        _ => Err(unknown(asked)),
    }
}

fn unknown(asked: &Asked) -> Refusal {
    let message = format!("{} {} is not known here", asked.line(), asked.content_type);
    Refusal::new(405, "MethodNotAllowed", &message)
}

fn list(store: &Store, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let limit = asked.number("limit").unwrap_or(u64::MAX);
    let (items, version, token) = store.page(
        asked.resource,
        asked.namespace.as_deref(),
        usize::try_from(limit).unwrap_or(usize::MAX),
        asked.parameter("continue"),
    )?;
    let items: Vec<Value> = items
        .into_iter()
        .map(|item| view(item, asked.is_partial))
        .collect();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some(token) = token {
        metadata["continue"] = token.into();
    }
    let (group, kind) = if asked.is_partial {
        ("meta.k8s.io/v1", "PartialObjectMetadataList".to_owned())
    } else {
        ("v1", format!("{:?}List", asked.resource))
    };
    let list = json!({"apiVersion": group, "kind": kind, "metadata": metadata, "items": items});
    Ok(respond(StatusCode::OK, Body::from(list.to_string())))
}

/// A stream of lines, one for each change, until its time is over or its version is too old. Before them, if it is asked
/// for, what is there.
fn watch(store: Arc<Store>, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let (resource, is_partial) = (asked.resource, asked.is_partial);
    let mut version = asked.number("resourceVersion").unwrap_or_default();
    let mut initial = VecDeque::new();
    if asked.is_stream() {
        if !store.faults.streams_lists() {
            let what = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
            return Err(Refusal::invalid(what));
        }
        let (of, items) = store.streamed(resource, asked.namespace.as_deref());
        version = of;
        initial.extend(items.into_iter().map(|item| ("ADDED", item)));
        let end = json!({"metadata": {
            "resourceVersion": version.to_string(),
            "creationTimestamp": null,
            "annotations": {"k8s.io/initial-events-end": "true"},
        }});
        initial.push_back(("BOOKMARK", end));
    }
    let seconds = asked.number("timeoutSeconds").unwrap_or(WATCH);
    let drops = store.faults.drops();
    if matches!(drops, Some((_, Drops::Expired))) {
        initial.push_back(("ERROR", Refusal::expired().status()));
    }
    let lasts = drops.map_or_else(|| Duration::from_secs(seconds), |(after, _)| after);
    let state = Watching {
        changes: store.subscribe(),
        silences: store.faults.silences(),
        store,
        resource,
        version,
        initial,
        until: Instant::now() + lasts,
        is_cut: matches!(drops, Some((_, Drops::Cut))),
        is_over: false,
    };
    let lines = futures::stream::unfold(state, move |mut watching| async move {
        let Some((kind, object)) = watching.next().await else {
            let is_cut = std::mem::take(&mut watching.is_cut);
            let cut = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
            return is_cut.then(|| (cut(), watching));
        };
        let object = match kind {
            "ERROR" => object,
            "BOOKMARK" => bookmark(object, resource, is_partial),
            _ => view(object, is_partial),
        };
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        Some((Ok(Bytes::from(line)), watching))
    });
    Ok(respond(StatusCode::OK, Body::from_stream(lines)))
}

struct Watching {
    store: Arc<Store>,
    changes: tokio::sync::watch::Receiver<u64>,
    resource: Resource,
    version: u64,
    /// What is told before any change.
    initial: VecDeque<(&'static str, Value)>,
    until: Instant,
    /// How often watches had fallen silent when this one began.
    silences: u64,
    /// Whether its end is none that HTTP knows.
    is_cut: bool,
    is_over: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<(&'static str, Value)> {
        if let Some(initial) = self.initial.pop_front() {
            return Some(initial);
        }
        while !self.is_over {
            self.changes.mark_unchanged();
            match self.store.after(self.resource, self.version) {
                Ok(Some(change)) => {
                    self.version = change.version;
                    sleep(WAY).await;
                    return Some((change.kind, change.object));
                }
                Ok(None) => {
                    let news = timeout_at(self.until, self.changes.changed()).await;
                    if self.store.faults.silences() > self.silences {
                        return pending().await;
                    }
                    self.is_over = !matches!(news, Ok(Ok(())));
                }
                Err(refusal) => {
                    self.is_over = true;
                    return Some(("ERROR", refusal.status()));
                }
            }
        }
        None
    }
}

/// A bookmark is an object of its kind with little in it.
fn bookmark(mut object: Value, resource: Resource, is_partial: bool) -> Value {
    if is_partial {
        return view(object, true);
    }
    object["kind"] = format!("{resource:?}").trim_end_matches('s').into();
    object["apiVersion"] = "v1".into();
    object
}

/// An object, or only its metadata.
fn view(object: Value, is_partial: bool) -> Value {
    if is_partial {
        json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": object["metadata"],
        })
    } else {
        object
    }
}

fn respond(status: StatusCode, body: Body) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("a response")
}

/// To an API server what is absent is null: a test for null holds there.
fn without_absent_tests(object: &Value, patch: json_patch::Patch) -> json_patch::Patch {
    let holds = |operation: &json_patch::PatchOperation| {
        matches!(operation, json_patch::PatchOperation::Test(test)
            if test.value.is_null() && object.pointer(test.path.as_str()).is_none())
    };
    let operations = patch.0.into_iter();
    json_patch::Patch(operations.filter(|operation| !holds(operation)).collect())
}
