//! How the program was called: by the name of the operator, of the plugin of kubectl, or of kubectl's completion of the
//! plugin; and with flags on either side of the command.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

/// By which name the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invocation {
    /// `provider-secrets`.
    Program,
    /// `kubectl-provider_secrets`, which kubectl runs for `kubectl provider-secrets`.
    Plugin,
    /// `kubectl_complete-provider_secrets`, which kubectl's completion runs with the words so far.
    Completion,
}

impl Invocation {
    /// The name in `argv[0]`, whatever its folder and, at Windows, its ending.
    pub(super) fn of(program: Option<&OsStr>) -> Self {
        let stem = program.and_then(|program| Path::new(program).file_stem());
        let stem = stem.unwrap_or_default().to_string_lossy();
        if stem.starts_with("kubectl_complete-") {
            Self::Completion
        } else if stem.starts_with("kubectl-") {
            Self::Plugin
        } else {
            Self::Program
        }
    }

    /// What a user types to run the program.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Program => "provider-secrets",
            Self::Plugin | Self::Completion => "kubectl provider-secrets",
        }
    }
}

/// The words of the command line, with the command before the flags that say which cluster and namespace: users of
/// kubectl write those first as well. `words` begins with the program.
pub(super) fn command_first(mut words: Vec<OsString>) -> Vec<OsString> {
    let mut command = 1;
    while let Some(taken) = words.get(command).and_then(|word| length(word.to_str()?)) {
        command += taken;
    }
    let is_command = |word: &OsString| !word.to_string_lossy().starts_with('-');
    if words.get(command).is_some_and(is_command) {
        words[1..=command].rotate_right(1);
    }
    words
}

/// How many words a flag takes that says which cluster or namespace; none if it is another word.
fn length(word: &str) -> Option<usize> {
    const WITH_VALUE: [&str; 4] = ["-n", "--namespace", "--context", "--kubeconfig"];
    let (name, has_value) = match word.split_once('=') {
        Some((name, _)) => (name, true),
        None => (word, false),
    };
    match name {
        "-A" | "--all-namespaces" => Some(1),
        _ if WITH_VALUE.contains(&name) => Some(if has_value { 1 } else { 2 }),
        // As in `-nteam`.
        _ if name.starts_with("-n") => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("provider-secrets", Invocation::Program)]
    #[case("/usr/local/bin/provider-secrets", Invocation::Program)]
    #[case("kubectl-provider_secrets", Invocation::Plugin)]
    #[case("/home/a/.krew/bin/kubectl-provider_secrets", Invocation::Plugin)]
    #[case("./kubectl-provider_secrets.exe", Invocation::Plugin)]
    #[case("kubectl_complete-provider_secrets", Invocation::Completion)]
    #[case("/opt/kubectl/x", Invocation::Program)]
    #[case("", Invocation::Program)]
    fn the_name_of_the_program_says_how_it_was_called(
        #[case] name: &str,
        #[case] expected: Invocation,
    ) {
        assert_eq!(Invocation::of(Some(OsStr::new(name))), expected);
    }

    #[rstest]
    #[case("p status -n team a", "p status -n team a")]
    #[case("p -n team status a", "p status -n team a")]
    #[case("p -nteam status a", "p status -nteam a")]
    #[case(
        "p --context=c --kubeconfig f -A status",
        "p status --context=c --kubeconfig f -A"
    )]
    #[case("p --namespace team", "p --namespace team")]
    #[case("p -n team --help", "p -n team --help")]
    #[case("p --version", "p --version")]
    #[case("p -o json status", "p -o json status")]
    #[case("p", "p")]
    #[case("", "")]
    fn the_command_comes_before_the_flags_of_the_cluster(
        #[case] words: &str,
        #[case] expected: &str,
    ) {
        let words = words.split_whitespace().map(OsString::from).collect();
        let ordered = command_first(words).join(OsStr::new(" "));
        assert_eq!(ordered, OsStr::new(expected));
    }
}
