//! By which name the program was called: that of the operator, of the plugin of kubectl, or of kubectl's
//! completion of the plugin.

use std::{ffi::OsStr, path::Path};

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
}
