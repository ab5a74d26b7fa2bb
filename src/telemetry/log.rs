//! Logs: one JSON object a line, with the field names of controller-runtime and Flux.
//!
//! kube writes whole response bodies at WARN when one does not decode, and a Secret is such a
//! body. So kube's targets are held at ERROR and every other third-party target at INFO by a filter
//! of their own, which no directive of the user can lift.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal as _},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    field::MakeExt as _,
    filter::{FilterExt, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Writer, debug_fn},
    },
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

/// Starts logging to standard error, of panics too. A text has colours where `has_colours` says so and
/// standard error is a terminal.
///
/// # Errors
/// When `directives` is not a filter, or logging has started before.
pub fn init(directives: &str, format: Format, has_colours: bool) -> Result<(), String> {
    let filter = super::filter::read(directives)?;
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
        writeln!(writer, "{}", visible(&text))
    }
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
fn visible(text: &str) -> String {
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
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// What a layer writes about one event with these texts.
    fn written(
        layer: impl FnOnce(Sink) -> Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>,
    ) -> String {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::registry().with(layer(sink.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let (text, shown) = (HOSTILE, HOSTILE);
            tracing::info!(text, %shown, "told {HOSTILE}");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// What a terminal acts on, and a line of its own.
    const HOSTILE: &str = "\u{1b}[31mred\r\n{\"msg\":\"forged\"}\u{7}\u{9b}1m";

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            written.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Cases: S-09
    #[test]
    fn a_hostile_text_is_one_escaped_field_of_one_line() {
        let line = written(|sink| {
            let layer = tracing_subscriber::fmt::layer().event_format(Json);
            Box::new(layer.with_writer(move || sink.clone()))
        });
        let whole = line.strip_suffix('\n').unwrap();
        assert!(!whole.chars().any(char::is_control), "{line}");
        let fields: Value = serde_json::from_str(whole).unwrap();
        assert_eq!(fields["text"], HOSTILE);
        assert_eq!(fields["shown"], HOSTILE);
        assert_eq!(fields["msg"], format!("told {HOSTILE}"));
    }

    /// Cases: S-09
    #[test]
    fn a_terminal_that_shows_the_log_is_not_told_what_to_do() {
        let text = written(|sink| {
            let layer = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .fmt_fields(plain_fields());
            Box::new(layer.with_writer(move || sink.clone()))
        });
        let whole = text.strip_suffix('\n').unwrap();
        assert!(!whole.contains(char::is_control), "{text:?}");
        assert!(whole.contains("shown=\\u001b[31mred"), "{text:?}");
    }

    #[test]
    fn our_own_targets_are_not_guessed_by_prefix() {
        assert!(is_ours("provider_secrets"));
        assert!(is_ours("provider_secrets::controller"));
        assert!(!is_ours("provider_secrets_other"));
        assert!(!is_ours("kube_client::client"));
    }
}
