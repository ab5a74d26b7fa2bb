//! The words of conditions, failures, remarks and events. Pure.

use std::{collections::BTreeSet, time::Duration};

use kube::ResourceExt as _;

use super::conditions::{Readiness, ReadyState};
use crate::{
    api::{EntryStatus, PlanStatus, ProviderKind, ProviderSecret, Reason, enumerated},
    controller::error::Failure,
    http::ErrorClass,
    provider::{Choice, Rules, Settled, Unit},
};

/// What is said when there is no failure.
pub(crate) fn all_done(
    settled: Settled,
    entries: &[EntryStatus],
    choice: Option<Choice<'_>>,
) -> Readiness {
    let provider = choice.map_or("The provider", |choice| choice.kind().as_str());
    let entries = match entries.len() {
        1 => "the entry".to_owned(),
        count => format!("all {count} entries"),
    };
    let (state, reason, message) = match settled {
        Settled::Ready => (
            ReadyState::Ready,
            Reason::Synced,
            format!("{provider} has acknowledged {entries}."),
        ),
        Settled::Pending => (
            ReadyState::Reconciling {
                after_failure: false,
            },
            Reason::Progressing,
            format!("{provider} has accepted {entries} and is applying them."),
        ),
        Settled::Absent => (
            ReadyState::Reconciling {
                after_failure: true,
            },
            Reason::ProviderFailed,
            format!(
                "{provider} accepted {entries} and does not show them any more. They are sent again."
            ),
        ),
        Settled::Failed => (
            ReadyState::Reconciling {
                after_failure: true,
            },
            Reason::ProviderFailed,
            format!("{provider} accepted {entries} and failed to apply them. They are sent again."),
        ),
    };
    Readiness {
        state,
        reason,
        message,
    }
}

/// What a user should know besides: one or two sentences.
pub(crate) struct Remark {
    pub(crate) reason: Reason,
    pub(crate) text: String,
}

/// What the remark on a listing that shows too little begins with.
pub(crate) const BLIND: &str = "What other writers change or delete is not seen:";

/// The listing of the account does not show all.
pub(crate) fn blind(failure: &Failure) -> Remark {
    Remark {
        reason: failure.reason,
        text: format!("{BLIND} {}", failure.message),
    }
}

/// The provider does not come to an end with what it accepted.
pub(crate) fn late(kind: ProviderKind) -> Remark {
    Remark {
        reason: Reason::Progressing,
        text: format!(
            "{kind} has not said for 5 minutes that it is ready. It is asked again; look at it there if that goes on."
        ),
    }
}

/// What the provider accepted vanishes again and again before it is ready.
pub(crate) fn vanishes(kind: ProviderKind) -> Failure {
    let message = format!(
        "What {kind} accepts vanishes there again and again before it is ready. It is left alone for some hours, or until a sync is requested; find the other writer."
    );
    Failure::config(Reason::Contended, message)
}

/// The provider has neither the old value nor the new one.
pub(crate) fn missing_between(mut refused: Failure, name: &str, kind: ProviderKind) -> Failure {
    let missing = format!(
        " The old credential {name} was deleted for it and cannot be put back, because the operator keeps no values: {kind} has none until this succeeds."
    );
    refused.message.push_str(&missing);
    refused
}

/// The provider refused the API key for a `reason`, and failed when it was asked again: the key still counts as refused.
pub(crate) fn refused_before(reason: Reason, failure: &Failure) -> Failure {
    let message = format!("{} It refused the API key before.", failure.message);
    Failure {
        class: ErrorClass::Auth,
        reason,
        message,
        ..failure.clone()
    }
}

/// What is said while recorded entries are written again.
pub(crate) fn writing(count: usize) -> Readiness {
    let entries = if count == 1 {
        "An entry is".to_owned()
    } else {
        format!("{count} entries are")
    };
    Readiness {
        state: ReadyState::Reconciling {
            after_failure: false,
        },
        reason: Reason::Progressing,
        message: format!("{entries} being written."),
    }
}

/// What is said of a suspended object.
pub(crate) fn suspended(all_held: bool) -> Readiness {
    let (state, message) = if all_held {
        (
            ReadyState::Ready,
            "The object is suspended. Everything was synced before.",
        )
    } else {
        let message = "The object is suspended. Not everything is synced; set spec.suspend to false to go on.";
        (ReadyState::Suspended, message)
    };
    Readiness {
        state,
        reason: Reason::Suspended,
        message: message.to_owned(),
    }
}

/// What was left to do when a user suspended or deleted the object is not done. The next reconcile says more.
pub(crate) fn withdrawn() -> Failure {
    Failure::waiting(
        Reason::Progressing,
        "The object was suspended or deleted while it was written. What was left to write is not written.",
    )
}

/// Another object owns a name. `owner` is its name, where the user may see it.
pub(crate) fn owned(name: &str, owner: Option<&str>, kind: ProviderKind) -> Failure {
    let owner = match owner {
        Some(owner) => format!("The older ProviderSecret {owner}"),
        None => "An older ProviderSecret in another namespace".to_owned(),
    };
    let message = format!(
        "{owner} writes {name} to the same place at {kind}. Remove it there or here; a name has one owner."
    );
    Failure::config(Reason::Conflict, message)
}

/// What keeps a suspended object from being synced; it is not shown.
pub(crate) fn not_held() -> Failure {
    Failure::waiting(Reason::Suspended, "Not everything is synced.")
}

/// No member of `spec.provider`, or several: the schema was bypassed.
pub(crate) fn no_provider() -> Failure {
    let members = enumerated(&ProviderKind::ALL.map(ProviderKind::member));
    let message = format!("Give exactly one of {members} under spec.provider.");
    Failure::config(Reason::InvalidSpec, message)
}

/// Why there is no way to the provider.
pub(crate) fn no_account(reason: Reason, choice: Choice<'_>) -> Failure {
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
    Failure::config(reason, message)
}

/// The operator may not ask what a namespace allows. In doubt nothing leaves the cluster.
pub(crate) fn unreadable_namespace(namespace: &str) -> Failure {
    let message = format!(
        "The operator may not read namespace {namespace}, so it does not know which providers its objects may use. Grant its ServiceAccount the verb get on namespaces."
    );
    Failure::transient(Reason::Forbidden, message)
}

/// The API key opens another account than the one that was written to.
pub(crate) fn account_changed(choice: Choice<'_>) -> Failure {
    let reference = choice.api_key_secret_ref();
    let message = format!(
        "The API key in Secret {} key {} opens another account at {} than the one this object wrote to. Put a key of that account back, or request a sync to write everything to the new one; what was written stays in the old one.",
        reference.name,
        reference.key,
        choice.kind()
    );
    Failure::config(Reason::AccountChanged, message)
}

/// What sources took away waits.
pub(crate) fn removals_wait(secrets: &BTreeSet<&str>, kind: ProviderKind) -> Failure {
    let message = format!(
        "The Secrets of dataFrom ({}) do not give all entries any more. What they do not give is deleted at {kind} unless the keys come back soon.",
        listed(secrets)
    );
    Failure::waiting(Reason::Progressing, message)
}

/// What sources took away is held.
pub(crate) fn removals_held(
    count: usize,
    entries: usize,
    secrets: &BTreeSet<&str>,
    rules: &Rules,
) -> Failure {
    let message = format!(
        "The Secrets of dataFrom ({}) do not give {count} of {entries} entries any more. {} Put the keys back; or request a sync, or edit the spec, to have these entries deleted.",
        listed(secrets),
        nothing_deleted(rules)
    );
    Failure::config(Reason::RemovalHeld, message)
}

/// What a state that went back no longer asks for.
pub(crate) fn held_since_it_went_back(count: usize, entries: usize, rules: &Rules) -> Failure {
    let message = format!(
        "The object or its Secrets went back to an older state, as by a restored backup, which does not have {count} of {entries} entries. {} Put back what is missing; or request a sync, or edit the spec, to have these entries deleted.",
        nothing_deleted(rules)
    );
    Failure::config(Reason::RemovalHeld, message)
}

/// What becomes of entries that are held.
fn nothing_deleted(rules: &Rules) -> String {
    let kind = rules.kind;
    match rules.unit {
        Unit::Each => format!("Nothing is deleted at {kind} for that."),
        // docs/vendors.md#pc-1
        Unit::Set => format!(
            "The operator deletes nothing at {kind} for that; what it writes to the set goes without these entries, whose values it does not have."
        ),
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = names.iter().copied().collect();
    names.join(", ")
}

/// A plan that waits for approval.
pub(crate) fn awaiting_approval(
    plan: &PlanStatus,
    object: &ProviderSecret,
    kind: ProviderKind,
) -> Failure {
    let counts = [
        (plan.create, "to create"),
        (plan.update, "to update"),
        (plan.delete, "to delete"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let counts: Vec<&str> = counts.iter().map(String::as_str).collect();
    let name = object.name_any();
    let message = format!(
        "Plan {} waits for approval: {} at {kind}. Look at it with kubectl provider-secrets plan {name}, and approve it with kubectl provider-secrets approve {name}.",
        plan.hash,
        enumerated(&counts)
    );
    Failure::waiting(Reason::AwaitingApproval, message)
}

/// What is to be deleted is not shown, and what was sent last, or another answer, may yet show it.
pub(crate) fn not_shown(name: &str, kind: ProviderKind, wait: Duration) -> Failure {
    let message = format!(
        "{kind} does not show {name}, and may show it a little later. It is looked for again within a minute."
    );
    Failure {
        retry_after: Some(wait),
        ..Failure::waiting(Reason::Progressing, message)
    }
}

/// So many names go only when one of the new ones is at the provider.
pub(crate) fn removals_wait_for_names(count: usize, kind: ProviderKind) -> Failure {
    let message = format!(
        "{count} that the object no longer wants stay at {kind} until one of its new names is there, or until it wants no new ones."
    );
    Failure::waiting(Reason::Progressing, message)
}

/// An image pull secret that refuses updates, and that nothing shows to be this object's.
pub(crate) fn not_ours(set: &str, choice: Choice<'_>) -> Failure {
    let message = format!(
        "{} does not change the image pull secret {set} that exists, and this object did not write it, so it is not deleted. Delete it there, or use another setName.",
        choice.kind()
    );
    Failure::config(Reason::Immutable, message)
}

/// Why a deleted object is still there.
pub(crate) fn deletion_blocked(failure: &Failure) -> Readiness {
    let cause = &failure.message;
    Readiness {
        state: ReadyState::Reconciling {
            after_failure: true,
        },
        reason: Reason::DeletionBlocked,
        message: format!(
            "What this object wrote is not deleted yet. {cause} To let the object go without that, annotate it with providersecrets.dev/deletion-override=orphan."
        ),
    }
}
