//! The words of events that name entries: what was deleted at a provider, what stays there, and what another writer did.
//! Pure.

use crate::{
    account::ObjectName,
    api::{ProviderKind, Reason},
    controller::{
        apply::RemovalOutcome,
        events::{EventNote, Importance, LONGEST_NOTE},
        plan::Drift,
    },
};

/// A note about the first of some entries; the next one is about those that follow.
pub(crate) struct Told {
    pub(crate) note: EventNote,
    /// How many entries it names.
    pub(crate) count: usize,
}

/// What came of removals of an object of `namespace`.
pub(crate) fn of_removal(
    kind: ProviderKind,
    namespace: &str,
    removal: &RemovalOutcome,
) -> Vec<EventNote> {
    let told = [
        deleted(kind, &removal.deleted),
        orphaned(kind, &removal.orphaned),
        replaced(kind, &removal.replaced),
        handed_over(kind, namespace, &removal.handed_over),
    ];
    told.into_iter().flatten().map(|told| told.note).collect()
}

/// What was deleted at the provider.
pub(crate) fn deleted(kind: ProviderKind, names: &[String]) -> Vec<Told> {
    told(
        names,
        Importance::Normal,
        Reason::RemoteDeleted,
        &format!("Deleted at {kind}"),
    )
}

/// What stays at the provider without an owner.
pub(crate) fn orphaned(kind: ProviderKind, names: &[String]) -> Vec<Told> {
    told(
        names,
        Importance::Warning,
        Reason::DeletionSkipped,
        &format!("Left behind at {kind}; delete by hand what is not needed"),
    )
}

/// What another writer has written since, and is not deleted.
pub(crate) fn replaced(kind: ProviderKind, names: &[String]) -> Vec<Told> {
    told(
        names,
        Importance::Warning,
        Reason::DeletionSkipped,
        &format!(
            "Left at {kind}, because another writer has written it since, such as an operator in another cluster or a person"
        ),
    )
}

/// What stays at the provider because other objects have it now. A user who may see the object, of `namespace`, need
/// not see those of other namespaces.
pub(crate) fn handed_over(
    kind: ProviderKind,
    namespace: &str,
    successors: &[(String, ObjectName)],
) -> Vec<Told> {
    let names = successors.iter().map(|(name, (of, successor))| {
        if of == namespace {
            format!("{name} to ProviderSecret {successor}")
        } else {
            format!("{name} to a ProviderSecret in another namespace")
        }
    });
    told(
        &names.collect::<Vec<_>>(),
        Importance::Normal,
        Reason::DeletionSkipped,
        &format!("Handed over at {kind} and not deleted"),
    )
}

/// What another writer did to entries. Status names them too, so what one event has no room for is counted.
pub(crate) fn drifted(kind: ProviderKind, drift: Drift, names: &[String]) -> Option<EventNote> {
    if names.is_empty() {
        return None;
    }
    let what = match drift {
        Drift::Missing => "deleted",
        Drift::Changed => "changed",
    };
    let what = format!("Somebody else {what} this at {kind}, and it is written again");
    let more = |count: usize| format!(" and {count} more");
    let listed = if fitting(&what, names) == names.len() {
        names.join(", ")
    } else {
        let fits = fitting(&format!("{what}{}", more(names.len())), names);
        names[..fits].join(", ") + &more(names.len() - fits)
    };
    Some(EventNote {
        importance: Importance::Warning,
        reason: Reason::DriftDetected,
        action: "Verify",
        note: format!("{what}: {listed}."),
    })
}

/// As many notes as it takes to name all of them: nothing else does where the object goes.
fn told(names: &[String], importance: Importance, reason: Reason, what: &str) -> Vec<Told> {
    let (mut rest, mut told) = (names, Vec::new());
    while !rest.is_empty() {
        let (first, others) = rest.split_at(fitting(what, rest));
        let note = EventNote {
            importance,
            reason,
            action: "Delete",
            note: format!("{what}: {}.", first.join(", ")),
        };
        told.push(Told {
            note,
            count: first.len(),
        });
        rest = others;
    }
    told
}

/// How many of the first names one event takes after `what`: one at least, however long it is.
fn fitting(what: &str, names: &[String]) -> usize {
    // A colon or a comma and a space stand before each, and a full stop after all.
    let mut length = what.len() + 1;
    let fits = names.iter().take_while(|name| {
        length += name.len() + 2;
        length <= LONGEST_NOTE
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn names(count: usize, length: usize) -> Vec<String> {
        let name = |number| format!("{number:0length$}");
        (0..count).map(name).collect()
    }

    #[rstest]
    fn what_is_left_behind_is_named_in_as_many_events_as_it_takes(
        #[values(0, 1, 120, 1000)] count: usize,
        #[values(1, 28, 512)] length: usize,
    ) {
        let names = names(count, length);
        let mut rest = names.as_slice();
        for told in orphaned(ProviderKind::Baseten, &names) {
            let note = told.note.note;
            assert!(note.len() <= LONGEST_NOTE && note.ends_with('.'), "{note}");
            let (named, others) = rest.split_at(told.count);
            assert!(note.contains(&named.join(", ")), "{note}");
            rest = others;
        }
        assert!(rest.is_empty(), "{rest:?}");
    }

    #[rstest]
    #[case::all(2, ", 0000000000000000000000000001.")]
    #[case::some(120, " and 89 more.")]
    fn drift_of_more_than_an_event_takes_is_counted(#[case] count: usize, #[case] end: &str) {
        let names = names(count, 28);
        let note = drifted(ProviderKind::Baseten, Drift::Missing, &names);
        let note = note.expect("there is drift").note;
        assert!(note.len() <= LONGEST_NOTE && note.ends_with(end), "{note}");
    }

    #[test]
    fn what_names_nothing_is_no_event() {
        assert!(drifted(ProviderKind::Baseten, Drift::Missing, &[]).is_none());
        let removal = RemovalOutcome::default();
        assert!(of_removal(ProviderKind::Baseten, "ml", &removal).is_empty());
    }
}
