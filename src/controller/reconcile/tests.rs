//! Which objects a reconcile leaves alone, whatever brought them to it, and which it does not forget.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::FutureExt as _;
use kube::{Client, client::Body};
use rstest::rstest;
use tokio::{sync::mpsc, time::Instant};
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::controller::cache::SecretReads;
use crate::{
    account::{Accounts, Credential, Credentials, Endpoints, Limiter},
    clock::Moment,
    controller::{
        cache::{Complete, ObjectStates, ReverseIndex, Rotations, SecretVersions},
        events::Events,
        namespaces::Namespaces,
        ownership::Claims,
    },
    http::{Http, TransportError},
    leadership::Leadership,
    telemetry::Metrics,
};

/// Every Secret: an API key and a value.
const SECRET: &str = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "resourceVersion": "5"},
    "data": {"key": "a2V5", "a": "YQ=="}}"#;

/// A context whose calls, to providers and to the Kubernetes API, are counted. They fail, but for
/// those that read a Secret or a namespace. There is one place for calls to providers.
fn context(namespaces: &str, calls: &Arc<AtomicUsize>) -> Context {
    let namespaces: Namespaces = namespaces.parse().unwrap();
    let count = {
        let calls = Arc::clone(calls);
        move || calls.fetch_add(1, Ordering::Relaxed)
    };
    let kubernetes = {
        let count = count.clone();
        service_fn(move |request: ::http::Request<Body>| {
            count();
            let is_of_core = request.uri().path().starts_with("/api/v1/namespaces/");
            std::future::ready(if is_of_core {
                Ok(::http::Response::new(Body::from(
                    SECRET.as_bytes().to_vec(),
                )))
            } else {
                Err(std::io::Error::other("no"))
            })
        })
    };
    let client = Client::new(kubernetes, "default");
    let transport = service_fn(move |_| {
        count();
        std::future::ready(Err(TransportError::Connect))
    });
    let metrics = Metrics::default();
    let http = Http::new(
        BoxCloneSyncService::new(transport),
        metrics.clone(),
        Leadership::unopposed(),
    );
    let limiter = Limiter::new(1, 1, mpsc::unbounded_channel().0, metrics.clone());
    let (events, _) = Events::new(
        client.clone(),
        metrics.clone(),
        "test",
        Leadership::unopposed(),
    );
    let secrets = SecretVersions::new(&namespaces, None);
    secrets.set_complete();
    let objects_listed = Complete::default();
    objects_listed.set();
    let states = Arc::new(ObjectStates::default());
    states.create("1");
    Context {
        client,
        stored: kube::runtime::reflector::store().0,
        secrets,
        secret_reads: SecretReads::default(),
        large_values: crate::controller::cache::LargeValues::default(),
        bounds: crate::controller::cache::NamespaceBounds::default(),
        opt_in: crate::controller::OptIn::default(),
        namespaces,
        accounts: Accounts::new(http, Endpoints::new([]), limiter),
        credentials: Credentials::default(),
        reverse_index: ReverseIndex::default(),
        rotations: Rotations::default(),
        claims: Claims::default(),
        states,
        window: Arc::default(),
        news: crate::controller::cache::News::default(),
        objects_listed,
        was_operated: AtomicBool::new(false),
        requeue: mpsc::unbounded_channel().0,
        leadership: Leadership::unopposed(),
        epoch: Instant::now(),
        verify_interval: Duration::from_mins(10),
        deletion_timeout: Duration::from_mins(15),
        removal_grace: Duration::from_mins(1),
        watch_check: Duration::from_mins(1),
        events,
        metrics,
    }
}

fn object(namespace: &str) -> Arc<ProviderSecret> {
    let object = serde_json::json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"namespace": namespace, "name": "object", "uid": "1", "generation": 1},
        "spec": {
            "provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "key"}}},
            "data": [{"name": "A", "secretKeyRef": {"name": "source", "key": "a"}}],
        },
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

/// The last case is the control: there is something to do, and the call for it is counted.
/// Cases: H-03
#[rstest]
#[case::not_watched("ml", "web", true, 0)]
#[case::secrets_not_listed("ml,web", "web", false, 0)]
#[case::watched("ml,web", "web", true, 1)]
#[tokio::test]
async fn what_is_not_the_operators_business_costs_no_call(
    #[case] watched: &str,
    #[case] namespace: &str,
    #[case] is_listed: bool,
    #[case] least: usize,
) {
    let calls = Arc::default();
    let context = context(watched, &calls);
    if is_listed {
        context.secrets.set_whole(namespace);
    }
    let (result, _) = reconcile(&context, &object(namespace)).await;
    let made = calls.load(Ordering::Relaxed);
    assert_eq!(result == ReconcileResult::Unchanged, least == 0);
    assert!(if least == 0 { made == 0 } else { made >= least }, "{made}");
}

/// A process that waited here could not end before the list came.
/// Cases: L-05
#[tokio::test]
async fn what_comes_before_the_first_lists_is_left_to_the_look_after_them() {
    let calls = Arc::default();
    let mut context = context("", &calls);
    context.objects_listed = Complete::default();
    let object = object("ml");
    let left = (ReconcileResult::Unchanged, Action::await_change());
    let ended = reconcile(&context, &object).now_or_never();
    assert_eq!(ended, Some(left));
    // A standby leaves it too: it does not know whether there is news.
    context.leadership = Leadership::elected().1;
    let name = ("ml".to_owned(), "object".to_owned());
    let ended = stand_by(&context, &name, Some(&object));
    assert_eq!(ended, Some(Action::await_change()));
    assert!(context.news.take().is_empty());
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

/// An object that is synced, its Secrets included, as status and the watches tell.
fn synced(context: &Context) -> Arc<ProviderSecret> {
    for name in ["key", "source"] {
        let name = ("ml".to_owned(), name.to_owned());
        context.secrets.apply(&name, "5", false);
    }
    let mut object = ProviderSecret::clone(&object("ml"));
    let status = serde_json::json!({
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Synced", "message": "",
            "lastTransitionTime": "2026-11-21T12:00:00Z", "observedGeneration": 1,
        }],
        "sources": [{"name": "key", "resourceVersion": "5"}, {"name": "source", "resourceVersion": "5"}],
        "entries": [{"name": "A", "state": "Synced", "digest": "d"}],
    });
    object.status = serde_json::from_value(status).unwrap();
    Arc::new(object)
}

#[tokio::test]
async fn what_was_asked_for_is_not_forgotten_while_the_object_waits_for_its_turn() {
    let context = context("", &Arc::default());
    let object = synced(&context);
    let credential = Credential::new(b"key").unwrap();
    let choice = object.spec.provider.choice().unwrap();
    let account = context.accounts.get(choice, &credential).unwrap();
    let (result, _) = reconcile(&context, &object).await;
    assert_eq!(result, ReconcileResult::Unchanged, "nothing is new");
    let permit = account
        .limiter
        .admit(&("ml".to_owned(), "other".to_owned()));
    assert!(matches!(permit, Admission::Granted(_)));
    context
        .states
        .with("1", |tracked| tracked.is_requeued = true);
    for _ in 0..2 {
        let (result, _) = reconcile(&context, &object).await;
        assert_eq!(result, ReconcileResult::Abandoned, "it is parked");
    }
    drop(permit);
    assert!(
        account
            .limiter
            .is_granted(&("ml".to_owned(), "object".to_owned()))
    );
    reconcile(&context, &object).await;
    assert!(
        !account
            .limiter
            .is_granted(&("ml".to_owned(), "object".to_owned())),
        "its turn is used"
    );
    assert!(account.limiter.refusal().is_none());
    let is_tried = context.states.with("1", |tracked| tracked.is_requeued);
    assert_eq!(
        is_tried,
        Some(true),
        "status could not be written, so it is still asked for"
    );
}

/// A lease that ran out is renewed by an answer that comes late, and no process begins to lead then: an
/// object that came in between is not forgotten. That of a standby is, until that one leads.
/// Cases: L-06
#[tokio::test(start_paused = true)]
async fn an_object_that_comes_while_the_lease_has_run_out_comes_again() {
    let (post, leadership) = Leadership::elected();
    let context = Context {
        leadership,
        ..context("ml", &Arc::default())
    };
    context.secrets.set_whole("ml");
    let name = ("ml".to_owned(), "object".to_owned());
    let object = object("ml");
    let stand_by = || stand_by(&context, &name, Some(&object));
    assert_eq!(stand_by(), Some(Action::await_change()));
    assert_eq!(context.news.take(), [name.clone()].into());

    let second = Duration::from_secs(1);
    post.send_replace(Some(crate::leadership::Term {
        epoch: Some(1),
        began: Moment::now(),
        until: Some(Moment::now() + second),
        is_inherited: false,
    }));
    assert_eq!(stand_by(), None);
    tokio::time::advance(second).await;
    assert_eq!(stand_by(), Some(Action::requeue(second)));
    assert!(context.news.take().is_empty());
}
