//! `where secret/NAME [KEY]` and `where PROVIDER/NAME`: which accounts hold what of a Secret, and the way back.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{
    answer::{Answer, Answered, Refusal},
    flags::{ClusterFlags, Format, OutputFlags, Scope},
    origin::Keys,
    output::{Cell, List, Table, age::age_or_none, some, structured},
    placement::{MAY_BE_OLDER, Placement, placements},
    read::{Known, on_cluster},
    say,
    status::{state, tone_of},
    view::{path_name, resource_name},
};
use crate::provider::PROVIDERS;

/// The flags of `where`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// A Secret, as secret/NAME; or a name at a provider, as PROVIDER/NAME, PROVIDER/SET or PROVIDER/SET/KEY, where PROVIDER
    /// is the word of --endpoint, or provider for any of them
    #[arg(value_name = "secret/NAME|PROVIDER/NAME")]
    what: String,

    /// A key of the Secret
    #[arg(value_name = "KEY")]
    key: Option<String>,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    output: OutputFlags,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sought<'a> {
    Secret(&'a str, Option<&'a str>),
    Remote(&'a str, &'a str),
}

impl<'a> Sought<'a> {
    fn of(what: &'a str, key: Option<&'a str>) -> Result<Self, Refusal> {
        let flags = PROVIDERS.map(|of| of.flag).join(", ");
        let wanted = || {
            Refusal::usage(format!(
                "want secret/NAME or PROVIDER/NAME, where PROVIDER is provider or one of {flags}"
            ))
        };
        let (kind, name) = what.split_once('/').ok_or_else(wanted)?;
        if name.is_empty() {
            return Err(wanted());
        }
        let is_provider = |of: &str| kind.eq_ignore_ascii_case(of);
        match kind {
            "secret" | "secrets" => Ok(Self::Secret(path_name(name)?, key)),
            _ if key.is_some() => Err(Refusal::usage("a key belongs to a Secret")),
            _ if is_provider("provider")
                || PROVIDERS
                    .iter()
                    .any(|of| is_provider(of.flag) || is_provider(of.name)) =>
            {
                Ok(Self::Remote(kind, name))
            }
            _ => Err(wanted()),
        }
    }

    fn takes(self, placement: &Placement) -> bool {
        match self {
            Self::Secret(secret, key) => placement.is_from(secret, key),
            Self::Remote(provider, name) => placement.is_at(provider, name),
        }
    }

    /// Whether it may hold what the entry took from the Secret before: status does not tell where from that was.
    fn may_take(self, placement: &Placement) -> bool {
        matches!(self, Self::Secret(..)) && placement.may_be_older
    }
}

/// What is found, and a line of what may hold a value that an entry took from there before.
fn split(placed: Vec<Placement>, sought: Sought<'_>) -> (Vec<Placement>, Option<String>) {
    let (found, others): (Vec<_>, Vec<_>) = placed.into_iter().partition(|of| sought.takes(of));
    let others = others.iter().filter(|of| sought.may_take(of));
    let name = |of: &Placement| format!("{} of {}/{}", of.full_name(), of.namespace, of.object);
    let names: Vec<String> = others.map(name).collect();
    let doubt = (!names.is_empty()).then(|| format!("{} {MAY_BE_OLDER}", some(&names)));
    (found, doubt)
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let sought = Sought::of(&flags.what, flags.key.as_deref())?;
        if matches!(sought, Sought::Secret(..)) && flags.scope.all_namespaces {
            return Err(Refusal::usage(
                "a Secret is in one namespace: give --namespace",
            ));
        }
        let mut keys = Keys::new();
        if let Sought::Secret(name, _) = sought
            && let Known::Read(Some(secret)) = reader.secret(&reader.namespace, name).await
            && !secret.keys.is_empty()
        {
            keys.insert(name.to_owned(), secret.keys);
        }
        let found = reader.each(&flags.scope, |object| {
            let mut placed = placements(&object, &keys);
            placed.retain(|placement| sought.takes(placement) || sought.may_take(placement));
            placed
        });
        let found = found.await?.into_iter().flatten();
        let (found, doubt) = split(found.collect(), sought);
        if found.is_empty() {
            let place = if flags.scope.all_namespaces {
                "in any namespace".to_owned()
            } else {
                format!("in namespace {}", reader.namespace)
            };
            let what = &flags.what;
            return Err(Refusal::failed(match doubt {
                Some(doubt) => format!(
                    "whether a ProviderSecret {place} holds anything of {what} is not known: {doubt}"
                ),
                None => format!("no ProviderSecret {place} holds anything of {what}"),
            }));
        }
        if let Some(doubt) = doubt {
            say(&doubt);
        }
        shown(&found, sought, &flags.output, Timestamp::now())
    })
}

fn shown(
    found: &[Placement],
    sought: Sought<'_>,
    output: &OutputFlags,
    now: Timestamp,
) -> Answered {
    if let Some(text) = structured(&List { items: found }, output.output)? {
        return Ok(Answer::done(text));
    }
    if output.output == Format::Name {
        let mut names: Vec<String> = found
            .iter()
            .map(|of| resource_name(&of.object) + "\n")
            .collect();
        names.dedup();
        return Ok(Answer::done(names.concat()));
    }
    let mut table = match sought {
        Sought::Secret(..) => Table::new([
            "FROM", "PROVIDER", "SCOPE", "NAME", "STATE", "OBJECT", "SINCE",
        ]),
        Sought::Remote(..) => Table::new([
            "PROVIDER",
            "SCOPE",
            "NAME",
            "STATE",
            "NAMESPACE",
            "OBJECT",
            "FROM",
            "SINCE",
        ]),
    };
    for of in found {
        let (from, since) = (
            Cell::from(of.origin_word()),
            Cell::from(age_or_none(of.since, now)),
        );
        let state = Cell::toned(state(of.state), tone_of(of.state));
        let account = [of.provider.to_owned(), of.scope_word(), of.full_name()].map(Cell::from);
        let object = Cell::from(of.object.clone());
        let mut row = Vec::new();
        match sought {
            Sought::Secret(..) => {
                row.push(from);
                row.extend(account);
                row.extend([state, object, since]);
            }
            Sought::Remote(..) => {
                row.extend(account);
                row.extend([state, of.namespace.clone().into(), object, from, since]);
            }
        }
        table.row(row);
    }
    Ok(Answer::done(output.render(&table)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use serde_json::{Value, json};

    use super::*;
    use crate::cli::tests::samples::{ago, documented, fleet, now, object, provider};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn found(arguments: &[&str], keys: &Keys) -> (usize, String) {
        let line = [&["where", "--color=never"], arguments].concat();
        let flags = Line::try_parse_from(line).unwrap().flags;
        let sought = Sought::of(&flags.what, flags.key.as_deref()).unwrap();
        let placed = fleet();
        let placed = placed.iter().flat_map(|object| placements(object, keys));
        let placed: Vec<Placement> = placed.filter(|of| sought.takes(of)).collect();
        (
            placed.len(),
            shown(&placed, sought, &flags.output, now()).unwrap().text,
        )
    }

    #[test]
    fn a_secret_is_found_where_it_went_as_the_documents_show_it() {
        let (count, shown) = found(&["secret/huggingface"], &Keys::new());
        let (_, back) = found(&["pipecat/agent-keys/OPENAI_API_KEY"], &Keys::new());
        assert_eq!(count, 2);
        insta::assert_snapshot!("of_secret", shown);
        insta::assert_snapshot!("of_name", back);
        documented("where secret/huggingface -n ml", &shown);
        documented("where pipecat/agent-keys/OPENAI_API_KEY -n voice", &back);
    }

    #[rstest]
    #[case(&["secret/huggingface", "token"], 2)]
    #[case(&["secret/huggingface", "other"], 0)]
    #[case(&["secret/db", "user"], 1)]
    #[case(&["secret/db", "host"], 0)]
    #[case(&["secret/agent-env"], 2)]
    #[case(&["secret/agent-env", "OPENAI_API_KEY"], 1)]
    #[case(&["provider/HF_TOKEN"], 2)]
    #[case(&["Baseten/HF-TOKEN"], 1)]
    #[case(&["primeintellect/hf-token"], 0)]
    #[case(&["pipecat/other/OPENAI_API_KEY"], 0)]
    #[case(&["pipecat/agent-keys"], 2)]
    #[case(&["provider/agent-keys"], 2)]
    #[case(&["baseten/agent-keys"], 0)]
    #[case(&["pipecat/other"], 0)]
    fn what_is_looked_for_is_found(#[case] arguments: &[&str], #[case] count: usize) {
        assert_eq!(found(arguments, &Keys::new()).0, count);
    }

    /// The entry takes its value from another Secret now, and status does not tell from where before.
    #[rstest]
    #[case::written(json!({"state": "Synced"}), 3, false)]
    #[case::not_written(json!({"state": "Failed", "reason": "AwaitingApproval"}), 3, true)]
    #[case::never_written(json!({"state": "Failed", "lastWriteTime": null}), 3, false)]
    #[case::leaving(json!({"state": "Pending", "record": {"leaving": true}}), 3, true)]
    #[case::on_its_way(json!({"state": "Synced", "record": {"attempted": "several"}}), 3, true)]
    #[case::not_looked_at(json!({"state": "Synced"}), 4, true)]
    #[case::never_edited(json!({"state": "Failed"}), 1, false)]
    fn an_entry_that_moved_may_hold_what_it_took_before(
        #[case] more: Value,
        #[case] generation: i64,
        #[case] is_doubted: bool,
    ) {
        let mut entry = json!({"name": "A", "lastWriteTime": ago(60)});
        json_patch::merge(&mut entry, &more);
        let spec = json!({
            "provider": provider("baseten", "api"),
            "data": [{"name": "A", "secretKeyRef": {"name": "new", "key": "k"}}],
        });
        let status = json!({"observedGeneration": generation.min(3), "entries": [entry]});
        let mut object = object("ml/x", spec, status);
        object.metadata.generation = Some(generation);
        let placed = || placements(&object, &Keys::new());
        let (found, doubt) = split(placed(), Sought::Secret("old", None));
        let expected = "A of ml/x may still hold a value of before the last edit of the spec";
        assert_eq!(doubt.as_deref(), is_doubted.then_some(expected));
        assert!(found.is_empty());
        // It holds what the spec says, or will.
        for sought in [Sought::Secret("new", None), Sought::Remote("baseten", "A")] {
            let (found, doubt) = split(placed(), sought);
            assert_eq!((found.len(), doubt), (1, None));
        }
    }

    /// To an edit that only removes the API server gives no time: the newest one is of the finalizer, before the write.
    #[rstest]
    #[case::named(json!({"name": "A", "state": "Failed"}), json!({}), false)]
    #[case::removed(json!({"name": "B", "state": "Pending"}), json!({}), true)]
    #[case::removed_and_leaving(json!({"name": "B", "record": {"leaving": true}}), json!({}), true)]
    #[case::named_again(json!({"name": "A", "record": {"leaving": true}}), json!({}), true)]
    #[case::left_to_data_from(json!({"name": "B", "state": "Failed"}), json!([{"secretRef": {"name": "new"}}]), true)]
    fn an_entry_that_an_edit_removed_may_hold_what_it_took_before(
        #[case] more: Value,
        #[case] data_from: Value,
        #[case] is_doubted: bool,
    ) {
        let mut entry = json!({"state": "Pending", "lastWriteTime": ago(60)});
        json_patch::merge(&mut entry, &more);
        let mut spec = json!({
            "provider": provider("baseten", "api"),
            "data": [{"name": "A", "secretKeyRef": {"name": "new", "key": "k"}}],
        });
        if data_from.is_array() {
            spec["dataFrom"] = data_from;
        }
        let mut object = object("ml/x", spec, json!({"entries": [entry]}));
        let fields = json!([{"manager": "operator", "operation": "Update", "time": ago(600)}]);
        object.metadata.managed_fields = serde_json::from_value(fields).unwrap();
        let (_, doubt) = split(
            placements(&object, &Keys::new()),
            Sought::Secret("old", None),
        );
        assert_eq!(doubt.is_some(), is_doubted, "{doubt:?}");
    }

    /// The writers of a Secret may be recorded in part.
    #[rstest]
    #[case::recorded(&["X"], "a/X,b/X")]
    #[case::not_recorded(&["Y"], "b/X,a/X")]
    fn known_keys_of_a_secret_exclude_no_origin(#[case] keys: &[&str], #[case] expected: &str) {
        let spec = json!({
            "provider": provider("baseten", "api"),
            "dataFrom": [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
        });
        let status = json!({"entries": [{"name": "X", "state": "Synced"}]});
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let known = Keys::from([("a".to_owned(), keys)]);
        let placed = placements(&object("ml/x", spec, status), &known);
        assert_eq!(placed[0].origin_word(), expected);
        assert!(placed[0].is_from("a", None));
    }

    #[rstest]
    #[case("huggingface", None)]
    #[case("acme/x", None)]
    #[case("secret/", None)]
    #[case("secret/x?y", None)]
    #[case("baseten/x", Some("key"))]
    fn what_cannot_be_looked_for_is_refused(#[case] what: &str, #[case] key: Option<&str>) {
        assert_eq!(Sought::of(what, key).err().unwrap().code, 2);
    }
}
