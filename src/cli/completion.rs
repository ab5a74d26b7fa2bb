//! `completion SHELL`, and the way of kubectl: `kubectl_complete-provider_secrets` is run with the words so far and prints
//! what may come next.

use std::time::Duration;

use clap::{Arg, Args, Command, CommandFactory as _};
use clap_complete::Shell;
use kube::{Api, ResourceExt, api::ListParams};

use super::{
    Arguments,
    answer::{Answer, Refusal},
    flags::{ClusterFlags, Scope},
    read::connected,
};
use crate::api::ProviderSecret;

/// How long a user waits at most for the names of objects after the tab key.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(2);
/// How many names are asked for: more are no help.
const NAMES: u32 = 500;
/// What stands for the name of an object in the usage of a command.
const NAME: &str = "NAME";

/// The flags of `completion`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The script that a shell reads at its start. Its switches take no words: a script offers a word after the switch, and
/// knows none behind `=`.
pub(super) fn run(flags: &Flags) -> Answer {
    let mut script = Vec::new();
    // The name of a file: kubectl completes its plugins by itself.
    let (mut command, name) = (Arguments::command(), "provider-secrets");
    clap_complete::generate(flags.shell, &mut command, name, &mut script);
    Answer::done(String::from_utf8_lossy(&script).into_owned())
}

/// The candidates for the last of the words, each on a line, and at the end what the shell shall do besides, as
/// cobra's completion has it: `:4` for no file names, `:0` for file names too. `names` gives the names of the objects
/// that the flags so far lead to.
pub(super) fn candidates(
    command: &Command,
    words: &[String],
    names: impl FnOnce(&ClusterFlags) -> Vec<String>,
) -> String {
    let (last, before) = words
        .split_last()
        .map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut current = command;
    let mut takes_value = None;
    for word in before {
        let flag = word.strip_prefix("--").filter(|_| !word.contains('='));
        let short = word
            .strip_prefix('-')
            .filter(|rest| rest.chars().count() == 1);
        takes_value = flag
            .and_then(|name| {
                current
                    .get_arguments()
                    .find(|of| of.get_long() == Some(name))
            })
            .or_else(|| {
                short.and_then(|name| {
                    current
                        .get_arguments()
                        .find(|of| of.get_short() == name.chars().next())
                })
            })
            // A switch has its word behind `=`, if it has one.
            .filter(|of| of.get_action().takes_values() && !of.is_require_equals_set());
        if let Some(next) = current.find_subcommand(word) {
            current = next;
        }
    }
    let values = |of: &clap::Arg| -> Vec<String> {
        let values = of.get_possible_values().into_iter();
        values.map(|value| value.get_name().to_owned()).collect()
    };
    let all: Vec<String> = match takes_value {
        Some(flag) => values(flag),
        None if last.starts_with('-') => {
            let shown = current.get_arguments().filter(|of| !of.is_hide_set());
            shown
                .filter_map(|of| Some(format!("--{}", of.get_long()?)))
                .collect()
        }
        None => {
            let commands = current.get_subcommands().filter(|of| !of.is_hide_set());
            let positionals = current.get_positionals().flat_map(values);
            let objects = if current.get_positionals().any(is_name) {
                names(&cluster(before))
            } else {
                Vec::new()
            };
            commands
                .map(|of| of.get_name().to_owned())
                .chain(positionals)
                .chain(objects)
                .collect()
        }
    };
    let is_file = takes_value.is_some_and(|of| {
        matches!(
            of.get_value_hint(),
            clap::ValueHint::FilePath | clap::ValueHint::AnyPath
        )
    });
    let mut lines: Vec<String> = all
        .into_iter()
        .filter(|word| word.starts_with(last))
        .collect();
    lines.push(if is_file {
        ":0".to_owned()
    } else {
        ":4".to_owned()
    });
    lines.join("\n") + "\n"
}

/// Whether an argument is the name of an object.
fn is_name(argument: &Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().any(|name| name == NAME)
}

/// The flags that say where the objects are, in the words so far.
fn cluster(words: &[String]) -> ClusterFlags {
    let value = |long: &str, short: Option<&str>| {
        let found = words.iter().enumerate().find_map(|(at, word)| {
            let assigned = word.strip_prefix(long)?.strip_prefix('=');
            assigned.map(|value| (at, value.to_owned()))
        });
        let is_flag = |word: &String| word == long || Some(word.as_str()) == short;
        let next = words.iter().position(is_flag);
        let next = next.and_then(|at| words.get(at + 1)).cloned();
        found.map(|(_, value)| value).or(next)
    };
    ClusterFlags::new(
        value("--context", None),
        value("--kubeconfig", None),
        value("--namespace", Some("-n")),
    )
}

/// The names of the objects that an API server has; none if it does not answer at once.
pub(super) fn names(flags: &ClusterFlags) -> Vec<String> {
    let listed = connected(flags, async |reader| {
        let api: Api<ProviderSecret> = reader.api(&Scope::default());
        let parameters = ListParams::default().limit(NAMES);
        let listed = tokio::time::timeout(COMPLETION_TIMEOUT, api.list_metadata(&parameters)).await;
        let listed = listed.ok().and_then(Result::ok);
        listed.ok_or_else(|| Refusal::failed("the names are not known"))
    });
    let listed = listed.map(|listed| listed.items).unwrap_or_default();
    listed.iter().map(ResourceExt::name_any).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["stat"], "status\n:4\n")]
    #[case(&["status", "--all"], "--all-namespaces\n:4\n")]
    #[case(&["status", "-o", "y"], "yaml\n:4\n")]
    #[case(&["status", "--output", "w"], "wide\n:4\n")]
    #[case(&["completion", "zs"], "zsh\n:4\n")]
    #[case(&["status", "--kubeconfig", ""], ":0\n")]
    #[case(&["nonsense", "x"], ":4\n")]
    #[case(&["why", ""], "one-here\ntwo-here\n:4\n")]
    #[case(&["sync", "-n", "ml", "t"], "two-ml\n:4\n")]
    #[case(&["approve", "--namespace=ml", "one"], "one-ml\n:4\n")]
    #[case(&["sync", "-n", "", "t"], "two-here\n:4\n")]
    #[case(&["sync", "--wait", "-A", "t"], "two-here\n:4\n")]
    #[case(&["inventory", ""], ":4\n")]
    #[case(&["plan", "-f", ""], ":0\n")]
    fn the_words_so_far_have_candidates(#[case] words: &[&str], #[case] expected: &str) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let names = |flags: &ClusterFlags| {
            let namespace = flags.namespace().unwrap().unwrap_or("here");
            vec![format!("one-{namespace}"), format!("two-{namespace}")]
        };
        assert_eq!(candidates(&Arguments::command(), &words, names), expected);
    }

    #[test]
    fn a_script_offers_no_word_after_a_switch() {
        let flags = Flags { shell: Shell::Bash };
        let script = run(&flags).text;
        for switch in ["--wait", "--yes", "--no-headers"] {
            assert!(script.contains(switch), "{script}");
            // The branch of the script for the word after a flag.
            assert!(!script.contains(&format!("{switch})")), "{switch}");
        }
        assert!(script.contains("--timeout)"), "{script}");
    }

    #[test]
    fn nothing_typed_yet_shows_the_commands() {
        let shown = candidates(&Arguments::command(), &[String::new()], |_| Vec::new());
        assert!(
            shown.contains("why\n") && shown.ends_with(":4\n"),
            "{shown}"
        );
    }
}
