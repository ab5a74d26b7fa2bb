//! How things are shown: tables without borders, as kubectl has them, JSON and YAML.

pub(super) mod age;
mod table;

use serde::Serialize;

pub(super) use self::table::{Cell, NONE, Table, Tone, one_word};
use super::{answer::Refusal, flags::Format};

/// How many names of a list are named.
const NAMED: usize = 3;

/// The first of a list, and how many more there are.
pub(super) fn some(words: &[String]) -> String {
    let named = words
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<String>>()
        .join(", ");
    match words.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paint {
    pub(super) is_on: bool,
}

impl Paint {
    /// A text in the colour of its tone.
    pub(super) fn tone(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good => 32,
            Tone::Doubtful => 33,
            Tone::Bad => 31,
            Tone::Plain => return text.to_owned(),
        };
        if self.is_on && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What is shown for a format that is made of the data itself; none where it is a table.
pub(super) fn structured(data: &impl Serialize, format: Format) -> Result<Option<String>, Refusal> {
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(data).map_err(|_| unwritten())?;
            Ok(Some(format!("{text}\n")))
        }
        Format::Yaml => yaml(data).map(Some),
        Format::Table | Format::Wide | Format::Name => Ok(None),
    }
}

/// YAML, with a newline at its end.
pub(super) fn yaml(data: &impl Serialize) -> Result<String, Refusal> {
    let mut text = serde_saphyr::to_string(data).map_err(|_| unwritten())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn unwritten() -> Refusal {
    Refusal::failed("the output cannot be written in this format")
}

/// A list as kubectl shows it in JSON and YAML.
#[derive(Debug, Serialize)]
pub(super) struct List<'a, T> {
    pub(super) items: &'a [T],
}
