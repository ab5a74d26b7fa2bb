//! Logs: one JSON object a line, with the field names of controller-runtime and Flux. A line that is
//! logged inside of a reconcile has the fields of its span.
//!
//! kube writes whole response bodies at WARN when one does not decode, and a Secret is such a
//! body. So kube's targets are held at ERROR and every other third-party target at INFO by a filter
//! of their own, which no directive of the user can lift.

mod json;

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::MakeExt as _,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt::{FormatFields, format::debug_fn},
    layer::{Filter, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use self::json::{Json, SpanMembers};
use super::reconcile_span::is_reconcile_span;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// What makes something else of spans than lines.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging to standard error, of panics too. A text has colours where `has_colours` says so and
/// standard error is a terminal. `spans` makes something else of the spans.
///
/// # Errors
/// When `directives` is not a filter, or logging has started before.
pub fn init(
    directives: &str,
    format: Format,
    has_colours: bool,
    spans: Option<SpanLayer>,
) -> Result<(), String> {
    let filter = shown(super::filter::read(directives)?);
    let registry = tracing_subscriber::registry().with(spans);
    let started = match format {
        Format::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .event_format(Json)
                .fmt_fields(SpanMembers)
                .with_writer(io::stderr);
            registry.with(layer.with_filter(filter)).try_init()
        }
        Format::Text => {
            let layer = tracing_subscriber::fmt::layer()
                .with_target(false)
                // In a file or a pipe, colour codes are rubbish.
                .with_ansi(has_colours && io::stderr().is_terminal())
                .fmt_fields(plain_fields())
                .with_writer(io::stderr);
            registry.with(layer.with_filter(filter)).try_init()
        }
    };
    started.map_err(|_| "logging has started before".to_owned())?;
    super::panics::log();
    Ok(())
}

/// What is shown: what the user asked for under the cap, and always the span of a reconcile.
fn shown<S: Subscriber + for<'a> LookupSpan<'a>>(asked: EnvFilter) -> impl Filter<S> {
    let cap = filter_fn(is_allowed);
    // With a hint a line below the level of the user costs one comparison.
    let cap = cap.with_max_level_hint(LevelFilter::TRACE);
    let span = filter_fn(is_reconcile_span).with_max_level_hint(LevelFilter::ERROR);
    asked.and(cap).or(span)
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

pub(super) fn is_ours(target: &str) -> bool {
    target
        .strip_prefix("provider_secrets")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The message and the fields of a line for a person.
fn plain_fields() -> impl for<'writer> FormatFields<'writer> {
    debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", visible(&text)),
            name => write!(writer, "{name}={}", visible(&text)),
        }
    })
    .delimited(" ")
}

/// A text in which every control character is escaped as in JSON: a terminal acts on them, and a line
/// break begins a line that the operator did not write. In JSON they are those that it allows.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a String does not fail.
            let _ = write!(visible, "\\u{:04x}", u32::from(character));
        } else {
            visible.push(character);
        }
    }
    visible
}

#[cfg(test)]
mod tests;
