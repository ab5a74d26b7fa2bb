//! The question for the scope: its answer is kept, and nothing else depends on it.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, header};
use rstest::rstest;
use serde_json::json;
use tokio::{sync::mpsc, time::sleep};
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    api::ProviderSpec,
    clock::Moment,
    leadership::{Leadership, Term},
    telemetry::Metrics,
};

/// How the question for the scope ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    With(u16),
    Never,
    NotJson,
}

/// The account of a member of the spec without a team, with a provider that answers listings, and the
/// question for the scope in this way until `is_well` is more than nothing. Gives also how often the
/// question was asked.
fn account(
    spec: &ProviderSpec,
    ends: Ends,
    is_well: &Arc<AtomicUsize>,
    leadership: Leadership,
) -> (Arc<Account>, Arc<AtomicUsize>) {
    let (asked, is_well) = (Arc::new(AtomicUsize::new(0)), Arc::clone(is_well));
    let count = Arc::clone(&asked);
    let answer = move |request: Request<Bytes>| {
        let (count, is_well) = (Arc::clone(&count), Arc::clone(&is_well));
        async move {
            let path = request.uri().path();
            let (status, body) = if path.contains("secrets") {
                (200, json!({"secrets": [], "data": []}))
            } else {
                count.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_millis(50)).await;
                match ends {
                    Ends::With(status) if is_well.load(Ordering::SeqCst) == 0 => {
                        (status, json!({}))
                    }
                    Ends::NotJson if is_well.load(Ordering::SeqCst) == 0 => (200, json!("page")),
                    Ends::Never if is_well.load(Ordering::SeqCst) == 0 => {
                        sleep(Duration::MAX).await;
                        (200, json!({}))
                    }
                    _ => (
                        200,
                        json!({"teams": [{"id": "scope", "name": "one"}], "data": {"id": "scope"}}),
                    ),
                }
            };
            let response = Response::builder()
                .status(status)
                .header(header::CONTENT_TYPE, "application/json");
            Ok(response.body(Bytes::from(body.to_string())).unwrap())
        }
    };
    let transport = BoxCloneSyncService::new(service_fn(answer));
    let http = Http::new(transport, Metrics::default(), leadership);
    let (requeue, _) = mpsc::unbounded_channel();
    let limiter = Limiter::new(8, 8, requeue, Metrics::default());
    let endpoints = Endpoints::new([]);
    let accounts = Accounts::new(http, endpoints, limiter);
    let credential = Credential::new(b"key").unwrap();
    let account = accounts.get(spec.choice().unwrap(), &credential).unwrap();
    (account, asked)
}

/// A process that leads again asks at once.
#[tokio::test(start_paused = true)]
async fn a_question_that_may_not_be_sent_is_not_asked() {
    let spec = json!({"baseten": {"apiKeySecretRef": {"name": "s", "key": "k"}}});
    let spec: ProviderSpec = serde_json::from_value(spec).unwrap();
    let (post, leadership) = Leadership::elected();
    let is_well = Arc::new(AtomicUsize::new(1));
    let (account, asked) = account(&spec, Ends::With(401), &is_well, leadership);
    let provider = account.provider(spec.choice().unwrap(), "object");
    assert!(account.scope(&*provider).await.is_err());
    assert!(!account.is_scope_asked());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    post.send_replace(Some(Term {
        epoch: Some(1),
        began: Moment::now(),
        until: None,
        is_inherited: false,
    }));
    assert_eq!(account.scope(&*provider).await.unwrap(), Some("scope"));
    assert!(account.is_scope_asked() && account.is_scope_answered());
}

/// A user may name any team in a spec.
/// Cases: M-02
#[tokio::test(start_paused = true)]
async fn a_team_that_the_spec_names_is_not_one_that_an_answer_has_shown() {
    let spec = json!({"baseten": {"apiKeySecretRef": {"name": "s", "key": "k"}, "teamId": "team"}});
    let spec: ProviderSpec = serde_json::from_value(spec).unwrap();
    let is_well = Arc::default();
    let (account, asked) = account(&spec, Ends::With(401), &is_well, Leadership::unopposed());
    let provider = account.provider(spec.choice().unwrap(), "object");
    assert_eq!(account.scope(&*provider).await.unwrap(), Some("team"));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert!(account.is_scope_asked() && !account.is_scope_answered());
    let listing = provider.list().await.unwrap();
    account.learn_scope(listing.scope.as_deref());
    assert!(account.is_scope_answered());
}

/// docs/vendors.md#bt-5
#[tokio::test(start_paused = true)]
async fn a_write_is_of_the_scope_that_the_newest_listing_is_of() {
    let spec = json!({"primeIntellect": {"apiKeySecretRef": {"name": "s", "key": "k"}}});
    let spec: ProviderSpec = serde_json::from_value(spec).unwrap();
    let is_well = Arc::new(AtomicUsize::new(1));
    let (account, _) = account(&spec, Ends::Never, &is_well, Leadership::unopposed());
    let provider = account.provider(spec.choice().unwrap(), "object");
    assert_eq!(account.scope(&*provider).await.unwrap(), Some("scope"));
    // A vendor may tell its user by another id in a listing than in the answer to the question.
    for id in [Some("user"), None, Some("user")] {
        account.learn_scope(id);
        assert_eq!(account.ensure_scope(id), Ok(()));
    }
    let other = account.ensure_scope(Some("another"));
    assert_eq!(other, Err(ProviderError::other_scope()));
    // What the key reaches has changed.
    account.learn_scope(Some("another"));
    assert_eq!(account.ensure_scope(Some("another")), Ok(()));
    assert_eq!(account.known_scope(), Some("scope"));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_question_for_the_scope_that_fails_holds_nothing_up_and_is_asked_again(
    #[values("baseten", "primeIntellect")] member: &str,
    #[values(
        Ends::With(401),
        Ends::With(403),
        Ends::With(404),
        Ends::With(429),
        Ends::With(500),
        Ends::Never,
        Ends::NotJson
    )]
    ends: Ends,
) {
    let spec = json!({member: {"apiKeySecretRef": {"name": "s", "key": "k"}}});
    let spec: ProviderSpec = serde_json::from_value(spec).unwrap();
    let choice = spec.choice().unwrap();
    let is_well = Arc::new(AtomicUsize::new(0));
    let (account, asked) = account(&spec, ends, &is_well, Leadership::unopposed());
    let provider = account.provider(choice, "object");
    let asks = (0..20).map(|_| account.scope(&*provider));
    let answers = futures::future::join_all(asks).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "those who wait share it");
    assert!(
        answers
            .iter()
            .all(|answer| answer.is_err() == answers[0].is_err())
    );
    assert!(account.is_scope_asked() && account.known_scope().is_none());
    // The account is called as before.
    assert_eq!(account.limiter.refusal(), None);
    assert!(provider.list().await.is_ok());
    is_well.store(1, Ordering::SeqCst);
    sleep(ASK_AGAIN).await;
    assert!(!account.is_scope_asked());
    let scope = account.scope(&*provider).await;
    assert_eq!(scope.unwrap(), Some("scope"));
    assert!(account.is_scope_asked());
}
