//! The table of reasons and alerts, docs/reasons.yaml, as the program carries it; and what the operator does next for
//! each reason.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::api::Reason;

/// The table. A test holds that it has each reason once.
static TABLE: LazyLock<Option<Table>> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("../../docs/reasons.yaml")).ok());

#[derive(Deserialize)]
struct Table {
    reasons: Vec<Row>,
    alerts: Vec<Alert>,
}

/// What is written about a reason.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Row {
    /// The word.
    pub(super) reason: String,
    /// The condition that is True with it.
    pub(super) class: String,
    /// What it means, as the end of a sentence.
    pub(super) meaning: String,
    /// How it comes to be.
    pub(super) cause: String,
    /// What to do.
    pub(super) steps: Vec<String>,
}

/// What is written about an alert.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Alert {
    /// Its name.
    #[serde(rename = "alert")]
    pub(super) name: String,
    /// How grave it is.
    pub(super) severity: String,
    /// What it means.
    pub(super) meaning: String,
    /// What to do.
    pub(super) steps: Vec<String>,
}

/// What the operator does next about a deletion whose plan waits for approval: as [`prospect`].
pub(super) const UNAPPROVED_DELETION: &str = "deletes nothing until the plan is approved, and lets the object go without that when --deletion-timeout is over (15 minutes by default)";

/// What the operator does next about a deletion that waits for other controllers alone: as [`prospect`].
pub(super) const HELD_BY_OTHERS: &str =
    "does nothing more; the object goes when other controllers have removed their finalizers";

/// The rows of the reasons, in the order of the table.
pub(super) fn rows() -> &'static [Row] {
    TABLE.as_ref().map_or(&[], |table| &table.reasons)
}

/// The alerts, in the order of the table.
pub(super) fn alerts() -> &'static [Alert] {
    TABLE.as_ref().map_or(&[], |table| &table.alerts)
}

/// What is written about a reason.
pub(super) fn row(reason: &str) -> Option<&'static Row> {
    rows().iter().find(|row| row.reason == reason)
}

/// The reason with this word.
pub(super) fn reason(word: &str) -> Option<Reason> {
    let mut all = Reason::ALL.iter();
    all.find(|reason| reason.as_str() == word).copied()
}

/// Whether a reason holds back the whole account, so that its other objects wait too.
pub(super) fn is_of_account(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RateLimited
            | Reason::AuthenticationFailed
            | Reason::PermissionDenied
            | Reason::ProviderUnavailable
            | Reason::NetworkError
            | Reason::Timeout
    )
}

/// A text of the table for a terminal: links are their words, and the places of names are filled in.
pub(super) fn plain(text: &str, place: Option<(&str, &str)>) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find('[') {
        let link = &rest[begin..];
        let parts = link.find("](").and_then(|middle| {
            let end = link[middle..].find(')')? + middle;
            Some((&link[1..middle], &link[end + 1..]))
        });
        plain.push_str(&rest[..begin]);
        match parts {
            Some((words, after)) if !words.contains('[') => {
                plain.push_str(words);
                rest = after;
            }
            _ => {
                plain.push('[');
                rest = &link[1..];
            }
        }
    }
    plain.push_str(rest);
    let plain = plain.replace('`', "");
    match place {
        Some((namespace, name)) => in_place(&plain, namespace, name),
        None => plain,
    }
}

/// The words NAME and NAMESPACE, where they stand for themselves, become those of an object.
fn in_place(text: &str, namespace: &str, name: &str) -> String {
    let words =
        text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let placed = words.map(|word| {
        let letters = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let rest = &word[letters.len()..];
        match letters {
            "NAME" => format!("{name}{rest}"),
            "NAMESPACE" => format!("{namespace}{rest}"),
            _ => word.to_owned(),
        }
    });
    placed.collect()
}

/// What the operator does next about a reason, and when: the end of a sentence that begins with "The operator".
/// `credential` is the Secret of the API key; `was_written` is whether the provider took anything of the object before.
pub(super) fn prospect(reason: Reason, credential: &str, was_written: bool) -> String {
    const AT_CHANGE: &str =
        "tries again at once when the spec or a Secret changes or a sync is requested, else";
    use Reason as R;
    match reason {
        R::Synced => "compares the account with what it wrote every verifyInterval, and writes at once what changes".to_owned(),
        R::Suspended => "writes and deletes nothing until spec.suspend is false".to_owned(),
        R::AwaitingApproval => "sends nothing of it until the plan is approved, and makes another plan when the spec, a Secret or the account changes".to_owned(),
        R::Progressing => "is at work on it, or asks the provider again within 30 seconds whether it has finished".to_owned(),
        R::SecretNotFound | R::KeyNotFound | R::EmptyValue | R::CredentialNotFound | R::CredentialKeyMissing => {
            "makes no call meanwhile, and goes on within a second of what is missing being there".to_owned()
        }
        R::AuthenticationFailed | R::PermissionDenied => format!(
            "tries at once with another API key in Secret {credential}; with this one a single object of the account tries after 1 minute, doubling to 1 hour"
        ),
        R::CredentialInvalid => format!("goes on at once when Secret {credential} changes"),
        R::RateLimited => "makes no call to this account until the pause is over that the provider asked for, 15 minutes at most; then one call asks whether it is over".to_owned(),
        R::Contended | R::AccountChanged | R::RemovalHeld => {
            "writes nothing more about it until a sync is requested or the spec or a Secret changes".to_owned()
        }
        R::ProgressingWithRetry | R::ProviderUnavailable | R::Timeout | R::NetworkError | R::CertificateNotTrusted
        | R::UnexpectedResponse | R::SecretUnavailable | R::Forbidden | R::ProviderFailed => {
            "tries again after 1 second, doubling to 5 minutes, and after an hour of failures every hour".to_owned()
        }
        R::DeletionBlocked => "tries again, and lets the object go when --deletion-timeout is over (15 minutes by default)".to_owned(),
        R::Resumed | R::TrailingNewline | R::ByteOrderMark | R::DriftDetected | R::DeletionSkipped | R::RemoteDeleted => {
            "has told it and does nothing more about it".to_owned()
        }
        R::SourceNotAllowed => "reads the Secret at once when it has the label".to_owned(),
        R::ProviderNotAllowed => "writes and deletes nothing meanwhile, and looks at the namespace again within a minute of its change".to_owned(),
        R::Ambiguous => "looks again at once when the spec or a Secret changes or a sync is requested, else every verifyInterval".to_owned(),
        // What the provider took before it may take again: the fault is its own, perhaps.
        R::Rejected | R::TargetNotFound | R::Immutable if was_written => {
            format!("{AT_CHANGE} after 1 minute, doubling to 6 hours")
        }
        R::TargetNotFound | R::InvalidKeyName | R::ValueTooLarge | R::InvalidEncoding | R::InvalidTemplate | R::Conflict
        | R::Unsupported | R::InvalidSpec | R::TooManyEntries | R::SourceRefused | R::Rejected | R::Immutable => {
            format!("{AT_CHANGE} every 6 hours")
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_program_carries_a_row_for_each_reason() {
        assert_eq!(rows().len(), Reason::ALL.len());
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| row(reason.as_str()).is_some())
        );
        assert!(!alerts().is_empty());
    }

    #[rstest]
    #[case(Reason::Rejected, false, "else every 6 hours")]
    #[case(Reason::Rejected, true, "else after 1 minute, doubling to 6 hours")]
    #[case(Reason::InvalidKeyName, true, "else every 6 hours")]
    fn what_the_provider_took_before_is_tried_sooner(
        #[case] reason: Reason,
        #[case] was_written: bool,
        #[case] expected: &str,
    ) {
        let said = prospect(reason, "baseten", was_written);
        assert!(said.ends_with(expected), "{said}");
    }

    #[rstest]
    #[case("see [accounts](#accounts) there", "see accounts there")]
    #[case("`kubectl get psec NAME -n NAMESPACE`.", "kubectl get psec one -n ml.")]
    #[case("an array[0] and [ab]*", "an array[0] and [ab]*")]
    #[case("[a](b) and [c](d)", "a and c")]
    #[case("OPERATOR_NAMESPACE:NAME", "OPERATOR_NAMESPACE:one")]
    fn a_text_of_the_table_reads_well_in_a_terminal(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(plain(text, Some(("ml", "one"))), shown);
    }

    #[test]
    fn no_text_of_the_table_keeps_its_markdown() {
        let texts = rows()
            .iter()
            .flat_map(|row| [&row.meaning, &row.cause].into_iter().chain(&row.steps));
        for text in texts.chain(alerts().iter().flat_map(|alert| &alert.steps)) {
            let shown = plain(text, None);
            assert!(!shown.contains("](") && !shown.contains('`'), "{shown}");
        }
    }
}
