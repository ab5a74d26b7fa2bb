//! `status`: the fleet in one table, or one object in full.

mod detail;
mod fleet;
mod follow;

use std::process::ExitCode;

use clap::Args;
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use tokio::time::Instant;

pub(super) use self::detail::{state, tone_of};
use self::{
    detail::{Detail, Facts},
    fleet::Row,
    follow::{Follow, Outages},
};
use super::{
    answer::{Answer, Answered, Refusal},
    flags::{ClusterFlags, Format, OutputFlags, Scope},
    is_printed,
    output::{List, structured},
    read::{Known, Reader, is_transient, on_cluster, refused},
    say,
    view::namespaced_name,
};
use crate::{api::ProviderSecret, controller::Guarded};

/// The flags of `status`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Objects; one is shown in full, several or none as a table
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    output: OutputFlags,

    /// Go on, and show what changes
    #[arg(short, long)]
    watch: bool,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        flags.scope.allows(&flags.names)?;
        let is_one = flags.names.len() == 1 && !flags.watch;
        if is_one
            && matches!(
                flags.output.output,
                Format::Table | Format::Json | Format::Yaml
            )
        {
            let object = reader.object(&flags.names[0]).await?;
            let facts = facts(&reader, &object).await;
            return one(&object, &facts, flags, Timestamp::now());
        }
        if flags.watch {
            return follow(&reader, flags).await;
        }
        let rows = if flags.names.is_empty() {
            reader.each(&flags.scope, |object| Row::of(&object)).await?
        } else {
            let objects = reader.objects(&flags.names, &flags.scope).await?;
            objects.iter().map(Row::of).collect()
        };
        many(&rows, flags, &reader.namespace)
    })
}

/// One object in full.
fn one(object: &ProviderSecret, facts: &Facts, flags: &Flags, now: Timestamp) -> Answered {
    let detail = Detail::of(object, facts, now);
    let text = match structured(&detail, flags.output.output)? {
        Some(text) => text,
        None => detail.text(now, &flags.output),
    };
    Ok(Answer::new(text, detail.is_ready()))
}

/// The fleet.
fn many(rows: &[Row], flags: &Flags, namespace: &str) -> Answered {
    let is_ready = rows.iter().all(Row::is_ready);
    if rows.is_empty() && matches!(flags.output.output, Format::Table | Format::Wide) {
        say(&flags.scope.none_found(namespace));
        return Ok(Answer::done(String::new()));
    }
    let output = &flags.output;
    if let Some(text) = structured(&List { items: rows }, output.output)? {
        return Ok(Answer::new(text, is_ready));
    }
    let text = fleet::text(rows, flags.scope.all_namespaces, output, Timestamp::now());
    Ok(Answer::new(text, is_ready))
}

/// Shows the objects, and a line for each change of one, until the reader of standard output goes away.
async fn follow(reader: &Reader, flags: &Flags) -> Answered {
    if !matches!(flags.output.output, Format::Table | Format::Wide) {
        return Err(Refusal::usage("--watch is for tables"));
    }
    // What is not there may be misspelt, and would be waited for in silence.
    let mut names = Vec::new();
    for name in &flags.names {
        let object = reader.object(name).await?;
        names.push(namespaced_name(&object).1);
    }
    let api: Api<Guarded> = reader.api(&flags.scope);
    let mut config = watcher::Config::default();
    if let Some(labels) = &flags.scope.selector {
        config = config.labels(labels);
    }
    let has_namespaces = flags.scope.all_namespaces;
    let namespace = (!has_namespaces).then_some(&*reader.namespace);
    let changes = watcher(api, config).default_backoff();
    let mut changes = std::pin::pin!(changes);
    let mut output = flags.output.clone();
    let (mut follow, mut widths) = (Follow::new(names), Vec::new());
    let mut outages = Outages::default();
    while let Some(change) = changes.next().await {
        let change = match change {
            Ok(change) => change,
            Err(error) => {
                let is_new = outages.begin(Instant::now());
                let what = flags.scope.question("watch");
                broken_off(error, outages.has_listed, &what, namespace)?;
                if is_new {
                    say("the watch broke off and is begun anew");
                }
                continue;
            }
        };
        outages.end(&change);
        let rows = follow.rows(change, |read| reader.decoded(read));
        if rows.is_empty() {
            continue;
        }
        let table = fleet::table(&rows, has_namespaces, &output, Timestamp::now());
        if !is_printed(&output.render_on(&table, &mut widths))? {
            break;
        }
        output.no_headers = true;
    }
    Ok(Answer::done(String::new()))
}

/// Whether a watch that broke off is begun anew.
///
/// # Errors
/// It would break off again and again: the user may not watch, nothing of the kind is installed, or no list was answered
/// before, so that the server is perhaps none.
fn broken_off(
    error: watcher::Error,
    has_listed: bool,
    what: &str,
    namespace: Option<&str>,
) -> Result<(), Refusal> {
    let is_first = !has_listed && matches!(error, watcher::Error::InitialListFailed(_));
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        watcher::Error::NoResourceVersion => {
            return Err(Refusal::failed("the API server shows no versions"));
        }
    };
    if is_transient(&error) && !is_first {
        return Ok(());
    }
    Err(Refusal::failed(refused(what, namespace, &error)))
}

/// What the API server says beside the object.
async fn facts(reader: &Reader, object: &ProviderSecret) -> Facts {
    let (namespace, name) = namespaced_name(object);
    let mut secrets = Vec::new();
    for secret in object.spec.secret_names() {
        let known = reader.secret(&namespace, secret).await;
        let is_refused = matches!(known, Known::Unread(_));
        secrets.push((secret.to_owned(), known));
        // Who may not read one Secret of a namespace may mostly read none.
        if is_refused {
            break;
        }
    }
    let events = reader.events(&namespace, &name).await;
    Facts { secrets, events }
}

#[cfg(test)]
mod tests;
