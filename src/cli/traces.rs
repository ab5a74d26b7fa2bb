//! The flags of traces.

use clap::Args;
use tokio::runtime::Handle;
use url::Url;

use super::http_url;
use crate::{http::Transport, telemetry::SpanLayer};

/// What a user is told who asks for traces that this operator cannot send.
#[cfg(not(feature = "otlp"))]
const WITHOUT: &str =
    "--otlp-endpoint: this operator was built without traces; build it with the cargo feature otlp";

/// Where traces go.
#[derive(Args, Debug)]
pub(super) struct TraceFlags {
    /// Base URL of an OpenTelemetry collector that traces are sent to by OTLP over HTTP, such as
    /// http://collector:4318; for an operator that was built with the cargo feature otlp
    #[arg(
        long,
        value_name = "URL",
        env = "PROVIDER_SECRETS_OTLP_ENDPOINT",
        value_parser = http_url
    )]
    otlp_endpoint: Option<Url>,

    /// The variable of OpenTelemetry
    #[cfg(feature = "otlp")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide = true)]
    otel_exporter_otlp_endpoint: Option<String>,
}

/// Traces on their way, until the end.
#[derive(Default)]
pub(super) struct Sending {
    #[cfg(feature = "otlp")]
    traces: Option<crate::telemetry::Traces>,
}

#[cfg(feature = "otlp")]
impl TraceFlags {
    /// Begins to send traces if there is a collector; the layer makes them.
    ///
    /// # Errors
    /// What is wrong with the flag or the variable.
    pub(super) fn start(
        &self,
        transport: &Transport,
        runtime: &Handle,
    ) -> Result<(Sending, Option<SpanLayer>), String> {
        let other = self.otel_exporter_otlp_endpoint.as_deref();
        let other = other.filter(|text| !text.is_empty());
        let (name, url) = match (&self.otlp_endpoint, other) {
            (Some(url), _) => ("--otlp-endpoint", Ok(url.clone())),
            (None, Some(text)) => ("OTEL_EXPORTER_OTLP_ENDPOINT", http_url(text)),
            (None, None) => return Ok((Sending::default(), None)),
        };
        let started =
            url.and_then(|url| crate::telemetry::Traces::start(&url, transport.clone(), runtime));
        let (traces, layer) = started.map_err(|what| format!("{name}: {what}"))?;
        let traces = Some(traces);
        Ok((Sending { traces }, Some(layer)))
    }
}

#[cfg(not(feature = "otlp"))]
impl TraceFlags {
    /// Refuses what it cannot do. The variable of OpenTelemetry may be meant for others.
    ///
    /// # Errors
    /// When the flag is given.
    pub(super) fn start(
        &self,
        _: &Transport,
        _: &Handle,
    ) -> Result<(Sending, Option<SpanLayer>), String> {
        match self.otlp_endpoint {
            Some(_) => Err(WITHOUT.to_owned()),
            None => Ok((Sending::default(), None)),
        }
    }
}

impl Sending {
    /// Sends what is left.
    #[cfg_attr(
        not(feature = "otlp"),
        expect(clippy::unused_async, reason = "there is nothing to send")
    )]
    pub(super) async fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://collector:4318", true)]
    #[case("https://collector.example/otlp/", true)]
    #[case("collector:4318", false)]
    #[case("grpc://collector:4317", false)]
    #[case("http:", false)]
    fn a_collector_is_a_url_of_http(#[case] text: &str, #[case] is_one: bool) {
        assert_eq!(http_url(text).is_ok(), is_one, "{text}");
    }

    /// A way to a collector that no test goes.
    fn nowhere() -> Transport {
        Transport::new(tower::service_fn(async |_| {
            Err(crate::http::TransportError::Connect)
        }))
    }

    #[tokio::test]
    async fn without_the_flag_nothing_is_traced() {
        let flags = TraceFlags {
            otlp_endpoint: None,
            #[cfg(feature = "otlp")]
            otel_exporter_otlp_endpoint: Some(String::new()),
        };
        let started = flags.start(&nowhere(), &Handle::current());
        assert!(started.is_ok_and(|(_, layer)| layer.is_none()));
    }

    #[cfg(feature = "otlp")]
    #[tokio::test]
    async fn the_variable_of_opentelemetry_is_named_when_it_is_wrong() {
        let flags = TraceFlags {
            otlp_endpoint: None,
            otel_exporter_otlp_endpoint: Some("collector:4317".to_owned()),
        };
        let refused = flags.start(&nowhere(), &Handle::current()).err();
        assert!(refused.is_some_and(|what| what.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: want")));
    }

    #[cfg(not(feature = "otlp"))]
    #[tokio::test]
    async fn an_operator_without_traces_refuses_the_flag_and_says_why() {
        let flags = TraceFlags {
            otlp_endpoint: http_url("http://collector:4318").ok(),
        };
        let refused = flags.start(&nowhere(), &Handle::current()).err();
        assert_eq!(refused.as_deref(), Some(WITHOUT));
    }
}
