//! `completion SHELL`, and the way of kubectl: `kubectl_complete-provider_secrets` is run with the words so far and prints
//! what may come next.

use clap::{Args, Command};
use clap_complete::Shell;

use super::answer::Answer;

/// The flags of `completion`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The script that a shell reads at its start.
pub(super) fn run(flags: &Flags, command: &mut Command) -> Answer {
    let mut script = Vec::new();
    // The name of a file: kubectl completes its plugins by itself.
    clap_complete::generate(flags.shell, command, "provider-secrets", &mut script);
    Answer::done(String::from_utf8_lossy(&script).into_owned())
}

/// The candidates for the last of the words, each on a line, and at the end what the shell shall do besides, as
/// cobra's completion has it: `:4` for no file names, `:0` for file names too.
pub(super) fn candidates(command: &Command, words: &[String]) -> String {
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
            .filter(|of| of.get_action().takes_values());
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
            commands
                .map(|of| of.get_name().to_owned())
                .chain(positionals)
                .collect()
        }
    };
    let is_file = takes_value.is_some_and(|of| of.get_value_hint() == clap::ValueHint::FilePath);
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use rstest::rstest;

    use super::*;
    use crate::cli::Arguments;

    #[rstest]
    #[case(&["stat"], "status\n:4\n")]
    #[case(&["status", "--all"], "--all-namespaces\n:4\n")]
    #[case(&["status", "-o", "y"], "yaml\n:4\n")]
    #[case(&["status", "--output", "w"], "wide\n:4\n")]
    #[case(&["completion", "zs"], "zsh\n:4\n")]
    #[case(&["status", "--kubeconfig", ""], ":0\n")]
    #[case(&["nonsense", "x"], ":4\n")]
    fn the_words_so_far_have_candidates(#[case] words: &[&str], #[case] expected: &str) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(candidates(&Arguments::command(), &words), expected);
    }

    #[test]
    fn nothing_typed_yet_shows_the_commands() {
        let shown = candidates(&Arguments::command(), &[String::new()]);
        assert!(
            shown.contains("why\n") && shown.ends_with(":4\n"),
            "{shown}"
        );
    }
}
