//! The fleet: one line for each object.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    api::ProviderSecret,
    cli::{
        flags::{Format, OutputFlags},
        output::{
            Cell, Table,
            age::{age, age_or_none},
            one_word,
        },
        view::{Standing, created, is_paused, namespaced_name, resource_name},
    },
};

/// One object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    namespace: String,
    name: String,
    provider: Option<String>,
    scope: Option<String>,
    ready: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    synced: Option<String>,
    suspended: bool,
    last_sync_time: Option<Timestamp>,
    creation_time: Option<Timestamp>,
    #[serde(skip)]
    standing: Standing,
}

impl Row {
    pub(super) fn of(object: &ProviderSecret) -> Self {
        let standing = Standing::of(object);
        let (namespace, name) = namespaced_name(object);
        let status = object.status.clone().unwrap_or_default();
        let first = status.conditions.first();
        let choice = object.spec.provider.choice();
        let named = choice.map(|choice| choice.kind().as_str().to_owned());
        Self {
            namespace,
            name,
            ready: standing.ready,
            reason: standing.reason.clone(),
            message: first.map(|first| first.message.clone()),
            suspended: is_paused(object),
            provider: status.provider.or(named),
            scope: status.scope,
            synced: status.summary,
            last_sync_time: status.last_sync_time.map(|time| time.0),
            creation_time: created(object),
            standing,
        }
    }

    /// The last line of the object, which is gone.
    pub(super) fn deleted(self) -> Self {
        Self {
            ready: "",
            reason: "Deleted".to_owned(),
            standing: Standing {
                ready: "",
                ..self.standing
            },
            ..self
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.standing.is_ready()
    }
}

/// The table, or the names.
pub(super) fn text(
    rows: &[Row],
    has_namespaces: bool,
    output: &OutputFlags,
    now: Timestamp,
) -> String {
    if output.output == Format::Name {
        let names = rows.iter().map(|row| resource_name(&row.name) + "\n");
        return names.collect();
    }
    output.render(&table(rows, has_namespaces, output, now))
}

/// The table.
pub(super) fn table(
    rows: &[Row],
    has_namespaces: bool,
    output: &OutputFlags,
    now: Timestamp,
) -> Table {
    let is_wide = output.output == Format::Wide;
    let mut heads = vec!["NAME", "PROVIDER", "READY", "REASON", "SYNCED", "LAST-SYNC"];
    if has_namespaces {
        heads.insert(0, "NAMESPACE");
    }
    if is_wide {
        heads.push("SCOPE");
        heads.push("SINCE");
    }
    heads.push("AGE");
    let mut table = Table::new(heads);
    for row in rows {
        let word = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
        let mut cells = Vec::new();
        if has_namespaces {
            cells.push(row.namespace.clone().into());
        }
        cells.push(row.name.clone().into());
        cells.push(word(&row.provider));
        cells.push(row.standing.cell());
        cells.push(row.reason.clone().into());
        cells.push(word(&row.synced));
        cells.push(age_or_none(row.last_sync_time, now).into());
        if is_wide {
            // A team may have a name with spaces in it.
            let scope = row.scope.as_deref().unwrap_or_default();
            cells.push(one_word(scope).into());
            cells.push(age_or_none(row.standing.since, now).into());
        }
        cells.push(
            row.creation_time
                .map_or_else(String::new, |time| age(time, now))
                .into(),
        );
        table.row(cells);
    }
    table
}
