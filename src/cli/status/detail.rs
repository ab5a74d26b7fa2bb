//! One object in full.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    api::{EntryState, EntryStatus, ProviderSecret, Reason},
    cli::{
        flags::OutputFlags,
        origin::{Keys, Origin, origins},
        output::{
            Cell, NONE, Table, Tone,
            age::{age, age_or_none},
        },
        plan::Plan,
        read::{EventFact, Known, SecretFact},
        reasons::{self, HELD_BY_OTHERS, UNAPPROVED_DELETION, plain, prospect},
        view::{
            Standing, conditions, foreign_finalizers, is_observed, namespaced_name, was_written,
        },
    },
    provider::Choice,
};

/// How many events are shown.
const EVENTS: usize = 5;

/// What the API server says beside the object.
pub(super) struct Facts {
    /// The Secrets that the object reads, without their values, as far as they were asked for.
    pub(super) secrets: Vec<(String, Known<Option<SecretFact>>)>,
    /// The events of the object, the newest first.
    pub(super) events: Known<Vec<EventFact>>,
}

/// One object in full.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    namespace: String,
    name: String,
    generation: Option<i64>,
    observed_generation: Option<i64>,
    provider: Option<&'static str>,
    endpoint: Option<String>,
    target: Option<String>,
    scope: Option<String>,
    api_key: Option<String>,
    synced: Option<String>,
    conditions: Vec<ConditionView>,
    next_try: Option<String>,
    sources: Vec<SourceView>,
    entries: Vec<EntryView>,
    events: Vec<EventFact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events_unknown_because: Option<String>,
    fix: Vec<String>,
    #[serde(skip)]
    standing: Standing,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConditionView {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    since: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceView {
    secret: String,
    r#use: &'static str,
    acted_on: Option<String>,
    newest: Option<String>,
    changed: Option<Timestamp>,
    #[serde(skip)]
    is_missing: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryView {
    name: String,
    state: EntryState,
    reason: Option<String>,
    last_write_time: Option<Timestamp>,
    remote_id: Option<String>,
    from: Vec<Origin>,
}

impl Detail {
    pub(super) fn of(object: &ProviderSecret, facts: &Facts, now: Timestamp) -> Self {
        let (namespace, name) = namespaced_name(object);
        let status = object.status.clone().unwrap_or_default();
        let choice = object.spec.provider.choice();
        let credential = choice.map(Choice::api_key_secret_ref);
        let standing = Standing::of(object);
        let (next_try, fix) = prospects(object, &standing);
        let (events, events_unknown_because) = match &facts.events {
            Known::Read(events) => (events.iter().take(EVENTS).cloned().collect(), None),
            Known::Unread(why) => (Vec::new(), Some(why.clone())),
        };
        Self {
            generation: object.metadata.generation,
            observed_generation: status.observed_generation,
            provider: choice.map(|choice| choice.kind().as_str()),
            endpoint: choice.map(|choice| choice.endpoint().to_owned()),
            target: choice.and_then(|choice| {
                let set = choice.set_name(&name).map(|set| format!("set {set}"));
                set.or_else(|| {
                    choice
                        .scope_field()
                        .map(|field| format!("team or organization {field}"))
                })
            }),
            scope: status.scope,
            api_key: credential.map(|of| format!("Secret {} key {}", of.name, of.key)),
            synced: status.summary,
            conditions: conditions(object).iter().map(view_of).collect(),
            next_try,
            sources: sources(object, facts),
            entries: status
                .entries
                .iter()
                .map(|entry| entry_view(object, entry))
                .collect(),
            events,
            events_unknown_because,
            fix,
            standing,
            namespace,
            name,
        }
        .since(now)
    }

    /// Nothing of it is from the future: clocks differ.
    fn since(mut self, now: Timestamp) -> Self {
        for condition in &mut self.conditions {
            condition.since = condition.since.min(now);
        }
        self
    }

    pub(super) fn is_ready(&self) -> bool {
        self.standing.is_ready()
    }

    /// The text for people.
    pub(super) fn text(&self, now: Timestamp, output: &OutputFlags) -> String {
        let paint = output.colour.paint();
        let mut text = format!("ProviderSecret {}/{}", self.namespace, self.name);
        let number = |of: Option<i64>| of.map_or_else(|| NONE.to_owned(), |of| of.to_string());
        let (generation, observed) = (number(self.generation), number(self.observed_generation));
        let _ = writeln!(text, "   generation {generation} (observed {observed})");
        let account = [
            self.provider.map(str::to_owned),
            self.target.clone(),
            self.endpoint
                .as_ref()
                .map(|endpoint| format!("endpoint {endpoint}")),
        ];
        let account: Vec<String> = account.into_iter().flatten().collect();
        line(&mut text, "Account", &account.join(", "));
        line(&mut text, "Scope", self.scope.as_deref().unwrap_or(NONE));
        line(
            &mut text,
            "API key",
            self.api_key.as_deref().unwrap_or(NONE),
        );
        let is_older = self.generation != self.observed_generation;
        for condition in &self.conditions {
            let tone = if condition.r#type == "Ready" {
                self.standing.tone()
            } else {
                Tone::Plain
            };
            let said = format!("{} {}", condition.status, condition.reason);
            let words = if is_older && condition.r#type == "Ready" {
                let word = paint.tone(self.standing.ready, tone);
                format!("{word} (said of generation {observed}: {said})")
            } else {
                let since = age(condition.since, now);
                format!("{} for {since}", paint.tone(&said, tone))
            };
            line(&mut text, &condition.r#type, &words);
        }
        if let Some(first) = self.conditions.first() {
            line(&mut text, "Message", &first.message);
        }
        if let Some(next) = &self.next_try {
            line(&mut text, "Next", &format!("The operator {next}."));
        }
        text.push_str(&self.tables(now, output));
        if !self.fix.is_empty() {
            text.push_str("Fix\n");
            for (number, step) in self.fix.iter().enumerate() {
                let _ = writeln!(text, "  {}. {step}", number + 1);
            }
        }
        text
    }

    fn tables(&self, now: Timestamp, output: &OutputFlags) -> String {
        let (has_headers, paint) = (!output.no_headers, output.colour.paint());
        let mut text = "Sources\n".to_owned();
        let mut table = Table::new(["SECRET", "USE", "ACTED-ON", "NEWEST", "CHANGED"]);
        for source in &self.sources {
            let newest = match &source.newest {
                Some(newest) => newest.clone().into(),
                None if source.is_missing => Cell::toned("<missing>", Tone::Bad),
                None => "<unknown>".into(),
            };
            table.row([
                source.secret.clone().into(),
                source.r#use.into(),
                source.acted_on.clone().unwrap_or_default().into(),
                newest,
                age_or_none(source.changed, now).into(),
            ]);
        }
        text.push_str(&table.render(has_headers, "  ", paint));
        let _ = writeln!(text, "Entries {}", self.synced.as_deref().unwrap_or(NONE));
        let mut table = Table::new(["NAME", "STATE", "REASON", "VALUE-AGE", "FROM"]);
        for entry in &self.entries {
            let from: Vec<String> = entry.from.iter().map(Origin::text).collect();
            table.row([
                entry.name.clone().into(),
                Cell::toned(state(entry.state), tone_of(entry.state)),
                entry.reason.clone().unwrap_or_default().into(),
                age_or_none(entry.last_write_time, now).into(),
                from.join(",").into(),
            ]);
        }
        text.push_str(&table.render(has_headers, "  ", paint));
        text.push_str("Events\n");
        for event in &self.events {
            let since = age_or_none(event.time, now);
            let (count, kind, reason, note) =
                (event.count, &event.r#type, &event.reason, &event.note);
            let _ = writeln!(text, "  {since} (x{count})  {kind}  {reason}  {note}");
        }
        match &self.events_unknown_because {
            Some(why) => {
                let _ = writeln!(text, "  <unknown>: {why}");
            }
            None if self.events.is_empty() => text.push_str("  <none>\n"),
            None => {}
        }
        text
    }
}

fn line(text: &mut String, head: &str, words: &str) {
    let _ = writeln!(text, "  {head:<12}{words}");
}

fn view_of(condition: &crate::api::Condition) -> ConditionView {
    ConditionView {
        r#type: condition.r#type.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: condition.last_transition_time.0,
    }
}

fn sources(object: &ProviderSecret, facts: &Facts) -> Vec<SourceView> {
    let recorded = object.status.iter().flat_map(|status| &status.sources);
    let recorded: Vec<_> = recorded.collect();
    let values = object.spec.source_names();
    let views = object.spec.secret_names().into_iter().map(|name| {
        let mut all = facts.secrets.iter();
        let fact = all
            .find(|(of, _)| of == name)
            .and_then(|(_, known)| known.read());
        let acted = recorded.iter().find(|source| source.name == name);
        let found = fact.and_then(Option::as_ref);
        SourceView {
            secret: name.to_owned(),
            r#use: if values.contains(&name) {
                "values"
            } else {
                "api-key"
            },
            acted_on: acted.map(|source| source.resource_version.clone()),
            newest: found.map(|found| found.version.clone()),
            changed: found.and_then(|found| found.changed),
            is_missing: fact.is_some_and(Option::is_none),
        }
    });
    views.collect()
}

fn entry_view(object: &ProviderSecret, entry: &EntryStatus) -> EntryView {
    EntryView {
        name: entry.name.clone(),
        state: entry.state,
        reason: entry.reason.clone(),
        last_write_time: entry.last_write_time.as_ref().map(|time| time.0),
        remote_id: entry.remote_id.clone(),
        from: origins(object, &entry.name, &Keys::new()),
    }
}

/// The word of a state.
pub(in crate::cli) fn state(state: EntryState) -> &'static str {
    match state {
        EntryState::Synced => "Synced",
        EntryState::Failed => "Failed",
        EntryState::Pending => "Pending",
    }
}

/// The colour of a state.
pub(in crate::cli) fn tone_of(state: EntryState) -> Tone {
    match state {
        EntryState::Synced => Tone::Good,
        EntryState::Failed => Tone::Bad,
        EntryState::Pending => Tone::Doubtful,
    }
}

/// What the operator does next, as the end of a sentence, and how to fix what is wrong.
fn prospects(object: &ProviderSecret, standing: &Standing) -> (Option<String>, Vec<String>) {
    if foreign_finalizers(object).is_some() {
        return (Some(HELD_BY_OTHERS.to_owned()), Vec::new());
    }
    let (namespace, name) = namespaced_name(object);
    // The conditions tell of an older spec; why the operator does nothing about this one is for `why` to find.
    if !is_observed(object) {
        let what = if object.metadata.deletion_timestamp.is_some() {
            "the deletion".to_owned()
        } else {
            let generation = object.metadata.generation.unwrap_or_default();
            format!("generation {generation}")
        };
        let fix = format!("Find out why: kubectl provider-secrets why {name} -n {namespace}");
        return (Some(format!("has not acted on {what} yet")), vec![fix]);
    }
    let mut known = reasons::reason(&standing.reason);
    // The conditions name the deletion, and the plan what it waits for.
    let is_unapproved = known == Some(Reason::DeletionBlocked) && Plan::live(object).hash.is_some();
    if is_unapproved {
        known = Some(Reason::AwaitingApproval);
    }
    let choice = object.spec.provider.choice();
    let secret = choice.map_or("", |choice| &choice.api_key_secret_ref().name);
    let fix = match (known, standing.is_ready()) {
        (Some(reason), false) => steps(reason, &namespace, &name),
        _ => Vec::new(),
    };
    let next = if is_unapproved {
        Some(UNAPPROVED_DELETION.to_owned())
    } else {
        known.map(|reason| prospect(reason, secret, was_written(object)))
    };
    (next, fix)
}

fn steps(reason: Reason, namespace: &str, name: &str) -> Vec<String> {
    let row = reasons::row(reason.as_str());
    let steps = row.iter().flat_map(|row| &row.steps);
    steps
        .map(|step| plain(step, Some((namespace, name))))
        .collect()
}
