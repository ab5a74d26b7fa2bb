//! Listings of all providers: whole, or an error. Answers are canned, and time is simulated.

mod pages; // what several pages prove together

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use rstest::rstest;
use serde_json::{Value, json};
use tower::{service_fn, util::BoxCloneSyncService};

use super::{
    canned::{connected, spec_of, specs, with},
    *,
};
use crate::{
    api::Reason,
    http::{Detail, ErrorClass, ProviderError},
};

/// What a request of this number is answered with: its query is given.
type Answers = dyn Fn(usize, &str) -> Value + Send + Sync;

/// The provider of a member of the spec, whose requests are answered in this way, each after `delay`.
/// Gives also the number of requests.
fn provider(
    spec: &Value,
    delay: Duration,
    answers: Arc<Answers>,
) -> (Box<dyn Provider>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let transport = BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let (answers, count) = (Arc::clone(&answers), Arc::clone(&count));
        async move {
            tokio::time::sleep(delay).await;
            let number = count.fetch_add(1, Ordering::SeqCst);
            let query = request.uri().query().unwrap_or_default().to_owned();
            let mut body = answers(number, &query);
            let mut response = Response::builder().header(header::CONTENT_TYPE, "application/json");
            for name in ["Link", "X-Next-Page", "X-Total-Count"] {
                let value = body.as_object_mut().and_then(|body| body.remove(name));
                if let Some(value) = value {
                    response = response.header(name, value.as_str().unwrap());
                }
            }
            Ok(response.body(Bytes::from(body.to_string())).unwrap())
        }
    }));
    (connected(spec, transport), asked)
}

/// The only page of a listing with these secrets.
fn page(kind: ProviderKind, names: &[&str]) -> Value {
    let items: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "id": name, "userId": "user"}))
        .collect();
    match kind {
        ProviderKind::Baseten => json!({"secrets": items}),
        ProviderKind::PrimeIntellect => json!({"data": items}),
        ProviderKind::Pipecat => json!({"sets": items}),
        ProviderKind::Braintrust => json!({"objects": items}),
    }
}

/// The names on a page of a listing that has two. Of the providers that are read page by page some end with a page
/// without any, and one with the last secret again (docs/vendors.md#pi-3).
fn two_names(kind: ProviderKind, number: usize) -> &'static [&'static str] {
    match (number, kind) {
        (0, _) => &["A", "B"],
        (_, ProviderKind::PrimeIntellect) => &["B"],
        _ => &[],
    }
}

/// A number in a query.
fn number_in(query: &str, name: &str) -> Option<usize> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(given, _)| *given == name)?;
    value.parse().ok()
}

async fn listed(provider: &dyn Provider) -> Result<BTreeSet<String>, ProviderError> {
    let listing = provider.list().await?;
    Ok(listing.remotes.into_iter().map(|one| one.name).collect())
}

/// Cases: R-17
#[rstest]
#[case(json!({"next": "/v1/more"}))]
#[case(json!({"has_more": true}))]
#[case(json!({"pagination": {"cursor": "abc"}}))]
#[case(json!({"links": {"next": "/v1/more"}}))]
#[case(json!({"total": 250}))]
#[case(json!({"last": false}))]
#[case(json!({"response_metadata": {"next_cursor": "x"}}))]
#[case(json!({"result_info": {"total_count": 250}}))]
#[case(json!({"Link": "</v1/one>; rel=\"self\", </v1/more>; rel=\"next\""}))]
#[case(json!({"Link": "</v1/more>; rel=\"last next\""}))]
#[case(json!({"X-Next-Page": "2"}))]
#[case(json!({"X-Total-Count": "250"}))]
#[tokio::test(start_paused = true)]
async fn a_listing_that_tells_of_more_is_never_taken_for_all_there_is(#[case] members: Value) {
    for kind in ProviderKind::ALL {
        let more = members.clone();
        let answers = move |number, _: &str| with(page(kind, two_names(kind, number)), &more);
        let (provider, _) = provider(&spec_of(kind), Duration::ZERO, Arc::new(answers));
        let error = listed(&*provider).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Protocol, "{kind} {members}");
        assert_eq!(error.reason, Reason::UnexpectedResponse);
        assert_eq!(error.detail(), Some(&Detail::NotWhole), "{kind} {members}");
    }
}

/// Cases: R-17
#[tokio::test(start_paused = true)]
async fn a_listing_that_tells_of_no_more_is_whole() {
    let members = json!({
        "has_more": false, "next": null, "total": 2, "count": 2, "limit": 100, "status": "success",
        "pagination": {"has_more": false, "cursor": "the-end"}, "links": {"self": "/", "next": null},
        "X-Next-Page": "", "X-Total-Count": "2",
    });
    for kind in ProviderKind::ALL {
        let more = members.clone();
        let answers = move |number, _: &str| with(page(kind, two_names(kind, number)), &more);
        let (provider, _) = provider(&spec_of(kind), Duration::ZERO, Arc::new(answers));
        let expected = ["A", "B"].map(str::to_owned);
        assert_eq!(
            listed(&*provider).await.unwrap(),
            BTreeSet::from(expected),
            "{kind}"
        );
    }
}

/// What it shows may be a part.
/// Cases: R-17
#[tokio::test(start_paused = true)]
async fn a_listing_that_tells_of_an_error_is_none() {
    for kind in ProviderKind::ALL {
        let answers = move |number: usize, _: &str| match number {
            0 => with(page(kind, &["A"]), &json!({"errors": ["It is busy"]})),
            _ => page(kind, &[]),
        };
        let (provider, _) = provider(&spec_of(kind), Duration::ZERO, Arc::new(answers));
        let error = listed(&*provider).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Protocol, "{kind}");
    }
}

/// Where a secret is changed and deleted by its id, one without could be neither.
#[rstest]
#[case(json!("a.b"), true)]
#[case(json!(null), false)]
#[case(json!("a b"), false)]
#[case(json!("i".repeat(70)), false)]
#[tokio::test(start_paused = true)]
async fn a_listing_without_ids_that_can_be_kept_is_none(#[case] id: Value, #[case] is_kept: bool) {
    for kind in [ProviderKind::PrimeIntellect, ProviderKind::Braintrust] {
        let items = json!([{"id": id, "name": "A"}, {"id": "b", "name": "B"}]);
        let answers = move |number: usize, _: &str| match number {
            0 => json!({"data": items, "objects": items}),
            _ => json!({"data": [items[1]], "objects": []}),
        };
        let (provider, _) = provider(&spec_of(kind), Duration::ZERO, Arc::new(answers));
        match provider.list().await {
            Ok(listing) => {
                assert!(is_kept, "{kind} {id}");
                assert_eq!(listing.remotes[0].id.as_deref(), id.as_str(), "{kind}");
            }
            Err(error) => {
                assert!(!is_kept, "{kind} {id}");
                assert_eq!(error.class, ErrorClass::Protocol, "{kind}");
            }
        }
    }
}

/// Its name would count as absent.
#[rstest]
#[case(json!({"id": "b"}))]
#[case(json!({"id": "b", "name": null}))]
#[tokio::test(start_paused = true)]
async fn a_listing_with_a_secret_without_a_name_is_none(#[case] nameless: Value) {
    let mut team = spec_of(ProviderKind::Baseten);
    team["baseten"]["teamId"] = "team".into();
    for spec in specs().into_iter().chain([team]) {
        let items = json!([{"id": "a", "name": "A"}, nameless]);
        let answers = move |_: usize, _: &str| json!({"secrets": items, "data": items, "sets": items, "objects": items});
        let (provider, _) = provider(&spec, Duration::ZERO, Arc::new(answers));
        let error = listed(&*provider).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Protocol, "{spec}");
        assert_eq!(error.reason, Reason::UnexpectedResponse, "{spec}");
    }
}

/// A name that no other secret has, and that makes the secret long.
fn long_name(number: usize) -> String {
    format!("N{number:0>200}")
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_bounded_by_the_bytes_of_all_its_pages() {
    for (kind, size) in [
        (ProviderKind::PrimeIntellect, 100),
        (ProviderKind::Braintrust, 100),
        // Pages of almost nothing come to an end too.
        (ProviderKind::Braintrust, 1),
    ] {
        let answers = move |number: usize, query: &str| {
            let first = number_in(query, "offset").unwrap_or(number * size);
            let names: Vec<String> = (first..first + size).map(long_name).collect();
            let items = names.iter().enumerate();
            let items: Vec<Value> = items
                .map(|(index, name)| json!({"name": name, "id": format!("{}", first + index)}))
                .collect();
            match kind {
                ProviderKind::Braintrust => json!({"objects": items}),
                _ => json!({"data": items}),
            }
        };
        let (provider, asked) = provider(&spec_of(kind), Duration::ZERO, Arc::new(answers));
        let error = listed(&*provider).await.unwrap_err();
        assert_eq!(error.detail(), Some(&Detail::TooLarge), "{kind}");
        let read = asked.load(Ordering::SeqCst) * size;
        assert!(size == 1 || read >= 50_000, "{kind}: {read}");
        assert!(asked.load(Ordering::SeqCst) <= 1_024);
    }
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_a_listing_have_one_time() {
    for kind in [ProviderKind::PrimeIntellect, ProviderKind::Braintrust] {
        let answers = move |number: usize, query: &str| {
            let number = number_in(query, "offset").unwrap_or(number);
            let names = [number, number + 1].map(|number| format!("A{number}"));
            page(kind, &[&names[0], &names[1]])
        };
        let slow = Duration::from_secs(25);
        let (provider, _) = provider(&spec_of(kind), slow, Arc::new(answers));
        let began = tokio::time::Instant::now();
        let error = listed(&*provider).await.unwrap_err();
        assert_eq!(
            (error.class, error.reason),
            (ErrorClass::Transient, Reason::Timeout)
        );
        assert!(!error.is_passing(), "it takes as long the next time");
        assert_eq!(began.elapsed(), LONGEST_LISTING, "{kind}");
    }
}

/// docs/vendors.md#pi-2
#[tokio::test(start_paused = true)]
async fn a_secret_without_its_team_is_of_the_scope_that_was_asked_for() {
    let of_team =
        json!({"primeIntellect": {"teamId": "team", "apiKeySecretRef": {"name": "s", "key": "k"}}});
    let personal = spec_of(ProviderKind::PrimeIntellect);
    let answers = |_: usize, _: &str| {
        json!({"total_count": 4, "limit": 100, "data": [
            {"name": "ABSENT", "id": "1", "userId": "user"},
            {"name": "NULL", "id": "2", "userId": "user", "teamId": null},
            {"name": "TEAM", "id": "3", "userId": "user", "teamId": "team"},
            {"name": "OTHER", "id": "4", "userId": "user", "teamId": "other"},
        ]})
    };
    for (spec, expected, scope) in [
        (of_team, ["ABSENT", "TEAM"], "team"),
        (personal, ["ABSENT", "NULL"], "user"),
    ] {
        let (provider, _) = provider(&spec, Duration::ZERO, Arc::new(answers));
        let listing = provider.list().await.unwrap();
        let names: BTreeSet<&str> = listing.remotes.iter().map(|one| &*one.name).collect();
        assert_eq!(names, BTreeSet::from(expected));
        assert_eq!(listing.scope.as_deref(), Some(scope));
    }
}

/// docs/vendors.md#pc-14
#[rstest]
#[case(json!({"secrets": [{"fieldName": "A"}]}), SetKeys::Shown(vec!["A".to_owned()]))]
#[case(json!({"secrets": [], "source": "managed"}), SetKeys::Shown(Vec::new()))]
#[case(json!({"region": "pce-1", "status": "unknown"}), SetKeys::NotShown)]
#[case(json!({"secrets": null}), SetKeys::NotShown)]
#[case(json!({"source": "referenced", "status": "unknown"}), SetKeys::Referenced)]
#[case(json!({"source": "referenced", "secrets": []}), SetKeys::Referenced)]
#[tokio::test(start_paused = true)]
async fn keys_that_are_not_shown_are_not_known(#[case] answer: Value, #[case] expected: SetKeys) {
    let answers = move |_: usize, _: &str| answer.clone();
    let spec = spec_of(ProviderKind::Pipecat);
    let (provider, _) = provider(&spec, Duration::ZERO, Arc::new(answers));
    assert_eq!(provider.set_keys().await.unwrap(), expected);
}

/// docs/vendors.md#pc-14
#[tokio::test(start_paused = true)]
async fn a_reference_is_a_form_of_its_own() {
    let answers = |_: usize, _: &str| {
        json!({"sets": [
            {"name": "one", "type": "secret", "source": "referenced"},
            {"name": "two", "type": "imagePullSecret", "source": "referenced"},
            {"name": "three", "type": "secret", "source": "managed"},
            {"name": "four", "type": "imagePullSecret"},
        ]})
    };
    let spec = spec_of(ProviderKind::Pipecat);
    let (provider, _) = provider(&spec, Duration::ZERO, Arc::new(answers));
    let listing = provider.list().await.unwrap();
    let forms: Vec<Form> = listing.remotes.iter().filter_map(|one| one.form).collect();
    assert_eq!(
        forms,
        [
            Form::Reference,
            Form::Reference,
            Form::Text,
            Form::ImagePull
        ]
    );
}
