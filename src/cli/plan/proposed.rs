//! The plans of objects in files: what would be done if they were applied. Pure.

mod difference;
mod removal;

use jiff::Timestamp;

use self::difference::Difference;
use super::{
    Plan,
    document::{Document, Wanted},
};
use crate::{
    api::{
        ActionKind, Approval, ConflictPolicy, DeletionPolicy, EntryState, EntryStatus,
        ProviderSecret, Reason,
    },
    cli::{peer::Peer, read::Visible, view::namespaced_name},
    controller::{RECREATE, due, is_stored},
    provider::{self, Choice, Rules},
};

/// The plans of objects that are applied in one go. `peers` are the objects that none of them replaces.
pub(super) fn plans(run: &[Document], peers: &Visible<Peer>, now: Timestamp) -> Vec<Plan> {
    let applied: Vec<Peer> = run.iter().map(Document::peer).collect();
    let plan = |(document, this): (&Document, &Peer)| {
        let others = applied
            .iter()
            .filter(|of| of.namespaced_name() != this.namespaced_name());
        let others = peers.found.read().into_iter().flatten().chain(others);
        // Those that are known to write to the same account.
        let neighbours = others.filter(|peer| peer.shares_account(this)).cloned();
        let proposal = Proposal {
            document,
            this,
            neighbours: neighbours.collect(),
            peers,
            now,
        };
        proposal.plan()
    };
    run.iter().zip(&applied).map(plan).collect()
}

/// What a plan of a file is made from.
struct Proposal<'a> {
    document: &'a Document,
    /// It, as others see it.
    this: &'a Peer,
    /// The others of its account.
    neighbours: Vec<Peer>,
    peers: &'a Visible<Peer>,
    now: Timestamp,
}

impl Proposal<'_> {
    fn plan(&self) -> Plan {
        let Document { wanted, live, .. } = self.document;
        let is_deleted = |live: &&ProviderSecret| live.metadata.deletion_timestamp.is_some();
        if let Some(live) = live.as_ref().filter(is_deleted) {
            return self.cleanup(live);
        }
        let (namespace, name) = namespaced_name(wanted);
        let choice = wanted.spec.provider.choice();
        let mut plan = Plan {
            provider: choice.map(|choice| choice.kind().as_str()),
            scope: live.as_ref().and_then(|live| live.status.clone()?.scope),
            namespace,
            name,
            notes: self.document.notes.clone(),
            is_blocked: self.document.is_blocked,
            ..Plan::default()
        };
        let Some(choice) = choice else { return plan };
        let rules = provider::rules(choice.kind());
        let object = plan.name.clone();
        let set = choice.set_name(&object);
        let entries = self.document.entries();
        let owners = self.this.owners(self.neighbours.iter());
        for (name, wanted) in &entries {
            let claimed = set.map_or_else(|| (rules.fold)(name), str::to_owned);
            let owner = owners.get(&claimed);
            if let Some(owner) = owner {
                plan.notes
                    .push(format!("{name} belongs to {}", owner.namespaced_name()));
            }
            let refused = match wanted {
                _ if owner.is_some() => Some(Reason::Conflict),
                Wanted::Refused(reason) => Some(*reason),
                Wanted::Unread | Wanted::Digest(_) => None,
            };
            match refused {
                Some(reason) => plan.act(name, ActionKind::Refuse, Some(reason.as_str())),
                None => self.write(&mut plan, name, wanted, rules),
            }
        }
        self.remove(&mut plan, &entries, set, rules);
        plan.count_calls(set.is_some());
        plan.actions.sort_by(|a, b| a.name.cmp(&b.name));
        self.remark(&mut plan);
        plan
    }

    /// The plan of an object that is being deleted: of what a file says only the policies count.
    fn cleanup(&self, live: &ProviderSecret) -> Plan {
        let mut object = live.clone();
        object.spec.clone_from(&self.document.wanted.spec);
        if let Some(status) = &mut object.status
            && object.spec.deletion_policy() == DeletionPolicy::Retain
        {
            status.plan = None;
        }
        let mut plan = Plan::live(&object);
        plan.is_blocked = true;
        let note = "it is being deleted: what the file names comes only once it is made anew";
        plan.note(note);
        plan
    }

    fn write(&self, plan: &mut Plan, name: &str, wanted: &Wanted, rules: &Rules) {
        let mut records = self.document.records().iter();
        let record = records.find(|record| (rules.fold)(&record.name) == (rules.fold)(name));
        let Some(record) = record.filter(|record| record.last_write_time.is_some()) else {
            plan.act(name, ActionKind::Create, None);
            return;
        };
        if let Wanted::Digest(Some(digest)) = wanted {
            if is_stored(record, Some(digest.as_str())) {
                self.keep(plan, record);
            } else {
                self.update(plan, name);
            }
            return;
        }
        let difference = Difference::of(self.document, name, rules);
        if difference == Difference::None && record.state == EntryState::Synced {
            self.keep(plan, record);
            return;
        }
        self.update(plan, name);
        // Whether it is sent is a question of its value.
        if is_stored(record, record.digest.as_deref())
            && let Some(note) = difference.note(name)
        {
            plan.note(&note);
        }
    }

    /// Another value under a name that was written.
    fn update(&self, plan: &mut Plan, name: &str) {
        let choice = self.document.wanted.spec.provider.choice();
        let may_recreate = choice.is_some_and(Choice::may_recreate);
        plan.act(name, ActionKind::Update, may_recreate.then_some(RECREATE));
    }

    /// What stays as it is, unless its time has come.
    fn keep(&self, plan: &mut Plan, record: &EntryStatus) {
        let spec = &self.document.wanted.spec;
        if due(record, spec.rewrite_interval(), self.now).is_none() {
            plan.keep += 1;
            return;
        }
        self.update(plan, &record.name);
        plan.again += 1;
        let note = "what was written longer ago than rewriteInterval is written again at once, as is what got no answer";
        plan.note(note);
    }

    /// What a reader has to know besides.
    fn remark(&self, plan: &mut Plan) {
        let document = self.document;
        let spec = &document.wanted.spec;
        if document.values.is_none() && !spec.bulk_sources().is_empty() {
            let secrets: Vec<&str> = spec
                .bulk_sources()
                .iter()
                .map(|source| source.secret_ref.name.as_str())
                .collect();
            let note = format!(
                "which entries come from {} is not known without --read-secrets",
                secrets.join(", ")
            );
            plan.notes.push(note);
        }
        if let Some(why) = self.peers.lacks() {
            plan.notes.push(format!(
                "whether another object owns a name is not known: {why}"
            ));
        }
        if document.live.is_none() {
            let note = "which objects write to the same account is known by the Secret of the API key only";
            plan.notes.push(note.to_owned());
        }
        let mut records = document.records().iter();
        if document.former_key().is_some() && records.any(|record| record.last_write_time.is_some())
        {
            let note = "the API key comes from elsewhere: if it opens another account, nothing is written before a sync is requested (AccountChanged)";
            plan.notes.push(note.to_owned());
        }
        if spec.conflict_policy() == ConflictPolicy::Fail && plan.create > 0 {
            let note = "what the provider has under a new name is not known; under conflictPolicy Fail it stays";
            plan.notes.push(note.to_owned());
        }
        if spec.is_suspended() {
            plan.notes
                .push("it is suspended: nothing of it before it is resumed".to_owned());
        } else if self.waits_for_approval(plan) {
            plan.notes
                .push("it waits for approval after it is applied".to_owned());
        }
    }

    /// Whether what is done waits for a user. Under Manual a changed value does not where its name, and the Secret and
    /// key that it comes from, were approved before.
    fn waits_for_approval(&self, plan: &Plan) -> bool {
        let spec = &self.document.wanted.spec;
        let may_recreate = spec.provider.choice().is_some_and(Choice::may_recreate);
        let covers_other_values = match spec.approval() {
            Approval::Automatic => return false,
            Approval::ManualEveryChange => false,
            Approval::Manual => !may_recreate,
        };
        // What was approved is sent again without another approval.
        let is_changed = plan.update > plan.again;
        let is_approved = self.document.is_approved() && (covers_other_values || !is_changed);
        plan.create + plan.delete > 0 || (plan.update > 0 && !is_approved)
    }
}
