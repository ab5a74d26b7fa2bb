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

    #[cfg(feature = "otlp")]
    #[command(flatten)]
    variables: OtelVariables,
}

/// The variables of OpenTelemetry that say where traces go; those that say how are read by its library.
#[cfg(feature = "otlp")]
#[derive(Args, Debug)]
struct OtelVariables {
    /// The base URL for signals of every kind
    #[arg(
        id = "otel_endpoint",
        long = "otel-exporter-otlp-endpoint",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide = true
    )]
    endpoint: Option<String>,

    /// The URL for traces, which is used as it is
    #[arg(
        id = "otel_traces_endpoint",
        long = "otel-exporter-otlp-traces-endpoint",
        env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        hide = true
    )]
    traces_endpoint: Option<String>,

    /// Whether nothing is sent
    #[arg(
        id = "otel_disabled",
        long = "otel-sdk-disabled",
        env = "OTEL_SDK_DISABLED",
        hide = true
    )]
    disabled: Option<String>,
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
        let Some((name, url)) = self.collector() else {
            return Ok((Sending::default(), None));
        };
        let started =
            url.and_then(|url| crate::telemetry::Traces::start(url, transport.clone(), runtime));
        let (traces, layer) = started.map_err(|what| format!("{name}: {what}"))?;
        let traces = Some(traces);
        Ok((Sending { traces }, Some(layer)))
    }

    /// Where traces are sent to, with the name of the flag or variable that says so; none where they are not sent.
    fn collector(&self) -> Option<(&'static str, Result<Url, &'static str>)> {
        let OtelVariables {
            endpoint,
            traces_endpoint,
            disabled,
        } = &self.variables;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if given(disabled).is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        if let Some(base) = &self.otlp_endpoint {
            return Some(("--otlp-endpoint", traces_below(base.clone())));
        }
        if let Some(url) = given(traces_endpoint) {
            return Some(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", http_url(&url)));
        }
        let base = given(endpoint)?;
        let url = http_url(&base).and_then(traces_below);
        Some(("OTEL_EXPORTER_OTLP_ENDPOINT", url))
    }
}

/// The URL for traces of a collector with this base URL.
#[cfg(feature = "otlp")]
fn traces_below(mut base: Url) -> Result<Url, &'static str> {
    base.path_segments_mut()
        .map_err(|()| "want a URL that begins with http:// or https://")?
        .pop_if_empty()
        .extend(["v1", "traces"]);
    Ok(base)
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

    #[cfg(feature = "otlp")]
    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        traces: TraceFlags,
    }

    /// The flags that say so, with and without the values of the variables.
    #[cfg(feature = "otlp")]
    fn flags(arguments: &[&str]) -> TraceFlags {
        let arguments = std::iter::once(&"run").chain(arguments);
        let flags = <Flags as clap::Parser>::try_parse_from(arguments);
        flags.unwrap_or_else(|error| panic!("{error}")).traces
    }

    /// The hidden flags stand for their variables.
    #[cfg(feature = "otlp")]
    #[rstest]
    #[case::nowhere(&[], None)]
    #[case::empty(&["--otel-exporter-otlp-endpoint="], None)]
    #[case::the_flag(&["--otlp-endpoint=http://a:4318"], Some("http://a:4318/v1/traces"))]
    #[case::a_base_url(&["--otel-exporter-otlp-endpoint=http://a/otlp/"], Some("http://a/otlp/v1/traces"))]
    #[case::of_traces(&["--otel-exporter-otlp-traces-endpoint=http://a/in"], Some("http://a/in"))]
    #[case::of_traces_before_all(
        &["--otel-exporter-otlp-endpoint=http://a", "--otel-exporter-otlp-traces-endpoint=http://b/in"],
        Some("http://b/in")
    )]
    #[case::the_flag_before_both(
        &["--otlp-endpoint=http://a", "--otel-exporter-otlp-traces-endpoint=http://b/in"],
        Some("http://a/v1/traces")
    )]
    #[case::disabled(&["--otlp-endpoint=http://a", "--otel-sdk-disabled=True"], None)]
    #[case::not_disabled(&["--otlp-endpoint=http://a", "--otel-sdk-disabled=1"], Some("http://a/v1/traces"))]
    fn the_variables_of_opentelemetry_say_where_traces_go(
        #[case] arguments: &[&str],
        #[case] expected: Option<&str>,
    ) {
        let url = flags(arguments).collector().map(|(_, url)| url.unwrap());
        assert_eq!(url.as_ref().map(Url::as_str), expected);
    }

    #[cfg(feature = "otlp")]
    #[tokio::test]
    async fn the_variable_of_opentelemetry_is_named_when_it_is_wrong() {
        let flags = flags(&["--otel-exporter-otlp-endpoint=collector:4317"]);
        let refused = flags.start(&nowhere(), &Handle::current()).err();
        assert!(refused.is_some_and(|what| what.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: want")));
    }

    #[cfg(not(feature = "otlp"))]
    #[tokio::test]
    async fn without_the_flag_nothing_is_traced() {
        let flags = TraceFlags {
            otlp_endpoint: None,
        };
        let started = flags.start(&nowhere(), &Handle::current());
        assert!(started.is_ok_and(|(_, layer)| layer.is_none()));
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
