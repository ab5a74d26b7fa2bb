//! The flags that commands share, spelled as kubectl spells them.

use std::{ffi::OsString, io::IsTerminal as _, path::Path, time::Duration};

use clap::{Arg, ArgAction, Args, Command, ValueEnum, value_parser};
use jiff::SignedDuration;

use super::{
    answer::Refusal,
    output::{Paint, Table},
    view::path_name,
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
    /// It is the name of none.
    pub(super) fn namespace(&self) -> Result<Option<&str>, Refusal> {
        let given = self.namespace.as_deref().filter(|text| !text.is_empty());
        given.map(path_name).transpose()
    }
}

/// Which objects.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Scope {
    /// All namespaces
    #[arg(short = 'A', long)]
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

    /// What the API server is asked, by a verb.
    pub(super) fn question(&self, verb: &str) -> String {
        let labels = self.selector.as_ref();
        let labels = labels.map(|labels| format!(" with -l {labels:?}"));
        format!("{verb} providersecrets{}", labels.unwrap_or_default())
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

    /// Whether it is clear in which namespaces objects are changed. What is read of all of them is read as by kubectl,
    /// whatever --namespace says.
    ///
    /// # Errors
    /// One namespace is named, and all are asked for.
    pub(super) fn is_clear(&self, cluster: &ClusterFlags) -> Result<(), Refusal> {
        if self.all_namespaces && cluster.namespace()?.is_some() {
            let text = "give --namespace or --all-namespaces, not both";
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

    /// The text of a table that goes on below others, of which `widths` has those of the columns.
    pub(super) fn render_on(&self, table: &Table, widths: &mut Vec<usize>) -> String {
        table.render_on(widths, !self.no_headers, "", self.colour.paint())
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

/// What a negative duration waits.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// How long a command waits.
#[derive(Args, Clone, Debug)]
pub(super) struct WaitFlags {
    /// Wait until it is done
    #[arg(long)]
    pub(super) wait: bool,

    /// How long to wait, such as 90s or 10m; then the exit code is 124. 0 looks once, and a negative one waits a week
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = duration,
        allow_hyphen_values = true
    )]
    pub(super) timeout: Duration,
}

/// A duration such as 10m or 90s, with the meaning that `kubectl wait` gives to none and to a negative one.
fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let read = text.parse::<SignedDuration>();
    let read = read.map_err(|_| "give a duration such as 90s or 10m".to_owned())?;
    Ok(Duration::try_from(read).unwrap_or(WEEK))
}

/// A command whose switches take a word behind `=`, such as `--wait=false`, as those of kubectl.
pub(super) fn switches_take_words(command: Command) -> Command {
    let switch = |arg: Arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .value_parser(value_parser!(bool))
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_value("false")
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true),
        _ => arg,
    };
    command
        .mut_args(switch)
        .mut_subcommands(switches_take_words)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        cluster: ClusterFlags,
    }

    #[derive(Parser)]
    struct Waiting {
        #[command(flatten)]
        wait: WaitFlags,
    }

    #[rstest]
    #[case(&[], Some(Duration::from_mins(5)))]
    #[case(&["--timeout=90s"], Some(Duration::from_secs(90)))]
    #[case(&["--timeout", "0"], Some(Duration::ZERO))]
    #[case(&["--timeout=0s"], Some(Duration::ZERO))]
    #[case(&["--timeout=-1s"], Some(WEEK))]
    #[case(&["--timeout", "-1s"], Some(WEEK))]
    #[case(&["--timeout=soon"], None)]
    fn a_timeout_is_that_of_kubectl(#[case] words: &[&str], #[case] expected: Option<Duration>) {
        let words = [&["x"], words].concat();
        let read = Waiting::try_parse_from(words).ok();
        assert_eq!(read.map(|read| read.wait.timeout), expected);
    }

    #[derive(Parser)]
    struct Choosing {
        #[command(flatten)]
        cluster: ClusterFlags,

        #[command(flatten)]
        scope: Scope,

        #[command(flatten)]
        output: OutputFlags,

        #[command(flatten)]
        wait: WaitFlags,

        #[arg(short, long)]
        watch: bool,

        names: Vec<String>,
    }

    #[rstest]
    #[case(&["-A", "--no-headers", "--wait", "--watch", "a"], true)]
    #[case(&["-A=true", "--no-headers=true", "--wait=true", "-w=true", "a"], true)]
    #[case(&["-Aw", "--no-headers", "a", "--wait"], true)]
    #[case(&["-A=false", "--no-headers=false", "--wait=false", "--watch=false", "a"], false)]
    #[case(&["-n", "ml", "a"], false)]
    #[case(&["-A=false", "-n", "ml", "a"], false)]
    #[case(&["-A", "-n", "ml", "--no-headers", "--wait", "--watch", "a"], true)]
    fn a_switch_may_have_a_word(#[case] words: &[&str], #[case] is_on: bool) {
        let words = [&["x"], words].concat();
        let command = switches_take_words(Choosing::command());
        let matches = command.try_get_matches_from(words).unwrap();
        let read = Choosing::from_arg_matches(&matches).unwrap();
        assert_eq!(read.scope.all_namespaces, is_on);
        assert_eq!(read.output.no_headers, is_on);
        assert_eq!(read.wait.wait, is_on);
        assert_eq!(read.watch, is_on);
        assert_eq!(read.names, ["a"]);
        assert_eq!(read.cluster.context(), None);
        let is_one = read.cluster.namespace() == Ok(Some("ml"));
        let clear = read.scope.is_clear(&read.cluster);
        assert_eq!(clear.is_err(), is_on && is_one);
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
    fn a_question_names_its_selector() {
        let mut scope = Scope::default();
        assert_eq!(scope.question("list"), "list providersecrets");
        scope.selector = Some("a=b=c".to_owned());
        let expected = "watch providersecrets with -l \"a=b=c\"";
        assert_eq!(scope.question("watch"), expected);
    }

    #[rstest]
    #[case("ml/../kube-system")]
    #[case("ml?x=y")]
    #[case("%6dl")]
    #[case(" ")]
    fn a_namespace_leads_to_no_other_path(#[case] name: &str) {
        let flags = cluster(&["-n", name]);
        let code = flags.namespace().map_err(|refusal| refusal.code);
        assert_eq!(code, Err(crate::cli::USAGE));
    }
}
