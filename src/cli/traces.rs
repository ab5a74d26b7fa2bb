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

/// The variables of OpenTelemetry that say where traces go, and those that say how and that this operator may not obey.
/// The others are read by its library.
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

    /// What sends traces; `none` is nothing
    #[arg(
        id = "otel_traces_exporter",
        long = "otel-traces-exporter",
        env = "OTEL_TRACES_EXPORTER",
        hide = true
    )]
    exporter: Option<String>,

    /// The protocol for signals of every kind
    #[arg(
        id = "otel_protocol",
        long = "otel-exporter-otlp-protocol",
        env = "OTEL_EXPORTER_OTLP_PROTOCOL",
        hide = true
    )]
    protocol: Option<String>,

    /// The protocol for traces
    #[arg(
        id = "otel_traces_protocol",
        long = "otel-exporter-otlp-traces-protocol",
        env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        hide = true
    )]
    traces_protocol: Option<String>,

    /// The compression for signals of every kind
    #[arg(
        id = "otel_compression",
        long = "otel-exporter-otlp-compression",
        env = "OTEL_EXPORTER_OTLP_COMPRESSION",
        hide = true
    )]
    compression: Option<String>,

    /// The compression for traces
    #[arg(
        id = "otel_traces_compression",
        long = "otel-exporter-otlp-traces-compression",
        env = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
        hide = true
    )]
    traces_compression: Option<String>,
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
            exporter,
            ..
        } = &self.variables;
        let says = |text: &Option<String>, word: &str| {
            let text = text.as_deref().unwrap_or_default();
            text.eq_ignore_ascii_case(word)
        };
        if says(disabled, "true") || says(exporter, "none") {
            return None;
        }
        if let Some(base) = &self.otlp_endpoint {
            return Some(("--otlp-endpoint", traces_below(base.clone())));
        }
        if let Some(url) = given(traces_endpoint.as_deref()) {
            return Some(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", http_url(url)));
        }
        let base = given(endpoint.as_deref())?;
        let url = http_url(base).and_then(traces_below);
        Some(("OTEL_EXPORTER_OTLP_ENDPOINT", url))
    }

    /// Warns of the variables that this operator does not obey. Not when traces start: there is no log yet.
    pub(super) fn warn(&self) {
        for what in self.not_obeyed() {
            tracing::warn!("{what}");
        }
    }

    /// Which variables this operator does not obey, and what it does instead.
    fn not_obeyed(&self) -> Vec<String> {
        if self.collector().is_none() {
            return Vec::new();
        }
        let variables = &self.variables;
        let protocol = given(variables.traces_protocol.as_deref())
            .map(|text| ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", text))
            .or_else(|| {
                let text = given(variables.protocol.as_deref())?;
                Some(("OTEL_EXPORTER_OTLP_PROTOCOL", text))
            })
            .filter(|(_, text)| !text.eq_ignore_ascii_case("http/protobuf"));
        let compression = given(variables.traces_compression.as_deref())
            .map(|text| ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", text))
            .or_else(|| {
                let text = given(variables.compression.as_deref())?;
                Some(("OTEL_EXPORTER_OTLP_COMPRESSION", text))
            })
            .filter(|(_, text)| !text.eq_ignore_ascii_case("none"));
        let exporter = given(variables.exporter.as_deref())
            .filter(|text| !text.eq_ignore_ascii_case("otlp"))
            .map(|text| ("OTEL_TRACES_EXPORTER", text));
        let not_obeyed = [
            (exporter, "traces are sent by OTLP"),
            (protocol, "traces are sent by http/protobuf"),
            (compression, "traces are sent without compression"),
        ];
        let not_obeyed = not_obeyed.into_iter().filter_map(|(variable, instead)| {
            let (name, _) = variable?;
            Some(format!("{name} is not obeyed: {instead}"))
        });
        not_obeyed.collect()
    }
}

/// What a variable says. One that is empty is as if it were not set.
#[cfg(feature = "otlp")]
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
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
    #[case::no_exporter(&["--otel-exporter-otlp-endpoint=collector:4317", "--otel-traces-exporter=none"], None)]
    #[case::an_exporter(&["--otlp-endpoint=http://a", "--otel-traces-exporter=otlp"], Some("http://a/v1/traces"))]
    #[case::not_disabled(&["--otlp-endpoint=http://a", "--otel-sdk-disabled=1"], Some("http://a/v1/traces"))]
    fn the_variables_of_opentelemetry_say_where_traces_go(
        #[case] arguments: &[&str],
        #[case] expected: Option<&str>,
    ) {
        let url = flags(arguments).collector().map(|(_, url)| url.unwrap());
        assert_eq!(url.as_ref().map(Url::as_str), expected);
    }

    #[cfg(feature = "otlp")]
    #[rstest]
    #[case::nothing(&[], &[])]
    #[case::what_is_done(&["--otel-exporter-otlp-protocol=HTTP/protobuf", "--otel-exporter-otlp-compression=none"], &[])]
    #[case::another_protocol(
        &["--otel-exporter-otlp-protocol=grpc"],
        &["OTEL_EXPORTER_OTLP_PROTOCOL is not obeyed: traces are sent by http/protobuf"]
    )]
    #[case::of_traces_before_all(
        &["--otel-exporter-otlp-protocol=http/protobuf", "--otel-exporter-otlp-traces-protocol=grpc"],
        &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is not obeyed: traces are sent by http/protobuf"]
    )]
    #[case::a_compression(
        &["--otel-exporter-otlp-traces-compression=", "--otel-exporter-otlp-compression=gzip"],
        &["OTEL_EXPORTER_OTLP_COMPRESSION is not obeyed: traces are sent without compression"]
    )]
    #[case::where_nothing_is_sent(&["--otel-exporter-otlp-protocol=grpc", "--otel-traces-exporter=none"], &[])]
    fn a_variable_of_opentelemetry_that_is_not_obeyed_is_told(
        #[case] arguments: &[&str],
        #[case] expected: &[&str],
    ) {
        let arguments = [&["--otlp-endpoint=http://a"][..], arguments].concat();
        assert_eq!(flags(&arguments).not_obeyed(), expected);
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
