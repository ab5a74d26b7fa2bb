//! The CEL rules that are alike for every member of `spec.provider`.

use kube::core::{Message, Rule};

use super::ProviderKind;

/// The rule that exactly one member is given.
pub(super) fn exactly_one_member() -> Rule {
    let members = ProviderKind::ALL.map(ProviderKind::member);
    let given = members.map(|member| format!("has(self.{member})"));
    let rule = format!("[{}].filter(x, x).size() == 1", given.join(", "));
    with_message(
        rule,
        format!("give exactly one of {}", enumerated(&members)),
    )
}

/// The rule that another member cannot take the place of the one that was given.
pub(super) fn the_same_member() -> Rule {
    let same = ProviderKind::ALL
        .map(ProviderKind::member)
        .map(|member| format!("has(self.{member}) == has(oldSelf.{member})"));
    with_message(same.join(" && "), cannot_change("the provider"))
}

/// The rule that fields of a member stay as they were. It sits on `spec.provider`, which
/// is required: on the member itself it would not run when the member is dropped and given again.
pub(super) fn unchanged(member: &str, fields: &[&str]) -> Rule {
    let same = fields.iter().map(|field| {
        let (new, old) = (
            format!("self.{member}.{field}"),
            format!("oldSelf.{member}.{field}"),
        );
        format!("has({new}) == has({old}) && (!has({new}) || {new} == {old})")
    });
    let same: Vec<String> = same.collect();
    let rule = format!(
        "!has(self.{member}) || !has(oldSelf.{member}) || ({})",
        same.join(" && ")
    );
    with_message(rule, cannot_change(&enumerated(fields)))
}

fn cannot_change(what: &str) -> String {
    format!("{what} cannot change: create a new ProviderSecret and delete this one")
}

fn with_message(rule: String, message: String) -> Rule {
    Rule::new(rule).message(Message::Message(message))
}

/// `a, b and c`.
pub(crate) fn enumerated(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
