//! `validate`: what the API server and the operator would refuse of manifests. It needs no cluster.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::{
    answer::{Answer, Answered, Refusal},
    flags::Format,
    manifests::{self, Manifest},
    output::{List, structured},
};
use crate::validation::{Problem, Validator, is_of_the_group, refusals};

/// The flags of `validate`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Files, folders with .yaml, .yml and .json files, or - for standard input
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE",
        required = true,
        num_args = 1..,
        value_hint = clap::ValueHint::FilePath
    )]
    files: Vec<PathBuf>,

    /// Whether the folders in a folder are read too
    #[arg(short = 'R', long)]
    recursive: bool,

    /// How it is shown
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    output: Format,
}

/// A problem with its place.
#[derive(Debug, Serialize)]
struct Finding<'a> {
    file: &'a str,
    /// Namespace and name, as far as the manifest has them.
    object: &'a str,
    #[serde(flatten)]
    problem: Problem,
}

pub(super) fn run(flags: &Flags) -> Answered {
    let manifests = manifests::read(&flags.files, flags.recursive)?;
    validate(&manifests, flags.output)
}

fn validate(manifests: &[Manifest], format: Format) -> Answered {
    let validator = Validator::new().map_err(|error| Refusal::failed(error.to_string()))?;
    let (mut findings, mut checked, mut invalid) = (Vec::new(), 0, Vec::new());
    for manifest in manifests.iter().filter(|of| is_of_the_group(&of.object)) {
        checked += 1;
        let mut problems = validator.problems(&manifest.object);
        if problems.is_empty() {
            problems = refusals(&manifest.object);
        }
        if !problems.is_empty() {
            invalid.push(manifest.label.as_str());
        }
        findings.extend(problems.into_iter().map(|problem| Finding {
            file: &manifest.file,
            object: &manifest.label,
            problem,
        }));
    }
    let text = match (structured(&List { items: &findings }, format)?, format) {
        (Some(text), _) => text,
        (None, Format::Name) => invalid.iter().flat_map(|label| [label, "\n"]).collect(),
        (None, _) => lines(&findings, checked, invalid.len(), manifests.len() - checked),
    };
    Ok(Answer::new(text, invalid.is_empty()))
}

/// A line for each problem, and one that counts.
fn lines(findings: &[Finding<'_>], checked: usize, invalid: usize, others: usize) -> String {
    let mut text = String::new();
    for Finding {
        file,
        object,
        problem,
    } in findings
    {
        let path = match problem.path.as_str() {
            "" => String::new(),
            path => format!("{path}: "),
        };
        let _ = writeln!(text, "{file}: {object}: {path}{}", problem.message);
    }
    let verdict = match (checked, invalid) {
        (0, _) => "There is no ProviderSecret".to_owned(),
        (1, 0) => "The ProviderSecret is valid".to_owned(),
        (_, 0) => format!("All {checked} ProviderSecrets are valid"),
        (1, _) => "The ProviderSecret is invalid".to_owned(),
        (_, 1) => format!("1 of {checked} ProviderSecrets is invalid"),
        _ => format!("{invalid} of {checked} ProviderSecrets are invalid"),
    };
    let rest = match others {
        0 => String::new(),
        1 => "; 1 object of another kind was left alone".to_owned(),
        _ => format!("; {others} objects of other kinds were left alone"),
    };
    let _ = writeln!(text, "{verdict}{rest}.");
    text
}

#[cfg(test)]
mod tests;
