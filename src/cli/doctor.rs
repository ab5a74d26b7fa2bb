//! `doctor`: whether the operator and what it stands on are well. A tick, a cross or an exclamation mark a line.

mod checks;
mod endpoints;
mod objects;

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use self::{
    checks::{Check, Mark, checks},
    objects::Health,
};
use super::{
    answer::{Answer, Answered, Refusal},
    definition::DefinitionFact,
    flags::{ClusterFlags, OutputFlags},
    installation::{Installation, LeaseFact},
    output::{Paint, Tone, structured},
    read::{Known, Reader, Visible, bounded, on_cluster},
    rights::{Needs, Right, Subject},
    secret_access::{Access, AccessFlag},
};
use crate::controller::Namespaces;

/// How long an operator that hears of a spec may take to act on it.
const SECOND_LOOK: Duration = Duration::from_secs(4);

/// The flags of `doctor`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    output: OutputFlags,

    /// Whether the rights are looked for in these namespaces, for the ServiceAccount of this pod; all where none is named
    #[arg(
        long,
        value_name = "NAMESPACE[,NAMESPACE]",
        env = "PROVIDER_SECRETS_WATCH_NAMESPACES"
    )]
    watch_namespaces: Vec<Namespaces>,

    #[command(flatten)]
    access: AccessFlag,

    /// Whether the endpoints of the providers are reached from here, and their certificates trusted
    #[arg(long)]
    endpoints: bool,

    #[command(flatten)]
    endpoint: super::egress::EndpointFlags,

    #[command(flatten)]
    egress: super::egress::EgressFlags,
}

/// What is known of the cluster.
struct Facts {
    now: Timestamp,
    /// The namespace of the flags.
    namespace: String,
    /// The version of the API server.
    version: Result<String, Refusal>,
    definition: Known<DefinitionFact>,
    installations: Known<Vec<Installation>>,
    /// The Leases of each operator, by its place.
    leases: Vec<(String, Known<Vec<LeaseFact>>)>,
    /// The rights that are lacking, by whose they are.
    lacking: Vec<(String, Known<Vec<Right>>)>,
    objects: Visible<Health>,
    /// The namespaces that are watched where no Deployment tells them; all where there is none.
    watched: Vec<String>,
    /// What each endpoint answered.
    endpoints: Vec<(String, Result<(), String>)>,
}

impl Facts {
    /// Whether an operator watches a namespace.
    fn is_watched(&self, namespace: &str) -> bool {
        match self.installations.read().map(Vec::as_slice) {
            None | Some([]) => {
                self.watched.is_empty() || self.watched.iter().any(|name| name == namespace)
            }
            Some(operators) => operators.iter().any(|operator| operator.watches(namespace)),
        }
    }
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let facts = facts(&reader, flags).await?;
        shown(&checks(&facts), &flags.output)
    })
}

async fn facts(reader: &Reader, flags: &Flags) -> Result<Facts, Refusal> {
    let version = bounded("get the version", None, reader.client.apiserver_version()).await;
    let installations = reader.installations().await;
    let (mut leases, mut lacking) = (Vec::new(), Vec::new());
    for operator in installations.read().into_iter().flatten() {
        if operator.lease.is_some() {
            let found = reader.leases(operator.lease.as_ref()).await;
            leases.push((operator.namespaced_name(), found));
        }
        let (of, account) = (&operator.namespace, &operator.service_account);
        let subject = Subject::ServiceAccount(of, account);
        let whose = format!("ServiceAccount {of}/{account}");
        let mode = (operator.watched.as_slice(), operator.secret_access);
        lacking.extend(rights(reader, subject, &whose, mode).await);
        if let Some((namespace, name)) = &operator.lease {
            let lease = reader.lacking(subject, Needs::Lease(namespace, name)).await;
            lacking.push((format!("{whose} for Lease {namespace}/{name}"), lease));
        }
    }
    let watched = flags
        .watch_namespaces
        .iter()
        .cloned()
        .collect::<Namespaces>();
    let watched: Vec<String> = watched.names().map(str::to_owned).collect();
    // In the operator's own pod nothing else may be read than what the operator needs.
    if lacking.is_empty() {
        let mode = (watched.as_slice(), flags.access.secret_access);
        lacking.extend(rights(reader, Subject::Myself, "this user", mode).await);
    }
    let now = Timestamp::now();
    let objects = seen_objects(reader).await;
    let endpoints = if flags.endpoints {
        endpoints::reached(&flags.endpoint.endpoint, flags.egress.egress()).await?
    } else {
        Vec::new()
    };
    Ok(Facts {
        now,
        namespace: reader.namespace.clone(),
        version: version.map(|version| version.git_version),
        definition: reader.definition().await,
        installations,
        leases,
        lacking,
        objects,
        watched,
        endpoints,
    })
}

/// The objects. Where the operator seems not to hear of a spec they are looked at again after some seconds, as a Lease is:
/// an edit that only removes leaves no time, and seems to be as old as the one before.
async fn seen_objects(reader: &Reader) -> Visible<Health> {
    let first = look(reader).await;
    let Known::Read(seen) = &first.found else {
        return first;
    };
    if !seen.iter().any(Health::is_deaf) {
        return first;
    }
    tokio::time::sleep(SECOND_LOOK).await;
    let again = look(reader).await;
    match again.found {
        Known::Read(found) => Visible {
            found: Known::Read(objects::seen_twice(seen, found)),
            ..again
        },
        Known::Unread(_) => first,
    }
}

async fn look(reader: &Reader) -> Visible<Health> {
    let now = Timestamp::now();
    reader.each_visible(|object| Health::of(&object, now)).await
}

async fn rights(
    reader: &Reader,
    subject: Subject<'_>,
    whose: &str,
    (watched, access): (&[String], Access),
) -> Vec<(String, Known<Vec<Right>>)> {
    let mut all = Vec::new();
    if watched.is_empty() {
        let lacking = reader.lacking(subject, Needs::Work(None, access)).await;
        all.push((format!("{whose} in all namespaces"), lacking));
    }
    for namespace in watched {
        let needs = Needs::Work(Some(namespace), access);
        let lacking = reader.lacking(subject, needs).await;
        all.push((format!("{whose} in namespace {namespace}"), lacking));
    }
    all
}

/// What is shown as JSON and YAML.
#[derive(Serialize)]
struct Examination<'a> {
    healthy: bool,
    checks: &'a [Check],
}

fn shown(checks: &[Check], output: &OutputFlags) -> Answered {
    let healthy = checks.iter().all(|check| check.mark != Mark::Cross);
    let examination = Examination { healthy, checks };
    let text = match structured(&examination, output.output)? {
        Some(text) => text,
        None => lines(checks, output.colour.paint()),
    };
    Ok(Answer::new(text, healthy))
}

fn lines(checks: &[Check], paint: Paint) -> String {
    let mut text = String::new();
    for check in checks {
        let (mark, tone) = match check.mark {
            Mark::Tick => ("✔", Tone::Good),
            Mark::Exclamation => ("!", Tone::Doubtful),
            Mark::Cross => ("✗", Tone::Bad),
        };
        let mark = paint.tone(mark, tone);
        let more = check
            .command
            .iter()
            .map(|command| format!("   ({command})"));
        let more: String = more.collect();
        let _ = writeln!(text, "{mark} {}{more}", check.text);
    }
    let open = checks
        .iter()
        .filter(|check| check.mark != Mark::Tick)
        .count();
    let _ = match open {
        0 => writeln!(text, "Everything is well."),
        1 => writeln!(text, "1 check needs attention."),
        open => writeln!(text, "{open} checks need attention."),
    };
    text
}

#[cfg(test)]
mod tests;
