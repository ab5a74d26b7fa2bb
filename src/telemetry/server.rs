//! Probes and metrics over plain http. Nothing here acts on anything.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use tokio::{net::TcpListener, sync::Semaphore, task::yield_now, time::Instant};

use super::{
    Address, Metrics,
    connections::{self, Bounds},
    exposition::Exposition,
};

/// How long a failure counts if it is not reported again. A watch reports each failed try, which are
/// at most 20 s apart, and says nothing when it has recovered.
const REMEMBERED: Duration = Duration::from_secs(30);

/// What the operator lacks to work, by component.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Component>>>);

#[derive(Default)]
struct Component {
    has_worked: bool,
    lacks: Option<(String, Instant)>,
}

impl Component {
    fn lacks(&self) -> Option<&str> {
        let (what, since) = self.lacks.as_ref()?;
        let counts = !self.has_worked || since.elapsed() < REMEMBERED;
        counts.then_some(what.as_str())
    }
}

impl Health {
    /// `component` lacks something, in a sentence of ours: until it works for the first time, and
    /// after that for a while.
    pub fn lacks(&self, component: &str, what: impl Into<String>) {
        let lacks = Some((what.into(), Instant::now()));
        self.with(component, |component| component.lacks = lacks);
    }

    /// `component` works.
    pub fn works(&self, component: &str) {
        self.with(component, |component| {
            *component = Component {
                has_worked: true,
                lacks: None,
            }
        });
    }

    fn with(&self, component: &str, change: impl FnOnce(&mut Component)) {
        let mut components = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(components.entry(component.to_owned()).or_default());
    }

    fn missing(&self) -> Vec<String> {
        let components = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = components
            .iter()
            .filter_map(|(name, component)| Some(format!("{name}: {}", component.lacks()?)));
        missing.collect()
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    let missing = health.missing();
    if missing.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n")
    }
}

/// How many clients are sent metrics at once; the others wait. Each takes a pointer for each object.
const SCRAPES: usize = 4;

/// The metrics, and the turns of those that ask for them.
#[derive(Clone)]
struct Scraped {
    metrics: Metrics,
    turns: Arc<Semaphore>,
}

/// Sends metrics in chunks. There is one thread, and those of many objects take a fifth of a second: between
/// two chunks reconciles go on.
async fn scrape(State(scraped): State<Scraped>, headers: HeaderMap) -> Response {
    let exposition = Exposition::negotiate(&headers);
    let Ok(turn) = scraped.turns.acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let chunks = scraped.metrics.chunks(exposition);
    let body = stream::unfold((chunks, turn), |(mut chunks, turn)| async {
        let chunk = chunks.next()?;
        yield_now().await;
        Some((Ok::<_, Infallible>(chunk), (chunks, turn)))
    });
    let kind = [(header::CONTENT_TYPE, exposition.content_type())];
    (kind, Body::from_stream(body)).into_response()
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `stop`. With one address for both there is
/// one server.
///
/// # Errors
/// When an address cannot be bound.
pub fn serve(
    probes: Address,
    metrics_address: Address,
    health: Health,
    metrics: Metrics,
    stop: impl Future<Output = ()> + Clone + Send + 'static,
) -> Result<impl Future<Output = ()>, Address> {
    let probe_routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(health);
    let metric_routes = Router::new()
        .route("/metrics", get(scrape))
        .with_state(Scraped {
            metrics,
            turns: Arc::new(Semaphore::new(SCRAPES)),
        });
    let mut servers = Vec::new();
    if probes == metrics_address {
        servers.push((bind(probes)?, probe_routes.merge(metric_routes)));
    } else {
        servers.push((bind(probes)?, probe_routes));
        servers.push((bind(metrics_address)?, metric_routes));
    }
    for (listener, _) in &servers {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
    }
    let servers = servers.into_iter().map(move |(listener, routes)| {
        connections::serve(listener, routes, Bounds::DEFAULT, stop.clone())
    });
    Ok(async move {
        futures::future::join_all(servers).await;
    })
}

fn bind(address: Address) -> Result<TcpListener, Address> {
    address.listen().map_err(|_| address)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::telemetry::{ObjectSample, ObjectSamples};

    struct Many;

    impl ObjectSamples for Many {
        type Object = ();

        fn objects(&self) -> Vec<()> {
            vec![(); 10_000]
        }

        fn sample((): &()) -> Option<ObjectSample<'_>> {
            Some(ObjectSample::default())
        }
    }

    #[tokio::test]
    async fn other_tasks_have_their_turn_between_the_chunks_of_a_scrape() {
        let metrics = Metrics::default();
        metrics.register_objects(Many);
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let scraped = Scraped {
            metrics: metrics.clone(),
            turns: Arc::new(Semaphore::new(1)),
        };
        let response = scrape(State(scraped), HeaderMap::new()).await;
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        other.abort();
        let chunks = metrics.chunks(Exposition::Text).count();
        assert!(chunks > 50, "{chunks}");
        assert!(turns.load(Ordering::Relaxed) >= chunks);
        let whole: String = metrics.chunks(Exposition::Text).collect();
        // The memory of the process differs from one scrape to the next.
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines();
            let lines = lines.filter(|line| !line.starts_with("process_"));
            lines.map(str::to_owned).collect()
        };
        let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
        assert_eq!(lines(&body), lines(&whole));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_named_until_it_works_and_a_passing_failure_is_forgotten() {
        let health = Health::default();
        health.lacks("secrets", "not listed yet");
        tokio::time::advance(REMEMBERED * 2).await;
        assert_eq!(health.missing(), ["secrets: not listed yet"]);
        health.works("secrets");
        assert!(health.missing().is_empty());
        health.lacks("secrets", "the API server could not be reached");
        assert_eq!(health.missing().len(), 1);
        tokio::time::advance(REMEMBERED).await;
        assert!(health.missing().is_empty());
    }
}
