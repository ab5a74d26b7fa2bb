//! The command line. Parse, validate into richer types, run.
//!
//! One program: the operator (`run`), and by the name `kubectl-provider_secrets` the plugin of kubectl. A command of the
//! plugin is a file: it reads through `read`, and what it shows is made by pure functions.

mod answer;
mod approve;
mod cluster;
mod completion;
mod definition;
mod doctor;
mod egress;
mod election;
mod explain;
mod flags;
mod installation;
mod inventory;
mod invocation;
mod manifests;
mod opt_in;
mod origin;
mod output;
mod peer;
mod placement;
mod plan;
mod question;
mod read;
mod reasons;
mod release;
mod report;
mod request;
mod rights;
mod rotated;
mod run;
mod schemes;
mod secret_access;
mod status;
mod traces;
mod validate;
mod variables;
mod version;
mod view;
mod wait;
mod whereabouts;
mod why;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
};
use url::Url;

use self::{
    answer::{Answer, Answered, Refusal},
    flags::switches_take_words,
    invocation::{Invocation, command_first},
    request::Verb,
};
use crate::api;

/// What the program calls itself at providers.
const USER_AGENT: &str = concat!("provider-secrets/", env!("CARGO_PKG_VERSION"));
/// Wrong usage or configuration: before anything was done.
const USAGE: u8 = 2;

/// Keeps the secret stores of AI platforms equal to Kubernetes Secrets.
#[derive(Debug, Parser)]
#[command(
    name = "provider-secrets",
    version,
    arg_required_else_help = false,
    // A user adds arguments behind those of the chart: the last one wins.
    args_override_self = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator, with the cluster of the kubeconfig or the one it runs in.
    Run(Box<run::Flags>),
    /// Show how objects stand: all in a table, or one in full.
    Status(Box<status::Flags>),
    /// Say in three sentences why an object is not Ready, and which command is next.
    Why(Box<why::Flags>),
    /// Show what would be done at the provider, and how many calls it costs.
    Plan(Box<plan::Flags>),
    /// Let the operator carry out the plan that waits for approval.
    Approve(Box<approve::Flags>),
    /// Say whether everything that a Secret feeds is acknowledged in the version that it has now.
    Rotated(Box<rotated::Flags>),
    /// Show which accounts hold what of a Secret, or which Secret a name at a provider comes from.
    Where(Box<whereabouts::Flags>),
    /// Show all accounts with their names and owners.
    Inventory(Box<inventory::Flags>),
    /// Check the operator and what it stands on; for a cross the exit code is 1.
    Doctor(Box<doctor::Flags>),
    /// Have objects looked at and tried now.
    Sync(Box<request::Flags>),
    /// Have nothing written for objects, whatever changes.
    Suspend(Box<request::Flags>),
    /// Let suspended objects go on.
    Resume(Box<request::Flags>),
    /// Let a deleted object go although what it wrote is still at the provider.
    Release(Box<release::Flags>),
    /// Print a support bundle: objects, events, versions, logs and metrics, without values.
    Report(report::Flags),
    /// Explain a reason or an alert, without a cluster.
    Explain(explain::Flags),
    /// Check manifests as the API server and the operator would, without a cluster.
    Validate(validate::Flags),
    /// Print the CustomResourceDefinition as YAML.
    Crds,
    /// Print the versions of this program and of the operator.
    Version(version::Flags),
    /// Print the completion script of a shell.
    Completion(completion::Flags),
}

/// Runs the command line of this process and gives its exit code: 0 done, 1 failed or not as it should be, 2 wrong
/// usage or configuration, 124 not in time.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let invocation = Invocation::of(words.next().as_deref());
    if invocation == Invocation::Completion {
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let candidates = completion::candidates(&command(invocation), &words, completion::names);
        return finish(Ok(Answer::done(candidates)));
    }
    let words = command_first(std::env::args_os().collect());
    let matches = without_empty_variables(command(invocation)).try_get_matches_from(words);
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            return finish(Ok(Answer::done(error.to_string())));
        }
        Err(error) => return refuse(&one_line(&error)),
    };
    match arguments.command {
        Command::Run(flags) => run::run(*flags),
        Command::Status(flags) => status::run(&flags),
        Command::Why(flags) => why::run(&flags),
        Command::Plan(flags) => plan::run(&flags),
        Command::Approve(flags) => approve::run(&flags),
        Command::Rotated(flags) => rotated::run(&flags),
        Command::Where(flags) => whereabouts::run(&flags),
        Command::Inventory(flags) => inventory::run(&flags),
        Command::Doctor(flags) => doctor::run(&flags),
        Command::Sync(flags) => request::run(&flags, Verb::Sync),
        Command::Suspend(flags) => request::run(&flags, Verb::Suspend),
        Command::Resume(flags) => request::run(&flags, Verb::Resume),
        Command::Release(flags) => release::run(&flags),
        Command::Report(flags) => report::run(&flags),
        Command::Explain(flags) => finish(explain::run(&flags)),
        Command::Validate(flags) => finish(validate::run(&flags)),
        Command::Crds => finish(output::yaml(&api::definition()).map(Answer::done)),
        Command::Version(flags) => version::run(&flags),
        Command::Completion(flags) => finish(Ok(completion::run(&flags))),
    }
}

/// The command line as it is under this name. The plugin does not show what is not for users.
fn command(invocation: Invocation) -> clap::Command {
    let command = switches_take_words(Arguments::command());
    match invocation {
        Invocation::Program => command,
        Invocation::Plugin | Invocation::Completion => command
            .bin_name(invocation.name())
            .mut_subcommand("run", |run| run.hide(true)),
    }
}

/// Prints what a command came to.
fn finish(answered: Answered) -> ExitCode {
    let printed = answered.and_then(|Answer { text, code }| print(&text).map(|()| code));
    match printed {
        Ok(code) => ExitCode::from(code),
        Err(Refusal { text, code, .. }) => {
            say(&text);
            ExitCode::from(code)
        }
    }
}

/// Takes a variable that is empty for one that is not set: manifests hold such ones for what a user did not choose.
#[expect(
    clippy::disallowed_methods,
    reason = "clap reads the same variables a moment later"
)]
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    command.mut_subcommands(move |subcommand| {
        subcommand.mut_args(move |argument| {
            if is_empty(&argument) {
                argument.env(Resettable::Reset)
            } else {
                argument
            }
        })
    })
}

/// What is wrong and how to learn more, without the paragraphs clap puts around it.
///
/// A value that is refused is named by its flag alone: a URL may hold a password.
fn one_line(error: &clap::Error) -> String {
    let mut text = error.to_string();
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && value.contains('@')
    {
        text = text.replace(value.as_str(), "…");
    }
    let first: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let what = first.join(" ");
    format!("{} (see --help)", what.trim_start_matches("error: "))
}

/// The URL of something that is not a provider: a proxy, a collector.
fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = text.parse::<Url>().ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("want a URL that begins with http:// or https://")
}

fn print(text: &str) -> Result<(), Refusal> {
    is_printed(text).map(|_| ())
}

/// Prints a text, and says whether there is still a reader. One that has gone away, as in `| head`, is no error.
///
/// # Errors
/// The text could not be written, as where a disk is full.
fn is_printed(text: &str) -> Result<bool, Refusal> {
    let mut output = io::stdout();
    let written = output.write_all(text.as_bytes());
    match written
        .and_then(|()| output.flush())
        .map_err(|error| error.kind())
    {
        Ok(()) => Ok(true),
        Err(io::ErrorKind::BrokenPipe) => Ok(false),
        Err(kind) => Err(Refusal::failed(format!(
            "the output could not be written: {kind}"
        ))),
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "provider-secrets: {text}");
}

fn refuse(text: &str) -> ExitCode {
    say(text);
    ExitCode::from(USAGE)
}

fn fail(text: &str) -> ExitCode {
    say(text);
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests;
