//! What other objects have to say about the names of a pass.

use super::Reconcile;
use crate::{
    api::Reason,
    controller::{
        error::Failure,
        ownership::{Claims, Rival},
        plan::{Change, Claimed, DesiredEntry, Planned},
        session::Session,
    },
};

/// The claims of other objects, as they count against one object.
pub(crate) struct ObjectClaims<'a> {
    claims: &'a Claims,
    uid: &'a str,
    namespace: &'a str,
    session: &'a Session<'a>,
}

impl ObjectClaims<'_> {
    fn owner(&self, folded: &str) -> Option<Rival> {
        self.claims
            .owner(self.uid, self.session.claimed_name(folded))
    }
}

impl Claimed for ObjectClaims<'_> {
    fn lost(&self, folded: &str) -> Option<Failure> {
        let owner = self.owner(folded)?;
        let provider = self.session.choice.kind();
        let name = self.session.claimed_name(folded);
        // Who may see this object need not see another namespace's.
        let whose = if owner.name.0 == self.namespace {
            format!("The older ProviderSecret {}", owner.name.1)
        } else {
            "An older ProviderSecret in another namespace".to_owned()
        };
        let message = format!(
            "{whose} writes {name} to the same place at {provider}. Remove it there or here; a name has one owner."
        );
        Some(Failure::config(Reason::Conflict, message))
    }

    fn has_successor(&self, folded: &str) -> bool {
        let name = self.session.claimed_name(folded);
        self.claims.has_successor(self.uid, name)
    }
}

impl Reconcile<'_> {
    /// The claims of other objects.
    pub(crate) fn claims<'a>(&'a self, session: &'a Session<'a>) -> ObjectClaims<'a> {
        ObjectClaims {
            claims: &self.context.claims,
            uid: &self.uid,
            namespace: &self.namespace,
            session,
        }
    }

    /// Takes note of what this pass knows of the object's claims; others may be affected.
    pub(crate) fn note_claims(&self, session: &Session<'_>, desired: &[DesiredEntry]) {
        let claims = &self.context.claims;
        claims.want(&self.uid, desired.iter().map(|entry| entry.folded.as_str()));
        let scope = session.account.known_scope();
        let affected = claims.identify(&self.uid, session.account.fingerprint, scope);
        self.context.requeue_all(affected);
    }

    /// What this object wrote and another one owns is written again by that one, unless it was the
    /// last to write anyway.
    pub(crate) fn request_owner_rewrite(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        planned: &[Planned],
    ) {
        let claims = self.claims(session);
        for (entry, planned) in desired.iter().zip(planned) {
            let is_lost = matches!(&planned.change, Change::Refuse(failure)
                if failure.reason == Reason::Conflict);
            let Some(owner) = claims.owner(&entry.folded).filter(|_| is_lost) else {
                continue;
            };
            let fold = session.rules().fold;
            let recorded = self.recorded().iter();
            let ours = recorded
                .filter(|recorded| fold(&recorded.name) == entry.folded)
                .filter_map(|recorded| recorded.last_write_time.as_ref())
                .map(|time| time.0)
                .next();
            if ours.is_some() && ours >= owner.written {
                self.context.states.with(&owner.uid, |state| {
                    state.mark_overwritten(&entry.folded);
                });
                self.context.requeue_all([owner.name]);
            }
        }
    }
}
