//! The command line. Parse, validate into richer types, run.

mod cluster;
mod egress;
mod election;
mod opt_in;
mod run;
mod schemes;
mod traces;

use std::{io::Write, process::ExitCode};

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
};

use url::Url;

use crate::api;

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
    /// Print the CustomResourceDefinition as YAML.
    Crds,
}

/// Runs the command line of this process and gives its exit code: 0 done, 1 failed, 2 wrong usage
/// or configuration.
pub fn main() -> ExitCode {
    let matches = without_empty_variables(Arguments::command()).try_get_matches();
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            return print(&error.to_string());
        }
        Err(error) => return refuse(&one_line(&error)),
    };
    match arguments.command {
        Command::Run(flags) => run::run(*flags),
        Command::Crds => match serde_saphyr::to_string(&api::definition()) {
            Ok(text) => print(&text),
            Err(_) => fail("the definition cannot be written as YAML"),
        },
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

fn print(text: &str) -> ExitCode {
    // A reader that has gone away, as in `| head`, is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "provider-secrets: {text}");
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
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_wrong_flag_is_one_line() {
        for wrong in [
            &["x", "run", "--nonsense"][..],
            &["x"],
            &["x", "run", "--endpoint", "a"],
        ] {
            let error = Arguments::try_parse_from(wrong).unwrap_err();
            let line = one_line(&error);
            assert!(!line.contains('\n') && line.len() > 20, "{line}");
        }
    }
}
