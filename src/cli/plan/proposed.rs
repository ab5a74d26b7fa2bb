//! The plans of objects in files: what would be done if they were applied. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Plan,
    document::{Document, Wanted},
    live::is_removed_by_source,
};
use crate::{
    api::{
        ActionKind, Approval, ConflictPolicy, DeletionPolicy, EntryState, EntryStatus,
        ProviderSecret, Reason,
    },
    cli::{
        origin::{Keys, origins},
        peer::Peer,
        read::Visible,
        view::namespaced_name,
    },
    controller::{due, is_held_back},
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

    fn write(&self, plan: &mut Plan, name: &str, wanted: &Wanted, rules: &Rules) {
        let mut records = self.document.records().iter();
        let record = records.find(|record| (rules.fold)(&record.name) == (rules.fold)(name));
        let Some(record) = record.filter(|record| record.last_write_time.is_some()) else {
            plan.act(name, ActionKind::Create, None);
            return;
        };
        let is_same = match wanted {
            Wanted::Digest(Some(digest)) => record.digest.as_ref() == Some(digest),
            _ => self.comes_from_the_same(name),
        };
        if is_same && record.state == EntryState::Synced {
            self.keep(plan, record);
            return;
        }
        plan.act(name, ActionKind::Update, None);
        if !matches!(wanted, Wanted::Digest(Some(_))) && record.state == EntryState::Synced {
            let note =
                format!("{name} comes from another key; if its value is the same, nothing is sent");
            plan.notes.push(note);
        }
    }

    /// What stays as it is, unless its time has come.
    fn keep(&self, plan: &mut Plan, record: &EntryStatus) {
        let spec = &self.document.wanted.spec;
        if due(record, spec.rewrite_interval(), self.now).is_none() {
            plan.keep += 1;
            return;
        }
        plan.act(&record.name, ActionKind::Update, None);
        let note = "what was written longer ago than rewriteInterval is written again at once, as is what got no answer";
        if !plan.notes.iter().any(|other| other == note) {
            plan.notes.push(note.to_owned());
        }
    }

    /// Whether an entry comes from the same Secret and keys as in the object that is there.
    fn comes_from_the_same(&self, name: &str) -> bool {
        let Document { wanted, live, .. } = self.document;
        let of = |object: &ProviderSecret| origins(object, name, &Keys::new());
        let is_same_template = live.as_ref().is_some_and(|live| {
            let find = |object: &ProviderSecret| {
                let mut entries = object.spec.entries().iter();
                entries.find(|entry| entry.name == name).cloned()
            };
            find(live) == find(wanted)
        });
        is_same_template && live.as_ref().map(of) == Some(of(wanted))
    }

    /// What is recorded and not wanted any more.
    fn remove(
        &self,
        plan: &mut Plan,
        entries: &BTreeMap<String, Wanted>,
        set: Option<&str>,
        rules: &Rules,
    ) {
        let document = self.document;
        let is_wanted = |record: &EntryStatus| {
            let folded = (rules.fold)(&record.name);
            entries.keys().any(|name| (rules.fold)(name) == folded)
        };
        let deletes = document.wanted.spec.deletion_policy() == DeletionPolicy::Delete;
        let (mut forgotten, mut held, mut waiting) = (0, 0, 0);
        let records = document.records().iter();
        for record in records.filter(|record| !is_wanted(record)) {
            let key = (rules.fold)(&record.name);
            let claimed = set.unwrap_or(&key);
            let successor = self.this.successor(&self.neighbours, claimed, &key);
            if document.may_be_given(record) {
                // While a source cannot be read nothing is removed.
                plan.keep += 1;
            } else if record.last_write_time.is_none() {
            } else if let Some(successor) = successor {
                let note = format!(
                    "{} goes over to {}",
                    record.name,
                    successor.namespaced_name()
                );
                plan.notes.push(note);
            } else if is_held_back(record) && !document.confirms_removals() {
                held += 1;
            } else if document.is_as_it_is() && is_removed_by_source(record) {
                waiting += 1;
            } else if deletes {
                plan.act(&record.name, ActionKind::Delete, None);
            } else {
                forgotten += 1;
            }
        }
        plan.keep += held + waiting;
        for (count, what) in [
            (
                forgotten,
                "no longer wanted: they stay at the provider and are forgotten (deletionPolicy Retain)",
            ),
            (
                held,
                "no longer given by a Secret: held until a sync is requested or the spec is edited (RemovalHeld)",
            ),
            (
                waiting,
                "no longer given by a Secret: deleted when --removal-grace is over, whatever is applied",
            ),
        ] {
            if count > 0 {
                plan.notes.push(format!("{count} {what}"));
            }
        }
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
        let waits = match spec.approval() {
            Approval::Automatic => return false,
            Approval::ManualEveryChange => true,
            Approval::Manual => may_recreate || !self.document.is_approved(),
        };
        plan.create + plan.delete > 0 || (waits && plan.update > 0)
    }
}
