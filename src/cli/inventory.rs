//! `inventory`: every account with the names in it and who owns them; with `--read-credentials` also what no object owns.

mod unowned;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use self::unowned::{Unowned, Way};
use super::{
    answer::{Answer, Answered, FAILED, Refusal},
    egress::{EgressFlags, EndpointFlags},
    flags::{ClusterFlags, Format, OutputFlags, Scope},
    origin::Keys,
    output::{Cell, Table, Tone, age::age_or_none, one_word, structured},
    placement::{Placement, placements},
    read::on_cluster,
    say,
    schemes::Schemes,
    status::{state, tone_of},
    view::resource_name,
};
use crate::api::ProviderSecret;

/// The flags of `inventory`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    output: OutputFlags,

    /// Read the API keys, with the rights of the user, and list what the providers hold and no object owns
    #[arg(long)]
    read_credentials: bool,

    #[command(flatten)]
    endpoint: EndpointFlags,

    #[command(flatten)]
    schemes: Schemes,

    #[command(flatten)]
    egress: EgressFlags,
}

/// What is shown.
#[derive(Debug, Default, Serialize)]
struct Inventory {
    items: Vec<Placement>,
    /// What no object owns, where the providers were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unowned: Option<Vec<Unowned>>,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        if !flags.read_credentials {
            let found = reader.each(&flags.scope, |object| placements(&object, &Keys::new()));
            let inventory = Inventory {
                items: found.await?.into_iter().flatten().collect(),
                unowned: None,
            };
            return shown(inventory, &flags.output, Timestamp::now());
        }
        let way = Way::new(&flags.endpoint.endpoint, &flags.schemes, &flags.egress)?;
        // An account may be that of other namespaces too: what their objects own is no orphan.
        let placed = |object: ProviderSecret| placements(&object, &Keys::new());
        let owned = reader.each(&Scope::everywhere(), placed).await?.into_iter();
        let owned: Vec<Placement> = owned.flatten().collect();
        if reader.is_incomplete() {
            let text = "what no object owns is not known: an object could not be understood";
            return Err(Refusal::failed(text));
        }
        let objects = reader.each(&flags.scope, |object| object).await?;
        let items = objects
            .iter()
            .flat_map(|object| placements(object, &Keys::new()));
        let items: Vec<Placement> = items.collect();
        let (unowned, failures) = unowned::unowned(&reader, &way, &objects, &owned).await;
        let inventory = Inventory {
            items,
            unowned: Some(unowned),
        };
        let mut answer = shown(inventory, &flags.output, Timestamp::now())?;
        for failure in &failures {
            say(failure);
            answer.code = FAILED;
        }
        Ok(answer)
    })
}

fn shown(mut inventory: Inventory, output: &OutputFlags, now: Timestamp) -> Answered {
    let found = &mut inventory.items;
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
    if let Some(text) = structured(&inventory, output.output)? {
        return Ok(Answer::done(text));
    }
    let mut table = Table::new([
        "PROVIDER", "ENDPOINT", "SCOPE", "NAME", "STATE", "OWNER", "FROM", "SINCE",
    ]);
    for of in &inventory.items {
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
    for of in inventory.unowned.iter().flatten() {
        let scope = of.scope.clone().unwrap_or_default();
        table.row([
            of.provider.into(),
            of.endpoint.clone().into(),
            one_word(&scope).into(),
            one_word(&of.name).into(),
            Cell::toned("Unowned", Tone::Doubtful),
            "".into(),
            "".into(),
            "".into(),
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

    /// A provider takes names with spaces from others.
    #[test]
    fn a_line_has_a_word_for_each_column() {
        let flags = Line::try_parse_from(["inventory", "--no-headers", "--color=never"])
            .unwrap()
            .flags;
        let unowned = Unowned {
            provider: "PrimeIntellect",
            endpoint: "default".to_owned(),
            scope: Some("My team".to_owned()),
            name: "My key".to_owned(),
        };
        let inventory = Inventory {
            items: Vec::new(),
            unowned: Some(vec![unowned]),
        };
        let shown = shown(inventory, &flags.output, now()).unwrap().text;
        let words: Vec<&str> = shown.split_whitespace().collect();
        assert_eq!(
            (words.len(), &words[2..4]),
            (8, &["My_team", "My_key"][..]),
            "{shown}"
        );
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
        let inventory = Inventory {
            items: found.collect(),
            unowned: None,
        };
        let shown = shown(inventory, &flags.output, now()).unwrap().text;
        insta::assert_snapshot!("inventory", shown);
        documented("inventory -A", &shown);
    }
}
