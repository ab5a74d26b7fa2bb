//! The flags that commands share, spelled as kubectl spells them.

use std::{ffi::OsString, io::IsTerminal as _, path::Path, time::Duration};

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use super::{
    answer::Refusal,
    output::{Paint, Table},
};

/// Which API server, and with which rights.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ClusterFlags {
    /// The context of the kubeconfig; the current one if it is not given
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// The kubeconfig; $KUBECONFIG, else ~/.kube/config, else the ServiceAccount of the pod
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    kubeconfig: Option<OsString>,

    /// The namespace; that of the context if it is not given
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
}

/// As for kubectl a flag without a text is not given: a script may not have set its variable, and without a namespace
/// a path of the API server means all of them.
impl ClusterFlags {
    /// The flags with these values.
    pub(super) fn new(
        context: Option<String>,
        kubeconfig: Option<String>,
        namespace: Option<String>,
    ) -> Self {
        Self {
            context,
            kubeconfig: kubeconfig.map(Into::into),
            namespace,
        }
    }

    /// The context.
    pub(super) fn context(&self) -> Option<&str> {
        self.context.as_deref().filter(|text| !text.is_empty())
    }

    /// The kubeconfig.
    pub(super) fn kubeconfig(&self) -> Option<&Path> {
        let file = self.kubeconfig.as_ref().filter(|file| !file.is_empty());
        file.map(Path::new)
    }

    /// The namespace.
    ///
    /// # Errors
    /// It would lead elsewhere in the paths of the API server.
    pub(super) fn namespace(&self) -> Result<Option<&str>, Refusal> {
        match self.namespace.as_deref() {
            Some(text) if text.contains('/') => {
                Err(Refusal::usage("the name of a namespace holds no /"))
            }
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    }
}

/// Which objects.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Scope {
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,

    /// Objects with these labels, as for kubectl
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(super) selector: Option<String>,
}

impl Scope {
    /// All objects that there are.
    pub(super) fn everywhere() -> Self {
        Self {
            all_namespaces: true,
            selector: None,
        }
    }

    /// What is said where no object is of the scope, as by kubectl.
    pub(super) fn none_found(&self, namespace: &str) -> String {
        if self.all_namespaces {
            "No resources found".to_owned()
        } else {
            format!("No resources found in {namespace} namespace.")
        }
    }

    /// Whether objects may be named: a name is one in one namespace.
    ///
    /// # Errors
    /// There are names, and a flag that chooses objects.
    pub(super) fn allows(&self, names: &[String]) -> Result<(), Refusal> {
        if !names.is_empty() && (self.all_namespaces || self.selector.is_some()) {
            let text = "give names, or one of --all-namespaces and --selector, not both";
            return Err(Refusal::usage(text));
        }
        Ok(())
    }
}

/// How what is found is shown.
#[derive(Args, Clone, Debug)]
pub(super) struct OutputFlags {
    /// How it is shown
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub(super) output: Format,

    /// No line with the names of the columns
    #[arg(long)]
    pub(super) no_headers: bool,

    #[command(flatten)]
    pub(super) colour: ColourFlags,
}

impl OutputFlags {
    /// The text of a table.
    pub(super) fn render(&self, table: &Table) -> String {
        table.render(!self.no_headers, "", self.colour.paint())
    }
}

/// Whether there are colours.
#[derive(Args, Clone, Debug)]
pub(super) struct ColourFlags {
    /// Colours: auto is for terminals, unless NO_COLOR is set
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: When,

    /// Not empty: no colours, as everywhere (<https://no-color.org>)
    #[arg(long, env = "NO_COLOR", hide = true)]
    no_color: Option<String>,
}

impl ColourFlags {
    /// Whether to write colours to standard output.
    pub(super) fn paint(&self) -> Paint {
        let is_on = match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let is_refused = self
                    .no_color
                    .as_deref()
                    .is_some_and(|text| !text.is_empty());
                !is_refused && std::io::stdout().is_terminal()
            }
        };
        Paint { is_on }
    }
}

/// The formats of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Names alone, as kubectl takes them
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// How long a command waits.
#[derive(Args, Clone, Debug)]
pub(super) struct WaitFlags {
    /// Wait until it is done
    #[arg(long)]
    pub(super) wait: bool,

    /// How long to wait, such as 90s or 10m; then the exit code is 124
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(super) timeout: Duration,
}

/// A duration such as 10m or 90s.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok();
    read.and_then(|read| Duration::try_from(read).ok())
        .filter(|read| *read > Duration::ZERO)
        .ok_or_else(|| "give a duration such as 90s or 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        cluster: ClusterFlags,
    }

    fn cluster(words: &[&str]) -> ClusterFlags {
        let words = [&["x"], words].concat();
        Line::try_parse_from(words).unwrap().cluster
    }

    /// `suspend --all -n "$NS"` without NS must not be meant for all namespaces.
    #[rstest]
    #[case(&[])]
    #[case(&["-n", "", "--context", "", "--kubeconfig", ""])]
    #[case(&["--namespace=", "--context=", "--kubeconfig="])]
    fn a_flag_without_a_text_is_not_given(#[case] words: &[&str]) {
        let flags = cluster(words);
        assert_eq!(flags.namespace(), Ok(None));
        assert_eq!((flags.context(), flags.kubeconfig()), (None, None));
    }

    #[test]
    fn a_flag_with_a_text_is_given() {
        let flags = cluster(&["-n", "ml", "--context=c", "--kubeconfig=/f"]);
        assert_eq!(flags.namespace(), Ok(Some("ml")));
        assert_eq!(flags.context(), Some("c"));
        assert_eq!(flags.kubeconfig(), Some(Path::new("/f")));
    }

    #[test]
    fn a_namespace_leads_to_no_other_path() {
        let flags = cluster(&["-n", "ml/../kube-system"]);
        let code = flags.namespace().map_err(|refusal| refusal.code);
        assert_eq!(code, Err(crate::cli::USAGE));
    }
}
