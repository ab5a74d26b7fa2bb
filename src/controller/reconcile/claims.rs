//! What other objects have to say about the names of a reconcile.

use super::{Reconcile, inputs::Inputs};
use crate::{
    api::Reason,
    controller::{
        error::Failure,
        ownership::{Claims, ReportedScope, Rival},
        plan::{Change, Claimed, PlannedEntry, Successor},
        report::messages,
        session::Session,
    },
    provider::Unit,
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
        let name = self.session.claimed_name(folded);
        self.claims.owner(self.uid, name)
    }
}

impl Claimed for ObjectClaims<'_> {
    fn lost(&self, folded: &str) -> Option<Failure> {
        let owner = self.owner(folded)?;
        // A user who may see this object need not see another namespace's.
        let is_visible = owner.name.0 == self.namespace;
        let name = self.session.claimed_name(folded);
        let owner = is_visible.then_some(owner.name.1.as_str());
        Some(messages::owned(name, owner, self.session.choice.kind()))
    }

    fn successor(&self, folded: &str) -> Successor {
        let name = self.session.claimed_name(folded);
        let is_key = self.session.rules().unit == Unit::Set && !folded.is_empty();
        let key = is_key.then_some(folded);
        self.claims.successor(self.uid, name, key)
    }
}

impl Reconcile<'_> {
    /// The claims of other objects.
    pub(super) fn claims<'a>(&'a self, session: &'a Session<'a>) -> ObjectClaims<'a> {
        ObjectClaims {
            claims: &self.context.claims,
            uid: &self.uid,
            namespace: &self.namespace,
            session,
        }
    }

    /// Notes what this reconcile knows of the object's claims, and requeues the objects that this
    /// affects.
    pub(super) fn note_claims<'n>(
        &self,
        session: &Session<'_>,
        names: impl Iterator<Item = &'n str>,
    ) {
        let claims = &self.context.claims;
        claims.want(&self.uid, names);
        let scope = session.account.known_scope().map(|id| ReportedScope {
            id,
            is_answered: session.account.is_scope_answered(),
        });
        let key_id = session.account.digests.key_id();
        let key = (session.account.fingerprint, key_id.as_str());
        let affected = claims.identify(&self.uid, key, scope);
        self.context.requeue_all(affected);
    }

    /// Has an answer of the provider show which scope the key opens, where another object owns a name of this one: else
    /// that object could not hand the name over to it. Gives whether an answer has shown it now.
    pub(super) async fn prove_scope(
        &self,
        session: &Session<'_>,
        entries: &[PlannedEntry<'_>],
    ) -> bool {
        let (account, claims) = (&session.account, self.claims(session));
        let is_proven = account.is_scope_answered() || !session.rules().names_scope;
        let mut refused = entries.iter().filter(|entry| is_refused(entry));
        let is_lost = refused.any(|entry| claims.owner(&entry.desired.folded).is_some());
        // A question that is not sent is not asked.
        if is_proven || !is_lost || session.refusal().is_some() {
            return false;
        }
        if !account.is_scope_asked() {
            // Without an answer it stays unknown.
            let _ = account.scope(&*session.provider).await;
        }
        // Where the spec names the id no call was made for it, and some providers say it in listings alone.
        if !account.is_scope_answered() {
            let (since, patience) = (self.context.epoch, self.verify_interval());
            let _ = session.listing(since, patience).await;
        }
        account.is_scope_answered()
    }

    /// Has the owner of a name write it again if this object, which lost the name, was the last to
    /// write it.
    pub(super) fn request_owner_rewrite(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        entries: &[PlannedEntry<'_>],
    ) {
        let claims = self.claims(session);
        for entry in entries.iter().filter(|entry| is_refused(entry)) {
            let folded = &entry.desired.folded;
            let Some(owner) = claims.owner(folded) else {
                continue;
            };
            let ours = inputs.record(folded, session.rules());
            let ours = ours.and_then(|record| record.last_write_time.as_ref());
            if ours.is_some_and(|ours| Some(ours.0) >= owner.written) {
                let states = &self.context.states;
                states.with(&owner.uid, |tracked| tracked.mark_overwritten(folded));
                self.context.requeue_all([owner.name]);
            }
        }
    }
}

/// Whether an entry is refused because of a conflict.
fn is_refused(entry: &PlannedEntry<'_>) -> bool {
    matches!(&entry.change, Change::Refuse(failure) if failure.reason == Reason::Conflict)
}
