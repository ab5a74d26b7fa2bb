//! `why NAME`: three sentences and the next command.

mod cause;
mod sentences;

use std::process::ExitCode;

use clap::Args;
use futures::future::join_all;
use jiff::Timestamp;

use self::{
    cause::{Facts, cause},
    sentences::Explanation,
};
use super::{
    answer::{Answer, Answered},
    flags::{ClusterFlags, Format, OutputFlags},
    installation::{Installation, LeaseFact},
    output::structured,
    read::{Known, Reader, on_cluster},
    rights::{Needs, Subject},
    view::{Standing, namespaced_name, resource_name},
};
use crate::api::ProviderSecret;

/// The flags of `why`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The object
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    output: OutputFlags,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let object = reader.object(&flags.name).await?;
        let facts = facts(&reader, object).await;
        answer(&facts, &flags.output)
    })
}

fn answer(facts: &Facts, output: &OutputFlags) -> Answered {
    let explanation = Explanation::of(facts, &cause(facts));
    let text = match (structured(&explanation, output.output)?, output.output) {
        (Some(text), _) => text,
        (None, Format::Name) => resource_name(&explanation.name) + "\n",
        (None, _) => explanation.text(),
    };
    Ok(Answer::new(text, explanation.ready))
}

/// Everything that may tell the cause, as far as the user may read it.
async fn facts(reader: &Reader, object: ProviderSecret) -> Facts {
    let (namespace, name) = namespaced_name(&object);
    let installations = reader.installations().await;
    let found = installations.read().map_or(&[][..], Vec::as_slice);
    let (operator, leases) = operator(reader, found, &namespace).await;
    let definition = reader.definition().await;
    let is_ready = Standing::of(&object).is_ready();
    // Ten questions to the API server are not asked where nothing is wrong.
    let lacking = match &operator {
        Some(operator) if !is_ready => {
            let (of, account) = (&operator.namespace, &operator.service_account);
            let subject = Subject::ServiceAccount(of, account);
            let needs = Needs::Work(Some(&namespace), operator.secret_access);
            reader.lacking(subject, needs).await
        }
        _ => Known::Read(Vec::new()),
    };
    let peers = reader.peers(&namespace, &name).await;
    Facts {
        now: Timestamp::now(),
        object,
        operator,
        installations,
        leases,
        definition,
        lacking,
        peers,
    }
}

/// An operator, with its Leases.
type WithLeases = (Installation, Known<Vec<LeaseFact>>);

/// The operator that the objects of a namespace are for, and the Leases that tell who leads.
async fn operator(
    reader: &Reader,
    found: &[Installation],
    namespace: &str,
) -> (Option<Installation>, Known<Vec<LeaseFact>>) {
    let watches = |one: &&Installation| found.len() == 1 || one.watches(namespace);
    let with_leases = found.iter().filter(watches).map(|one| async move {
        let leases = reader.leases(one.lease.as_ref()).await;
        (one.clone(), leases)
    });
    match chosen(join_all(with_leases).await, Timestamp::now()) {
        Some((operator, leases)) => (Some(operator), leases),
        None => (None, reader.leases(None).await),
    }
}

/// Of several operators the one that leads, else one that has a pod, else the first.
fn chosen(operators: Vec<WithLeases>, now: Timestamp) -> Option<WithLeases> {
    let rank = |(operator, leases): &WithLeases| {
        let mut leases = leases.read().into_iter().flatten();
        let leads = operator.lease.is_some() && leases.any(|lease| lease.is_kept(now));
        (!leads, operator.available == 0)
    };
    operators.into_iter().min_by_key(rank)
}

#[cfg(test)]
mod tests;
