//! `why NAME`: three sentences and the next command.

mod cause;
mod sentences;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use self::{
    cause::{Facts, cause},
    sentences::Explanation,
};
use super::{
    answer::{Answer, Answered},
    flags::{ClusterFlags, Format, OutputFlags},
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
    let operator = installations
        .read()
        .and_then(|found| match found.as_slice() {
            [one] => Some(one.clone()),
            several => several.iter().find(|one| one.watches(&namespace)).cloned(),
        });
    let lease = operator
        .as_ref()
        .and_then(|operator| operator.lease.clone());
    let leases = reader.leases(lease.as_ref()).await;
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

#[cfg(test)]
mod tests;
