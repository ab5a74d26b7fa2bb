//! A line as one JSON object.

use std::fmt::{self, Write as _};

use serde_json::{Deserializer, Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use super::{is_ours, visible};

/// `{"ts":…,"level":…,"msg":…,…}`
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        let spans = context.event_scope().into_iter().flatten();
        for span in spans {
            if let Some(members) = span.extensions().get::<FormattedFields<N>>() {
                line.add_span(&members.fields);
            }
        }
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

/// Keeps the fields of a span as a JSON object: lines that are logged inside of it parse that, and what is
/// not logged costs one text for each span.
pub(super) struct SpanMembers;

impl<'writer> FormatFields<'writer> for SpanMembers {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members {
            writer,
            written: Ok(()),
            separator: "{",
        };
        fields.record(&mut members);
        members.written?;
        if members.separator == "," {
            members.writer.write_char('}')?;
        }
        Ok(())
    }
}

/// Writes fields as the members of a JSON object.
struct Members<'writer> {
    writer: Writer<'writer>,
    written: fmt::Result,
    separator: &'static str,
}

impl Visit for Members<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = self.written.and_then(|()| {
            write!(self.writer, "{}\"{}\":\"", self.separator, field.name())?;
            write!(Escaped(&mut self.writer), "{value:?}")?;
            self.writer.write_char('"')
        });
        (self.written, self.separator) = (written, ",");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Escapes what is written for a JSON string.
struct Escaped<'a, 'writer>(&'a mut Writer<'writer>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' | '\\' => write!(self.0, "\\{character}")?,
                _ if character.is_control() => {
                    write!(self.0, "\\u{:04x}", u32::from(character))?;
                }
                _ => self.0.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    /// Adds the members of a span, which are one object for each time that they were recorded. What is
    /// there already is of a span further in, and stays.
    fn add_span(&mut self, objects: &str) {
        let objects = Deserializer::from_str(objects).into_iter::<Map<String, Value>>();
        for (name, value) in objects.flatten().flatten() {
            self.0.entry(name).or_insert(value);
        }
    }

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
