//! Probes and metrics over plain http. Nothing here acts on anything.

use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    routing::get,
};
use tokio::net::TcpListener;

use super::Metrics;

/// What the operator still lacks before it can work, by component.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Health {
    /// `component` lacks something: a sentence of ours.
    pub fn lacks(&self, component: &'static str, what: impl Into<String>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(component, what.into());
    }

    /// `component` works.
    pub fn works(&self, component: &'static str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(component);
    }

    fn missing(&self) -> Vec<String> {
        let missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        missing
            .iter()
            .map(|(component, what)| format!("{component}: {what}"))
            .collect()
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

async fn render(
    State(metrics): State<Metrics>,
) -> ([(header::HeaderName, &'static str); 1], String) {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.render())
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `stop`. With one address for both there is
/// one server.
///
/// # Errors
/// When an address cannot be bound.
pub async fn serve(
    probes: SocketAddr,
    metrics_address: SocketAddr,
    health: Health,
    metrics: Metrics,
    stop: impl Future<Output = ()> + Clone + Send + 'static,
) -> Result<impl Future<Output = ()>, SocketAddr> {
    let probe_routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(health);
    let metric_routes = Router::new()
        .route("/metrics", get(render))
        .with_state(metrics);
    let mut servers = Vec::new();
    if probes == metrics_address {
        servers.push((bind(probes).await?, probe_routes.merge(metric_routes)));
    } else {
        servers.push((bind(probes).await?, probe_routes));
        servers.push((bind(metrics_address).await?, metric_routes));
    }
    for (listener, _) in &servers {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
    }
    let servers = servers.into_iter().map(move |(listener, routes)| {
        let stop = stop.clone();
        async move {
            if axum::serve(listener, routes)
                .with_graceful_shutdown(stop)
                .await
                .is_err()
            {
                tracing::error!("the probe server ended");
            }
        }
    });
    Ok(async move {
        futures::future::join_all(servers).await;
    })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, SocketAddr> {
    TcpListener::bind(address).await.map_err(|_| address)
}
