//! Probes and metrics over plain http. Nothing here acts on anything.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{net::TcpListener, time::Instant};

use super::{
    Address, Metrics,
    connections::{self, Bounds},
    scrapes::{Scrapes, scrape},
};

/// How long a failure counts if it is not reported again. A watch reports each failed try, which are
/// at most 20 s apart, and says nothing when it has recovered.
const FAILURE_TTL: Duration = Duration::from_secs(30);

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
        let counts = !self.has_worked || since.elapsed() < FAILURE_TTL;
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

    /// What is missing: the component and its sentence.
    pub(crate) fn missing(&self) -> Vec<String> {
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
        .with_state(Scrapes::of(metrics));
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_named_until_it_works_and_a_passing_failure_is_forgotten() {
        let health = Health::default();
        health.lacks("secrets", "not listed yet");
        tokio::time::advance(FAILURE_TTL * 2).await;
        assert_eq!(health.missing(), ["secrets: not listed yet"]);
        health.works("secrets");
        assert!(health.missing().is_empty());
        health.lacks("secrets", "the API server could not be reached");
        assert_eq!(health.missing().len(), 1);
        tokio::time::advance(FAILURE_TTL).await;
        assert!(health.missing().is_empty());
    }
}
