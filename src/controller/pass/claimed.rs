//! What other objects have to say about the names of a pass.

use super::Pass;
use crate::{
    api::Reason,
    controller::{
        claims::{Claims, Rival},
        desired::Desired,
        plan::{Change, Claimed, Planned},
        route::Route,
        trouble::Trouble,
    },
};

/// The claims of other objects, as they count against one object.
pub(super) struct ObjectClaims<'a> {
    claims: &'a Claims,
    uid: &'a str,
    namespace: &'a str,
    route: &'a Route<'a>,
}

impl ObjectClaims<'_> {
    fn owner(&self, folded: &str) -> Option<Rival> {
        self.claims.owner(self.uid, self.route.claimed_name(folded))
    }
}

impl Claimed for ObjectClaims<'_> {
    fn lost(&self, folded: &str) -> Option<Trouble> {
        let owner = self.owner(folded)?;
        let provider = self.route.choice.kind();
        let name = self.route.claimed_name(folded);
        // Who may see this object need not see another namespace's.
        let whose = if owner.name.0 == self.namespace {
            format!("The older ProviderSecret {}", owner.name.1)
        } else {
            "An older ProviderSecret in another namespace".to_owned()
        };
        let message = format!(
            "{whose} writes {name} to the same place at {provider}. Remove it there or here; a name has one owner."
        );
        Some(Trouble::config(Reason::Conflict, message))
    }

    fn has_heir(&self, folded: &str) -> bool {
        let name = self.route.claimed_name(folded);
        self.claims.has_heir(self.uid, name)
    }
}

impl Pass<'_> {
    /// The claims of other objects.
    pub(super) fn claims<'a>(&'a self, route: &'a Route<'a>) -> ObjectClaims<'a> {
        ObjectClaims {
            claims: &self.context.claims,
            uid: &self.uid,
            namespace: &self.namespace,
            route,
        }
    }

    /// Takes note of what this pass knows of the object's claims; others may be concerned.
    pub(super) fn claim(&self, route: &Route<'_>, desired: &[Desired]) {
        let claims = &self.context.claims;
        claims.want(&self.uid, desired.iter().map(|entry| entry.folded.as_str()));
        let scope = route.account.known_scope();
        let concerned = claims.identify(&self.uid, route.account.fingerprint, scope);
        self.context.requeue_all(concerned);
    }

    /// What this object wrote and another one owns is written again by that one, unless it was the
    /// last to write anyway.
    pub(super) fn hand_back(&self, route: &Route<'_>, desired: &[Desired], planned: &[Planned]) {
        let claims = self.claims(route);
        for (entry, planned) in desired.iter().zip(planned) {
            let is_lost = matches!(&planned.change, Change::Refuse(trouble)
                if trouble.reason == Reason::Conflict);
            let Some(owner) = claims.owner(&entry.folded).filter(|_| is_lost) else {
                continue;
            };
            let fold = route.rules().fold;
            let recorded = self.recorded().iter();
            let ours = recorded
                .filter(|recorded| fold(&recorded.name) == entry.folded)
                .filter_map(|recorded| recorded.last_write_time.as_ref())
                .map(|time| time.0)
                .next();
            if ours.is_some() && ours >= owner.written {
                self.context.memos.with(&owner.uid, |memo| {
                    memo.spoil(&entry.folded);
                });
                self.context.requeue_all([owner.name]);
            }
        }
    }
}
