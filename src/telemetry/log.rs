//! Logs: one JSON object a line, with the field names of controller-runtime and Flux.
//!
//! kube writes whole response bodies at WARN when one does not decode, and a Secret is such a
//! body. So kube's targets are held at ERROR and every other third-party target at INFO by a filter
//! of their own, which no directive of the user can lift.

use std::{fmt, io};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Starts logging to standard error.
///
/// # Errors
/// When `directives` is not a filter, or logging has started before.
pub fn init(directives: &str, format: Format) -> Result<(), String> {
    let filter = EnvFilter::try_new(directives)
        .map_err(|_| "this is not a log level or filter".to_owned())?;
    let filter = filter.and(filter_fn(is_allowed));
    let registry = tracing_subscriber::registry();
    let started = match format {
        Format::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .event_format(Json)
                .with_writer(io::stderr);
            registry.with(layer.with_filter(filter)).try_init()
        }
        Format::Text => {
            let layer = tracing_subscriber::fmt::layer()
                .with_target(false)
                .with_writer(io::stderr);
            registry.with(layer.with_filter(filter)).try_init()
        }
    };
    started.map_err(|_| "logging has started before".to_owned())
}

/// The cap on third-party targets.
fn is_allowed(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    if is_ours(target) {
        return true;
    }
    let cap = if target.starts_with("kube") {
        Level::ERROR
    } else {
        Level::INFO
    };
    *metadata.level() <= cap
}

fn is_ours(target: &str) -> bool {
    target
        .strip_prefix("provider_secrets")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `{"ts":…,"level":…,"msg":…,…}`
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        line.0
            .insert("ts".to_owned(), jiff::Timestamp::now().to_string().into());
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        line.0.insert("level".to_owned(), level.into());
        if !is_ours(event.metadata().target()) {
            line.0
                .insert("logger".to_owned(), event.metadata().target().into());
        }
        event.record(&mut line);
        let text = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" {
            "msg"
        } else {
            field.name()
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_targets_are_not_guessed_by_prefix() {
        assert!(is_ours("provider_secrets"));
        assert!(is_ours("provider_secrets::controller"));
        assert!(!is_ours("provider_secrets_other"));
        assert!(!is_ours("kube_client::client"));
    }
}
