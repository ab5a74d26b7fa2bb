//! `plan`: what would be done at the provider, and how many calls it costs. The operator answers for live objects, so
//! that the reader needs no right to Secrets or API keys; files are held against what is there.

mod document;
mod files;
mod live;
mod proposed;
mod shown;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use serde::Serialize;

use self::shown::{markdown, text};
use super::{
    answer::{Answer, Answered, DONE, Refusal},
    flags::{ClusterFlags, ColourFlags, Scope},
    output::{List, Paint, structured},
    read::on_cluster,
    say,
    view::resource_name,
};
use crate::api::{ActionKind, PlannedAction};

/// The exit code of `--exit-code` when something would be done.
const PENDING: u8 = 3;

/// The flags of `plan`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The objects; without names those of the scope
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Files, folders with .yaml, .yml and .json files, or - for standard input: what would be done if they were applied
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE",
        num_args = 1..,
        value_hint = clap::ValueHint::AnyPath,
        conflicts_with_all = ["names", "selector"]
    )]
    files: Vec<PathBuf>,

    /// Whether the folders in a folder are read too
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,

    /// Read the Secrets that files name, with the rights of the user, to say what else is not known
    #[arg(long, requires = "files")]
    read_secrets: bool,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,

    #[command(flatten)]
    colour: ColourFlags,

    /// Give the exit code 3 if something would be done
    #[arg(long)]
    exit_code: bool,
}

/// How plans are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people
    #[value(aliases = ["table", "wide"])]
    Text,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Names alone, as kubectl takes them
    Name,
    /// A table for a pull request
    Markdown,
}

/// What would be done for one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    namespace: String,
    name: String,
    provider: Option<&'static str>,
    scope: Option<String>,
    /// What approves it, where it waits for approval.
    pub(super) hash: Option<String>,
    create: usize,
    update: usize,
    delete: usize,
    refuse: usize,
    keep: usize,
    /// The requests that change something.
    calls: usize,
    /// What does not stay as it is, as far as it is known by name.
    actions: Vec<PlannedAction>,
    /// What is not known, and why nothing is done yet.
    notes: Vec<String>,
    /// How many of the updates send a value that the provider has had before.
    #[serde(skip)]
    again: usize,
    /// Whether the operator has not looked at the newest spec.
    #[serde(skip)]
    is_unseen: bool,
    /// Whether a source, or the object as a whole, cannot be sent as it is, or the operator cannot act on it.
    #[serde(skip)]
    is_blocked: bool,
}

impl Plan {
    /// Whether anything would be sent, or cannot be.
    fn is_pending(&self) -> bool {
        let is_open = self.is_unseen || self.is_blocked;
        is_open || self.create + self.update + self.delete + self.refuse > 0
    }

    /// How many of them are of a kind.
    fn count(&mut self, kind: ActionKind) -> &mut usize {
        match kind {
            ActionKind::Create => &mut self.create,
            ActionKind::Update => &mut self.update,
            ActionKind::Delete => &mut self.delete,
            ActionKind::Refuse => &mut self.refuse,
        }
    }

    /// Adds an action.
    fn act(&mut self, name: &str, action: ActionKind, reason: Option<&str>) {
        *self.count(action) += 1;
        self.actions.push(PlannedAction {
            name: name.to_owned(),
            action,
            reason: reason.map(str::to_owned),
        });
    }

    /// Adds a note, unless it is there.
    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|other| other == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// Counts the requests: a set is written as a whole.
    fn count_calls(&mut self, is_set: bool) {
        let writes = self.create + self.update;
        self.calls = self.delete + if is_set { writes.min(1) } else { writes };
    }

    /// Lines for people, without colours.
    pub(super) fn lines(&self) -> String {
        text(std::slice::from_ref(self), Paint::default())
    }
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let plans = if !flags.files.is_empty() {
            if flags.scope.all_namespaces {
                return Err(Refusal::usage("give files or --all-namespaces, not both"));
            }
            files::plans(&reader, flags).await?
        } else if flags.names.is_empty() {
            let plans = reader.each(&flags.scope, |object| Plan::live(&object));
            plans.await?
        } else {
            let objects = reader.objects(&flags.names, &flags.scope).await?;
            objects.iter().map(Plan::live).collect()
        };
        if plans.is_empty() {
            say("there is no ProviderSecret to plan for");
        }
        answer(&plans, flags)
    })
}

fn answer(plans: &[Plan], flags: &Flags) -> Answered {
    use super::flags::Format as Structured;
    let list = List { items: plans };
    let shown = match flags.output {
        Format::Text => text(plans, flags.colour.paint()),
        Format::Markdown => markdown(plans),
        Format::Json => structured(&list, Structured::Json)?.unwrap_or_default(),
        Format::Yaml => structured(&list, Structured::Yaml)?.unwrap_or_default(),
        Format::Name => {
            let names = plans.iter().map(|plan| resource_name(&plan.name) + "\n");
            names.collect()
        }
    };
    let is_pending = flags.exit_code && plans.iter().any(Plan::is_pending);
    Ok(Answer {
        text: shown,
        code: if is_pending { PENDING } else { DONE },
    })
}

#[cfg(test)]
mod tests;
