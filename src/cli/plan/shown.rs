//! How plans are shown: lines for people, and a table for a pull request.

use std::fmt::Write as _;

use super::Plan;
use crate::{
    api::{ActionKind, PlannedAction},
    cli::output::{Paint, Tone},
    telemetry::visible,
};

/// How a kind of action is marked, as diff does it.
fn mark(kind: ActionKind) -> (char, Tone) {
    match kind {
        ActionKind::Create => ('+', Tone::Good),
        ActionKind::Update => ('~', Tone::Doubtful),
        ActionKind::Delete => ('-', Tone::Bad),
        ActionKind::Refuse => ('!', Tone::Bad),
    }
}

/// The counts of a plan in words.
fn counts(plan: &Plan) -> String {
    let parts = [
        (plan.create, "to create"),
        (plan.update, "to update"),
        (plan.delete, "to delete"),
        (plan.refuse, "refused"),
        (plan.keep, "kept"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let calls = match plan.calls {
        0 => "no call".to_owned(),
        1 => "1 call".to_owned(),
        calls => format!("{calls} calls"),
    };
    match parts.as_slice() {
        [] if plan.is_unseen => "what would be done is not known yet".to_owned(),
        [] if plan.is_blocked => format!("nothing can be done; {calls}"),
        [] => format!("nothing to do; {calls}"),
        parts => format!("{}; {calls}", parts.join(", ")),
    }
}

/// Lines for people.
pub(super) fn text(plans: &[Plan], paint: Paint) -> String {
    let mut text = String::new();
    for plan in plans {
        let provider = plan.provider.unwrap_or("no provider");
        let scope = plan.scope.as_ref();
        let scope = scope.map(|scope| format!(" {}", visible(scope)));
        let place = format!("{}/{} at {provider}", plan.namespace, plan.name);
        let scope = scope.unwrap_or_default();
        let _ = writeln!(text, "{place}{scope}: {}", counts(plan));
        for PlannedAction {
            name,
            action,
            reason,
        } in &plan.actions
        {
            let (mark, tone) = mark(*action);
            let line = format!("{mark} {}", visible(name));
            let reason = reason.as_ref();
            let reason = reason.map(|reason| format!("   {}", visible(reason)));
            let line = paint.tone(&line, tone);
            let _ = writeln!(text, "  {line}{}", reason.unwrap_or_default());
        }
        for note in &plan.notes {
            let _ = writeln!(text, "  ({})", visible(note));
        }
        if let Some(hash) = &plan.hash {
            let (namespace, name) = (&plan.namespace, &plan.name);
            let hash = visible(hash);
            let command = format!("kubectl provider-secrets approve {name} -n {namespace}");
            let _ = writeln!(text, "  Plan {hash} waits for approval: {command}");
        }
    }
    text
}

/// A text that ends neither its cell nor its quotes: who may write status writes it.
fn in_cell(text: &str) -> String {
    visible(text).replace('|', "\\|").replace('`', "'")
}

/// A table for a pull request.
pub(super) fn markdown(plans: &[Plan]) -> String {
    let mut text = String::new();
    for plan in plans {
        let provider = plan.provider.unwrap_or("no provider");
        let _ = writeln!(
            text,
            "### {}/{} at {provider}\n\n{}\n",
            plan.namespace,
            plan.name,
            counts(plan)
        );
        if !plan.actions.is_empty() {
            text.push_str("| action | name | reason |\n| --- | --- | --- |\n");
        }
        for action in &plan.actions {
            let reason = in_cell(action.reason.as_deref().unwrap_or_default());
            let kind = action.action.as_str().to_lowercase();
            let name = in_cell(&action.name);
            let _ = writeln!(text, "| {kind} | `{name}` | {reason} |");
        }
        if !plan.actions.is_empty() {
            text.push('\n');
        }
        for note in &plan.notes {
            let _ = writeln!(text, "- {}", in_cell(note));
        }
        if let Some(hash) = &plan.hash {
            let _ = writeln!(text, "- plan `{}` waits for approval", in_cell(hash));
        }
        if !plan.notes.is_empty() || plan.hash.is_some() {
            text.push('\n');
        }
    }
    text
}
