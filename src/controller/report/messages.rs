//! Verdicts that no trouble decides, and the words for them.

use super::{
    Notice,
    conditions::{State, Verdict},
};
use crate::{
    api::{Choice, EntryStatus, ProviderKind, Reason},
    controller::{error::Trouble, events::Importance, plan::Drift},
    provider::Settled,
};

/// What is said when there is no trouble.
pub(crate) fn all_done(
    settled: Settled,
    entries: &[EntryStatus],
    choice: Option<Choice<'_>>,
) -> Verdict {
    let provider = choice.map_or("The provider", |choice| choice.kind().as_str());
    let entries = match entries.len() {
        1 => "the entry".to_owned(),
        count => format!("all {count} entries"),
    };
    let (state, reason, message) = match settled {
        Settled::Ready => (
            State::Ready,
            Reason::Synced,
            format!("{provider} has acknowledged {entries}."),
        ),
        Settled::Pending => (
            State::Reconciling {
                after_failure: false,
            },
            Reason::Progressing,
            format!("{provider} has accepted {entries} and is applying them."),
        ),
        Settled::Failed => (
            State::Reconciling {
                after_failure: true,
            },
            Reason::ProviderFailed,
            format!("{provider} accepted {entries} and failed to apply them. They are sent again."),
        ),
    };
    Verdict {
        state,
        reason,
        message,
    }
}

/// What is said while recorded entries are written again.
pub(crate) fn writing(count: usize) -> Verdict {
    let entries = if count == 1 {
        "An entry is".to_owned()
    } else {
        format!("{count} entries are")
    };
    Verdict {
        state: State::Reconciling {
            after_failure: false,
        },
        reason: Reason::Progressing,
        message: format!("{entries} being written."),
    }
}

/// What is said of a suspended object.
pub(crate) fn suspended(all_held: bool) -> Verdict {
    let (state, message) = if all_held {
        (
            State::Ready,
            "The object is suspended. Everything was synced before.",
        )
    } else {
        let message = "The object is suspended. Not everything is synced; set spec.suspend to false to go on.";
        (State::Suspended, message)
    };
    Verdict {
        state,
        reason: Reason::Suspended,
        message: message.to_owned(),
    }
}

/// What keeps a suspended object from being synced; it is not shown.
pub(crate) fn not_held() -> Trouble {
    Trouble::waiting(Reason::Suspended, "Not everything is synced.")
}

/// No member of `spec.provider`, or several: the schema was bypassed.
pub(crate) fn no_provider() -> Trouble {
    let message =
        "Give exactly one of baseten, primeIntellect, pipecat and braintrust under spec.provider.";
    Trouble::config(Reason::InvalidSpec, message)
}

/// Why there is no way to the provider.
pub(crate) fn no_account(reason: Reason, choice: Choice<'_>) -> Trouble {
    let message = if reason == Reason::InvalidSpec {
        format!(
            "The operator knows no endpoint {} of {}. Name one that its --endpoint flags map to a URL.",
            choice.endpoint(),
            choice.kind()
        )
    } else {
        let reference = choice.api_key_secret_ref();
        format!(
            "The API key in Secret {} key {} cannot be put into a header. Store the key alone.",
            reference.name, reference.key
        )
    };
    Trouble::config(reason, message)
}

/// The API key opens another account than the one that was written to.
pub(crate) fn account_changed(choice: Choice<'_>) -> Trouble {
    let reference = choice.api_key_secret_ref();
    let message = format!(
        "The API key in Secret {} key {} opens another account at {} than the one this object wrote to. Put a key of that account back, or request a sync to write everything to the new one; what was written stays in the old one.",
        reference.name,
        reference.key,
        choice.kind()
    );
    Trouble::config(Reason::AccountChanged, message)
}

/// A bulk source holds no keys, and what was made from it stays.
pub(crate) fn emptied(secret: &str) -> Trouble {
    let message = format!(
        "Secret {secret} holds no keys. What was made from it stays at the provider; remove it from dataFrom to have that deleted."
    );
    Trouble::waiting(Reason::KeyNotFound, message)
}

/// An image pull secret that refuses updates, and that nothing shows to be this object's.
pub(crate) fn not_ours(set: &str, choice: Choice<'_>) -> Trouble {
    let message = format!(
        "{} does not change the image pull secret {set} that exists, and this object did not write it, so it is not deleted. Delete it there, or use another setName.",
        choice.kind()
    );
    Trouble::config(Reason::Immutable, message)
}

/// Why a deleted object is still there.
pub(crate) fn deletion_blocked(trouble: Option<&Trouble>) -> Verdict {
    let cause = trouble.map_or("It is tried again.", |trouble| trouble.message.as_str());
    Verdict {
        state: State::Reconciling {
            after_failure: true,
        },
        reason: Reason::DeletionBlocked,
        message: format!(
            "What this object wrote is not deleted yet. {cause} To let the object go without that, annotate it with providersecrets.dev/deletion-override=orphan."
        ),
    }
}

/// What was deleted at the provider.
pub(crate) fn deleted(kind: ProviderKind, names: &[String]) -> Option<Notice> {
    notice(
        names,
        Importance::Normal,
        Reason::RemoteDeleted,
        &format!("Deleted at {kind}"),
    )
}

/// What is left at the provider.
pub(crate) fn left_behind(kind: ProviderKind, names: &[String]) -> Option<Notice> {
    notice(
        names,
        Importance::Warning,
        Reason::DeletionSkipped,
        &format!("Left behind at {kind}; delete by hand what is not needed"),
    )
}

/// What somebody else did to entries.
pub(crate) fn drifted(kind: ProviderKind, drift: Drift, names: &[String]) -> Option<Notice> {
    let what = match drift {
        Drift::Missing => "deleted",
        Drift::Changed => "changed",
    };
    notice(
        names,
        Importance::Warning,
        Reason::DriftDetected,
        &format!("Somebody else {what} this at {kind}, and it is written again"),
    )
}

fn notice(names: &[String], importance: Importance, reason: Reason, what: &str) -> Option<Notice> {
    let action = if reason == Reason::DriftDetected {
        "Verify"
    } else {
        "Delete"
    };
    (!names.is_empty()).then(|| Notice {
        importance,
        reason,
        action,
        note: format!("{what}: {}.", names.join(", ")),
    })
}
