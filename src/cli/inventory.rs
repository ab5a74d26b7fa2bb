//! `inventory`: every account with the names in it and who owns them.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{
    answer::{Answer, Answered},
    flags::{ClusterFlags, Format, OutputFlags, Scope},
    origin::Keys,
    output::{Cell, List, Table, age::age_or_none, structured},
    placement::{Placement, placements},
    read::on_cluster,
    status::{state, tone_of},
    view::resource_name,
};

/// The flags of `inventory`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    output: OutputFlags,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let found = reader.each(&flags.scope, |object| placements(&object, &Keys::new()));
        let found = found.await?.into_iter().flatten().collect();
        shown(found, &flags.output, Timestamp::now())
    })
}

fn shown(mut found: Vec<Placement>, output: &OutputFlags, now: Timestamp) -> Answered {
    let account = |of: &Placement| {
        (
            of.provider,
            of.endpoint.clone(),
            of.scope.clone(),
            of.set.clone(),
        )
    };
    found.sort_by_key(|of| {
        (
            account(of),
            of.name.clone(),
            of.namespace.clone(),
            of.object.clone(),
        )
    });
    if output.output == Format::Name {
        let mut names: Vec<String> = found
            .iter()
            .map(|of| resource_name(&of.object) + "\n")
            .collect();
        names.sort_unstable();
        names.dedup();
        return Ok(Answer::done(names.concat()));
    }
    let list = List { items: &found };
    if let Some(text) = structured(&list, output.output)? {
        return Ok(Answer::done(text));
    }
    let mut table = Table::new([
        "PROVIDER", "ENDPOINT", "SCOPE", "NAME", "STATE", "OWNER", "FROM", "SINCE",
    ]);
    for of in &found {
        table.row([
            of.provider.into(),
            of.endpoint.clone().into(),
            of.scope_word().into(),
            of.full_name().into(),
            Cell::toned(state(of.state), tone_of(of.state)),
            format!("{}/{}", of.namespace, of.object).into(),
            of.origin_word().into(),
            age_or_none(of.since, now).into(),
        ]);
    }
    Ok(Answer::done(output.render(&table)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::tests::samples::{documented, fleet, now};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    #[test]
    fn all_accounts_are_listed_as_the_documents_show_it() {
        let flags = Line::try_parse_from(["inventory", "--color=never"])
            .unwrap()
            .flags;
        let found = fleet();
        let found = found
            .iter()
            .flat_map(|object| placements(object, &Keys::new()));
        let shown = shown(found.collect(), &flags.output, now()).unwrap().text;
        insta::assert_snapshot!("inventory", shown);
        documented("inventory -A", &shown);
    }
}
