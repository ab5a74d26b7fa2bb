//! What a line looks like.

use std::sync::{Arc, Mutex, PoisonError};

use rstest::rstest;
use serde_json::Value;

use super::{super::reconcile_span, *};

type AnyLayer = Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>;

/// What a layer writes meanwhile.
fn written_by(layer: impl FnOnce(Sink) -> AnyLayer, act: impl FnOnce()) -> String {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::registry().with(layer(sink.clone()));
    tracing::subscriber::with_default(subscriber, act);
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// What a layer writes about one event with these texts.
fn written(layer: impl FnOnce(Sink) -> AnyLayer) -> String {
    written_by(layer, || {
        let (text, shown) = (HOSTILE, HOSTILE);
        tracing::info!(text, %shown, "told {HOSTILE}");
    })
}

fn json(sink: Sink) -> AnyLayer {
    let layer = tracing_subscriber::fmt::layer().event_format(Json);
    Box::new(
        layer
            .fmt_fields(SpanMembers)
            .with_writer(move || sink.clone()),
    )
}

fn text(sink: Sink) -> AnyLayer {
    let layer = tracing_subscriber::fmt::layer().with_ansi(false);
    Box::new(
        layer
            .fmt_fields(plain_fields())
            .with_writer(move || sink.clone()),
    )
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
    let line = written(json);
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
    let text = written(text);
    let whole = text.strip_suffix('\n').unwrap();
    assert!(!whole.contains(char::is_control), "{text:?}");
    assert!(whole.contains("shown=\\u001b[31mred"), "{text:?}");
}

fn fields(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_line_inside_of_a_reconcile_says_which_one_it_is() {
    let log = written_by(json, || {
        tracing::info!("outside");
        for name in ["first", "second"] {
            reconcile_span("team", name).in_scope(|| {
                tracing::info!(reason = "Synced", "one");
                tracing::debug_span!("call", operation = "list", entries = 2)
                    .in_scope(|| tracing::warn!(operation = "upsert", "two"));
            });
        }
    });
    let [outside, lines @ ..] = &fields(&log)[..] else {
        panic!("{log}");
    };
    assert_eq!(outside.get("reconcileID"), None, "{log}");
    for (line, name) in lines.iter().zip(["first", "first", "second", "second"]) {
        assert_eq!(line["controller"], "providersecret", "{log}");
        assert_eq!(line["namespace"], "team", "{log}");
        assert_eq!(line["name"], name, "{log}");
    }
    let ids: Vec<_> = lines
        .iter()
        .map(|line| line["reconcileID"].as_str())
        .collect();
    assert!(ids[0].is_some_and(|id| id.len() == 36), "{log}");
    assert_eq!((ids[0], ids[2]), (ids[1], ids[3]), "{log}");
    assert_ne!(ids[0], ids[2], "{log}");
    // What the line itself says comes first, then the innermost span.
    assert_eq!(lines[1]["operation"], "upsert", "{log}");
    assert_eq!(lines[1]["entries"], "2", "{log}");
}

#[test]
fn a_text_for_a_person_has_them_too() {
    let text = written_by(text, || {
        reconcile_span("team", "first").in_scope(|| tracing::info!("one"));
    });
    let whose =
        "reconcile{controller=\"providersecret\" namespace=\"team\" name=\"first\" reconcileID=";
    assert!(text.contains(whose), "{text}");
    assert!(text.trim_end().ends_with("one"), "{text}");
}

#[test]
fn no_filter_takes_the_names_of_the_object_away() {
    let one_target = "off,provider_secrets::telemetry::log=warn";
    let log = written_by(
        |sink| {
            let filter = shown(super::super::filter::read(one_target).unwrap());
            Box::new(json(sink).with_filter(filter))
        },
        || {
            reconcile_span("team", "first").in_scope(|| {
                tracing::info!("not shown");
                tracing::warn!("shown");
            });
        },
    );
    let lines = fields(&log);
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(lines[0]["name"], "first", "{log}");
}

/// How many lines of kube there are in the log of an operator with this level: of an error, and none of a body.
#[rstest]
#[case("info", 1)]
#[case("warn,provider_secrets=info", 1)]
#[case("debug", 1)]
#[case("off", 0)]
fn of_kube_errors_alone_are_logged(#[case] level: &str, #[case] lines: usize) {
    let log = written_by(
        |sink| {
            let filter = shown(super::super::filter::read(level).unwrap());
            Box::new(json(sink).with_filter(filter))
        },
        || {
            tracing::error!(target: "kube_runtime::watcher", "this is a bug");
            tracing::warn!(target: "kube_client::client", "{{\"kind\":\"Secret\"}}");
        },
    );
    assert_eq!(fields(&log).len(), lines, "{log}");
}

/// Cases: S-09
#[test]
fn a_hostile_text_of_a_span_is_one_escaped_field() {
    let log = written_by(json, || {
        reconcile_span(HOSTILE, "\\\"").in_scope(|| tracing::info!("one"));
    });
    let whole = log.strip_suffix('\n').unwrap();
    assert!(!whole.chars().any(char::is_control), "{log}");
    let lines = fields(&log);
    assert_eq!(lines[0]["namespace"], HOSTILE);
    assert_eq!(lines[0]["name"], "\\\"");
}

#[test]
fn our_own_targets_are_not_guessed_by_prefix() {
    assert!(is_ours("provider_secrets"));
    assert!(is_ours("provider_secrets::controller"));
    assert!(!is_ours("provider_secrets_other"));
    assert!(!is_ours("kube_client::client"));
}
