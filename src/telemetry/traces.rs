//! Sends the spans of reconciles, and of their calls to providers, to an OpenTelemetry collector: OTLP over
//! HTTP, by the one outbound client of the operator.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::{Key, KeyValue, Value, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::{runtime::Handle, time::timeout};
use tower::{Service as _, ServiceExt as _};
use tracing::Metadata;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
};
use url::Url;

use super::log::{SpanLayer, is_ours};
use crate::http::Transport;

/// How long the collector may take for an answer.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last spans may take at the end.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Spans on their way to a collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Traces that are sent to a collector at this URL, and the layer that makes them. They are sent on `runtime`, by a
    /// thread that waits for it.
    ///
    /// # Errors
    /// When the URL, or a variable `OTEL_EXPORTER_OTLP_…`, is none that OpenTelemetry takes.
    pub fn start(
        url: Url,
        transport: Transport,
        runtime: &Handle,
    ) -> Result<(Self, SpanLayer), &'static str> {
        let collector = Collector {
            transport,
            runtime: runtime.clone(),
            is_failing: Arc::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(url)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(
                |_| "OpenTelemetry does not take the endpoint, or a variable OTEL_EXPORTER_OTLP_…",
            )?;
        let resource = Resource::builder()
            .with_service_name(service_name(&Resource::builder().build()))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        let spans = filter_fn(is_traced).with_max_level_hint(LevelFilter::TRACE);
        Ok((Self(provider), Box::new(layer.with_filter(spans))))
    }

    /// Sends what is left. The thread that sends waits for the runtime, which must not wait for it.
    pub async fn end(self) {
        let end = move || self.0.shutdown_with_timeout(END_TIMEOUT);
        let _ = tokio::task::spawn_blocking(end).await;
    }
}

/// The name that the variables of OpenTelemetry give, else the operator's own in place of the one that the library makes
/// up.
fn service_name(detected: &Resource) -> Value {
    let name = detected.get(&Key::from_static_str("service.name"));
    name.filter(|name| !name.as_str().starts_with("unknown_service"))
        .unwrap_or_else(|| env!("CARGO_PKG_NAME").into())
}

/// Our own spans. Lines stay in the log, and libraries say what they like.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && is_ours(metadata.target())
}

/// The way to the collector.
#[derive(Debug)]
struct Collector {
    transport: Transport,
    runtime: Handle,
    is_failing: Arc<AtomicBool>,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let mut transport = self.transport.clone();
        let sent = self.runtime.spawn(async move {
            let answer = async { transport.ready().await?.call(request).await };
            timeout(EXPORT_TIMEOUT, answer).await
        });
        let answer = sent.await.map_err(HttpError::from);
        let answer = answer.and_then(|answer| Ok(answer??));
        let fails = !answer
            .as_ref()
            .is_ok_and(|answer| answer.status().is_success());
        // Said once, and not for each batch.
        if fails && !self.is_failing.swap(fails, Ordering::Relaxed) {
            tracing::warn!("the collector does not take traces; they are dropped until it does");
        }
        self.is_failing.store(fails, Ordering::Relaxed);
        answer
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("secrets-of-team-a", "secrets-of-team-a")]
    #[case("unknown_service:provider-secrets", "provider-secrets")]
    #[case("unknown_service", "provider-secrets")]
    fn the_name_of_the_service_is_the_one_that_a_variable_gives(
        #[case] detected: &'static str,
        #[case] expected: &str,
    ) {
        let detected = Resource::builder_empty().with_service_name(detected);
        assert_eq!(service_name(&detected.build()).as_str(), expected);
    }
}
