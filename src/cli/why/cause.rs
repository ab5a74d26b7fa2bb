//! The cause why an object is not Ready: the one beneath all others. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    api::{Approval, DeletionPolicy, FINALIZER, ProviderSecret, Reason},
    cli::{
        definition::DefinitionFact,
        installation::{Installation, LeaseFact},
        peer::Peer,
        plan::Plan,
        read::Known,
        reasons,
        rights::Right,
        view::{Standing, foreign_finalizers, is_observed, is_paused, namespaced_name},
    },
    provider,
};

/// Everything that may tell the cause, as far as the user may read it.
pub(super) struct Facts {
    pub(super) now: Timestamp,
    pub(super) object: ProviderSecret,
    /// Every operator of the cluster.
    pub(super) installations: Known<Vec<Installation>>,
    /// The one that this object is for.
    pub(super) operator: Option<Installation>,
    pub(super) leases: Known<Vec<LeaseFact>>,
    pub(super) definition: Known<DefinitionFact>,
    /// The rights that this operator lacks in the namespace.
    pub(super) lacking: Known<Vec<Right>>,
    /// The other objects.
    pub(super) peers: Known<Vec<Peer>>,
}

/// Why an object is not Ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is Ready; nothing is wrong.
    Nothing,
    /// It is Ready, and nothing would be done about a change: the cause of that.
    Idle(Box<Self>),
    /// It is Ready, and the definition in the cluster lacks fields.
    Outdated(Vec<String>),
    /// The definition is there and not served.
    NotEstablished,
    /// Neither a Deployment nor a held Lease of an operator was found.
    NoOperator,
    /// The Deployment shall have no pods.
    ScaledDown(String),
    /// No pod of the Deployment is available: it, and how many there shall be.
    Down(String, i32),
    /// The Lease is not renewed: its holder, and since when.
    LeaseExpired(LeaseFact),
    /// The Lease is held by no process.
    LeaseFree(String),
    /// The operator watches other namespaces.
    NotWatched(Installation),
    /// The operator lacks rights.
    Denied(Installation, Vec<Right>),
    /// The definition in the cluster lacks fields.
    OldDefinition(Vec<String>),
    /// The operator runs and has not looked at the newest spec yet.
    Unobserved,
    /// A user suspended it.
    Suspended,
    /// It is being deleted, and waits for these finalizers of other controllers alone.
    HeldBy(Vec<String>),
    /// It is being deleted.
    Deleting,
    /// It is being deleted, and the plan of that waits for approval.
    Unapproved,
    /// An older object owns a name: it, where the user may see it, and the name.
    Owned(Option<(Peer, String)>),
    /// An older object claims a name, and owns it if its account is that of this object: it, and the name.
    Claimed(Peer, String),
    /// Other objects of the account have the same trouble: how many, and one of them.
    Account(Reason, usize, String),
    /// What the conditions say.
    Reason(Reason),
    /// A reason that this program does not know: the operator is newer.
    UnknownReason(String),
}

/// The cause.
pub(super) fn cause(facts: &Facts) -> Cause {
    if let Some(finalizers) = foreign_finalizers(&facts.object) {
        return Cause::HeldBy(finalizers.to_vec());
    }
    let standing = Standing::of(&facts.object);
    let operator = of_operator(facts);
    if standing.is_ready() && !is_paused(&facts.object) {
        return match operator {
            Some(cause) => Cause::Idle(Box::new(cause)),
            None => lacks(facts).map_or(Cause::Nothing, Cause::Outdated),
        };
    }
    if let Some(cause) = operator {
        return cause;
    }
    let known = reasons::reason(&standing.reason);
    if facts.object.metadata.deletion_timestamp.is_some() && known != Some(Reason::DeletionBlocked)
    {
        return Cause::Deleting;
    }
    let lacks = lacks(facts);
    if !is_observed(&facts.object) {
        return lacks.map_or(Cause::Unobserved, Cause::OldDefinition);
    }
    let is_lost = |lacks: &Vec<String>| is_lost(known, &facts.object, lacks);
    if let Some(lacks) = lacks.filter(is_lost) {
        return Cause::OldDefinition(lacks);
    }
    match known {
        None => Cause::UnknownReason(standing.reason),
        Some(Reason::DeletionBlocked) if Plan::live(&facts.object).hash.is_some() => {
            Cause::Unapproved
        }
        Some(Reason::Suspended) => Cause::Suspended,
        Some(Reason::Conflict) => of_conflict(facts),
        Some(reason) => of_account(facts, reason),
    }
}

/// What keeps any object of the namespace from being worked on.
fn of_operator(facts: &Facts) -> Option<Cause> {
    let (namespace, _) = namespaced_name(&facts.object);
    if let Some(definition) = facts.definition.read()
        && definition.is_there
        && !definition.is_established
    {
        return Some(Cause::NotEstablished);
    }
    let leases = facts.leases.read();
    let Some(operator) = &facts.operator else {
        let watching = facts.installations.read()?;
        if let Some(other) = watching.first() {
            return Some(Cause::NotWatched(other.clone()));
        }
        // An operator that runs without the chart has a Lease and no Deployment; one that ran before may have left its own.
        let held = leases?.iter().filter(|lease| lease.holder.is_some());
        return match held.min_by_key(|lease| !lease.is_kept(facts.now)) {
            Some(lease) => expired(lease, facts.now),
            None => Some(Cause::NoOperator),
        };
    };
    if operator.replicas == 0 {
        return Some(Cause::ScaledDown(operator.namespaced_name()));
    }
    let is_led = leases.and_then(|leases| Some(leases.first()?.is_kept(facts.now)));
    if operator.available == 0 && is_led != Some(true) {
        return Some(Cause::Down(operator.namespaced_name(), operator.replicas));
    }
    if let Some(leases) = leases.filter(|_| operator.lease.is_some()) {
        match leases.first() {
            Some(lease) if lease.holder.is_some() => {
                if let Some(cause) = expired(lease, facts.now) {
                    return Some(cause);
                }
            }
            _ => return Some(Cause::LeaseFree(operator.namespaced_name())),
        }
    }
    if !operator.watches(&namespace) {
        return Some(Cause::NotWatched(operator.clone()));
    }
    let lacking = facts.lacking.read().into_iter().flatten();
    let lacking = lacking.filter(|right| is_needed(right, &facts.object));
    let lacking: Vec<Right> = lacking.cloned().collect();
    (!lacking.is_empty()).then(|| Cause::Denied(operator.clone(), lacking))
}

/// Whether the operator does nothing for an object without a right. Events tell of what it does, and beside its status
/// it patches nothing of an object but the finalizer.
fn is_needed(right: &Right, object: &ProviderSecret) -> bool {
    match (right.verb.as_str(), right.resource.as_str()) {
        ("create", "events") => false,
        ("patch", "providersecrets") => {
            object.spec.deletion_policy() == DeletionPolicy::Delete || has_finalizer(object)
        }
        _ => true,
    }
}

/// Whether the operator keeps an object that is deleted.
fn has_finalizer(object: &ProviderSecret) -> bool {
    object.finalizers().iter().any(|name| name == FINALIZER)
}

fn expired(lease: &LeaseFact, now: Timestamp) -> Option<Cause> {
    lease
        .looks_expired(now)
        .then(|| Cause::LeaseExpired(lease.clone()))
}

/// The fields that the definition in the cluster lacks; none if it has all.
fn lacks(facts: &Facts) -> Option<Vec<String>> {
    let definition = facts.definition.read()?;
    let lacks = &definition.lacks;
    (definition.is_there && !lacks.is_empty()).then(|| lacks.clone())
}

/// Whether an object may say a reason because the definition lacks these fields.
fn is_lost(reason: Option<Reason>, object: &ProviderSecret, lacks: &[String]) -> bool {
    match reason {
        Some(Reason::Progressing | Reason::InvalidSpec) => true,
        // The plan is not stored, so that nobody can approve it.
        Some(Reason::AwaitingApproval | Reason::DeletionBlocked) => {
            let is_manual = object.spec.approval() != Approval::Automatic;
            let is_stored = Plan::live(object).hash.is_some();
            is_manual && !is_stored && lacks.iter().any(|field| field == "status.plan")
        }
        _ => false,
    }
}

/// The older object that owns a name of this one, or may.
fn of_conflict(facts: &Facts) -> Cause {
    let this = Peer::of(&facts.object);
    if has_a_name_twice(&facts.object) {
        return Cause::Reason(Reason::Conflict);
    }
    let Some(peers) = facts.peers.read() else {
        return Cause::Owned(None);
    };
    let known = peers.iter().filter(|peer| peer.shares_account(&this));
    if let Some((name, owner)) = this.owners(known).into_iter().next() {
        return Cause::Owned(Some((owner.clone(), name)));
    }
    let likely = peers.iter().filter(|peer| peer.may_share_account(&this));
    match this.owners(likely).into_iter().next() {
        Some((name, owner)) => Cause::Claimed(owner.clone(), name),
        // Another client wrote it: the conflict is not between objects.
        None => Cause::Reason(Reason::Conflict),
    }
}

/// Whether two entries of an object are one name to its provider.
fn has_a_name_twice(object: &ProviderSecret) -> bool {
    let choice = object.spec.provider.choice();
    choice.is_some_and(|choice| {
        let (fold, mut names) = (provider::rules(choice.kind()).fold, BTreeSet::new());
        let mut entries = object.spec.entries().iter();
        !entries.all(|entry| names.insert(fold(&entry.name)))
    })
}

/// What holds for the account, where others share it.
fn of_account(facts: &Facts, reason: Reason) -> Cause {
    let this = Peer::of(&facts.object);
    let shares = |peer: &&Peer| peer.shares_trouble(&this);
    let peers = facts.peers.read().into_iter().flatten().filter(shares);
    let peers: Vec<&Peer> = peers.collect();
    match peers.first() {
        Some(first) if reasons::is_of_account(reason) => {
            Cause::Account(reason, peers.len(), first.namespaced_name())
        }
        _ => Cause::Reason(reason),
    }
}
