//! Verdicts that no trouble decides, and the words for them.

use crate::{
    api::{Choice, EntryStatus, Reason},
    controller::{
        status::{State, Verdict},
        trouble::Trouble,
    },
    provider::Settled,
};

/// What is said when there is no trouble.
pub(super) fn all_done(
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
pub(super) fn writing(count: usize) -> Verdict {
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
pub(super) fn suspended(all_held: bool) -> Verdict {
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
pub(super) fn not_held() -> Trouble {
    Trouble::waiting(Reason::Suspended, "Not everything is synced.")
}

/// No member of `spec.provider`, or several: the schema was bypassed.
pub(super) fn no_provider() -> Trouble {
    let message =
        "Give exactly one of baseten, primeIntellect, pipecat and braintrust under spec.provider.";
    Trouble::config(Reason::InvalidSpec, message)
}

/// Why there is no way to the provider.
pub(super) fn no_account(reason: Reason, choice: Choice<'_>) -> Trouble {
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
