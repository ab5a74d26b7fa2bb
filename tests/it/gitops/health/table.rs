//! The table of `docs/gitops/health.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::Value;

use super::{NO_STATUS, Then, name};

/// What the tools say of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Verdicts {
    pub(super) argo: String,
    pub(super) kstatus: String,
    /// Whether `kubectl wait --for=condition=Ready` returns.
    pub(super) wait: bool,
}

impl Verdicts {
    /// What `helm --wait` does: its rule is kstatus', which a test of its own shows.
    fn helm(&self) -> &'static str {
        match self.kstatus.as_str() {
            "Current" => "succeeds",
            "Failed" => "fails at once",
            _ => "waits",
        }
    }

    fn kubectl(&self) -> &'static str {
        if self.wait { "succeeds" } else { "waits" }
    }

    /// The differences between the tools, by the numbers under which the document names them. None if it names none of
    /// this kind.
    pub(super) fn differences(&self) -> Option<&'static [u8]> {
        match (self.argo.as_str(), self.kstatus.as_str(), self.wait) {
            ("Healthy", "Current", true) | ("Progressing", "InProgress" | "Terminating", false) => {
                Some(&[])
            }
            ("Degraded", "Failed", false) => Some(&[1]),
            ("Suspended", "Current", true) => Some(&[2]),
            ("Suspended", "Current", false) => Some(&[2, 3]),
            ("Progressing", "Current", false) => Some(&[4]),
            ("Suspended", "InProgress", false) => Some(&[5]),
            _ => None,
        }
    }
}

/// The conditions of a fixture in words.
fn conditions(fixture: &Value) -> String {
    let conditions = fixture["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let words = conditions.map(|condition| {
        let [kind, status] = ["type", "status"].map(|name| condition[name].as_str().expect("text"));
        if status == "True" {
            kind.to_owned()
        } else {
            format!("not {kind}")
        }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

fn row(text: &mut String, first: [&str; 2], verdicts: &Verdicts) {
    let notes = verdicts.differences().unwrap_or_default().iter();
    let notes: Vec<String> = notes.map(u8::to_string).collect();
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} |",
        first[0],
        first[1],
        verdicts.argo,
        verdicts.kstatus,
        verdicts.helm(),
        verdicts.kubectl(),
        notes.join(", "),
    );
}

pub(super) fn table(fixtures: &[Value], said: &BTreeMap<(Then, String), Verdicts>) -> String {
    let mut text = "| reason | conditions | Argo CD | Flux (kstatus) | `helm --wait` | `kubectl wait` for Ready | [difference](#differences) |\n| --- | --- | --- | --- | --- | --- | --- |\n".to_owned();
    let of = |then, name: &str| &said[&(then, name.to_owned())];
    for (name, words) in [
        (NO_STATUS, "no status at all"),
        ("new", "not seen yet"),
        ("first-write", "not seen yet"),
    ] {
        let fixture = fixtures.iter().find(|fixture| self::name(fixture) == name);
        let conditions = conditions(fixture.expect("a fixture"));
        row(&mut text, [words, &conditions], of(Then::Nothing, name));
    }
    for fixture in fixtures {
        let reason = fixture["status"]["conditions"][0]["reason"].as_str();
        let is_seen = fixture["status"]["observedGeneration"] != -1;
        if let (Some(reason), true) = (reason, is_seen) {
            let reason = format!("[`{reason}`](../runbooks/{reason}.md)");
            row(
                &mut text,
                [&reason, &conditions(fixture)],
                of(Then::Nothing, name(fixture)),
            );
        }
    }
    for (then, words) in [
        (Then::Edited, "any of these"),
        (Then::Deleted, "any of these"),
    ] {
        let all: BTreeSet<&Verdicts> = said
            .iter()
            .filter_map(|((of, _), verdicts)| (*of == then).then_some(verdicts))
            .collect();
        let all: Vec<&Verdicts> = all.into_iter().collect();
        assert_eq!(all.len(), 1, "{then:?}: {all:#?}");
        let what = match then {
            Then::Deleted => "of an object that is being deleted",
            _ => "of an older generation: the spec was edited since",
        };
        row(&mut text, [words, what], all[0]);
    }
    text
}
