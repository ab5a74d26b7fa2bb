//! `version`: of this program, and of the operator, which the label of its Deployment tells.

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;
use serde::Serialize;

use super::{
    answer::{Answer, Answered},
    finish,
    flags::{ClusterFlags, OutputFlags},
    installation::Installation,
    output::{NONE, structured},
    read::{Known, connected},
    say,
};

/// The version of this program.
pub(super) const CLIENT: &str = env!("CARGO_PKG_VERSION");

/// The flags of `version`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The version of this program alone, without a cluster
    #[arg(long)]
    client: bool,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    output: OutputFlags,
}

/// What is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions<'a> {
    client_version: &'static str,
    operators: Vec<&'a Installation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_because: Option<&'a str>,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    if flags.client {
        return finish(shown(None, &flags.output));
    }
    let found = connected(&flags.cluster, async |reader| {
        Ok(reader.installations().await)
    });
    let found = found.unwrap_or_else(|refusal| Known::Unread(refusal.text));
    if let Known::Unread(why) = &found {
        say(why);
    }
    finish(shown(Some(&found), &flags.output))
}

/// The answer; it fails where the operators could not be looked for.
fn shown(found: Option<&Known<Vec<Installation>>>, output: &OutputFlags) -> Answered {
    let (operators, unknown_because) = match found {
        Some(Known::Read(found)) => (found.iter().collect(), None),
        Some(Known::Unread(why)) => (Vec::new(), Some(why.as_str())),
        None => (Vec::new(), None),
    };
    let versions = Versions {
        client_version: CLIENT,
        operators,
        unknown_because,
    };
    let text = match structured(&versions, output.output)? {
        Some(text) => text,
        None => lines(&versions, found.is_some()),
    };
    Ok(Answer::new(text, unknown_because.is_none()))
}

fn lines(versions: &Versions<'_>, has_cluster: bool) -> String {
    let mut text = format!("Client Version: {}\n", versions.client_version);
    for operator in &versions.operators {
        let version = operator.version.as_deref().unwrap_or(NONE);
        let _ = writeln!(
            text,
            "Operator Version: {version} (Deployment {}, {}/{} available)",
            operator.namespaced_name(),
            operator.available,
            operator.replicas
        );
    }
    match versions.unknown_because {
        Some(why) => {
            let _ = writeln!(text, "Operator Version: <unknown> ({why})");
        }
        None if has_cluster && versions.operators.is_empty() => {
            let _ = writeln!(
                text,
                "Operator Version: {NONE} (there is no Deployment of an operator)"
            );
        }
        None => {}
    }
    text
}
