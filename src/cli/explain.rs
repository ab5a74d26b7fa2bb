//! `explain REASON`: what a reason or an alert means, and what to do. It needs no cluster.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::{
    answer::{Answer, Answered, Refusal},
    flags::{Format, OutputFlags},
    output::{List, Paint, Table, structured},
    reasons::{self, Alert, Row, plain},
};

/// The flags of `explain`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// A reason, as `kubectl get psec` shows it, or the name of an alert; all are listed if none is given
    #[arg(value_name = "REASON")]
    word: Option<String>,

    #[command(flatten)]
    output: OutputFlags,
}

/// A reason or an alert.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Topic {
    Reason(&'static Row),
    Alert(&'static Alert),
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Self::Reason(row) => &row.reason,
            Self::Alert(alert) => &alert.name,
        }
    }

    /// What the table says of its weight, as one word.
    fn class(self) -> &'static str {
        match self {
            Self::Reason(row) if row.class == "event only" => "Event",
            Self::Reason(row) => row.class.split([',', ';']).next().unwrap_or_default(),
            Self::Alert(alert) => &alert.severity,
        }
    }

    fn steps(self) -> &'static [String] {
        match self {
            Self::Reason(row) => &row.steps,
            Self::Alert(alert) => &alert.steps,
        }
    }
}

fn topics() -> impl Iterator<Item = Topic> {
    let reasons = reasons::rows().iter().map(Topic::Reason);
    reasons.chain(reasons::alerts().iter().map(Topic::Alert))
}

pub(super) fn run(flags: &Flags) -> Answered {
    explain(
        flags.word.as_deref(),
        &flags.output,
        flags.output.colour.paint(),
    )
}

fn explain(word: Option<&str>, output: &OutputFlags, paint: Paint) -> Answered {
    let Some(word) = word else {
        let items: Vec<Topic> = topics().collect();
        return match structured(&List { items: &items }, output.output)? {
            Some(text) => Ok(Answer::done(text)),
            None => Ok(Answer::done(list(output, paint))),
        };
    };
    let topic = find(word)?;
    let text = match (structured(&topic, output.output)?, output.output) {
        (Some(text), _) => text,
        (None, Format::Name) => format!("{}\n", topic.name()),
        (None, _) => page(topic),
    };
    Ok(Answer::done(text))
}

/// The topic of a word, however it is capitalized.
fn find(word: &str) -> Result<Topic, Refusal> {
    let found = topics().find(|topic| topic.name().eq_ignore_ascii_case(word));
    found.ok_or_else(|| {
        let near = topics().map(|topic| (strsim::jaro_winkler(word, topic.name()), topic.name()));
        let near = near
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|near| near.0 > 0.8);
        let hint = near.map_or_else(String::new, |near| format!(", did you mean {}?", near.1));
        Refusal::failed(format!("there is no reason {word}{hint}"))
    })
}

fn list(output: &OutputFlags, paint: Paint) -> String {
    if output.output == Format::Name {
        let names: Vec<&str> = topics().map(Topic::name).collect();
        return names.join("\n") + "\n";
    }
    let mut table = Table::new(["REASON", "CLASS"]);
    for topic in topics() {
        table.row([topic.name().into(), topic.class().into()]);
    }
    table.render(!output.no_headers, "", paint)
}

fn page(topic: Topic) -> String {
    let (head, body) = match topic {
        Topic::Reason(row) => {
            let head = match row.class.as_str() {
                "event only" => "the reason of an event; no condition has it".to_owned(),
                class => format!("condition {class}"),
            };
            (
                head,
                vec![format!("Meaning: {}.", row.meaning), row.cause.clone()],
            )
        }
        Topic::Alert(alert) => (
            format!("an alert, {}", alert.severity),
            vec![alert.meaning.clone()],
        ),
    };
    let mut page = format!("{}: {head}\n", topic.name());
    for paragraph in body {
        let _ = write!(page, "\n{}\n", plain(&paragraph, None));
    }
    page.push_str("\nWhat to do:\n");
    for (number, step) in topic.steps().iter().enumerate() {
        let _ = writeln!(page, "  {}. {}", number + 1, plain(step, None));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_explained_as_the_documents_show_it() {
        let shown = page(find("conflict").unwrap());
        insta::assert_snapshot!("explain", shown);
        crate::cli::tests::samples::documented("explain Conflict", &shown);
    }

    #[test]
    fn an_alert_is_explained_as_well() {
        assert!(page(find("ProviderSecretsNoLeader").unwrap()).contains("an alert, critical"));
    }

    #[test]
    fn a_word_that_is_almost_one_is_corrected() {
        let refusal = find("Conflikt").err().unwrap();
        assert_eq!(
            refusal.text,
            "there is no reason Conflikt, did you mean Conflict?"
        );
        assert!(!find("zzz").err().unwrap().text.contains("mean"));
    }

    #[test]
    fn every_class_is_one_word() {
        for topic in topics() {
            assert!(
                !topic.class().contains(' ') && !topic.class().is_empty(),
                "{}",
                topic.name()
            );
        }
    }
}
