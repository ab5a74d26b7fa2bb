//! The plan of an object in a file: what would be done if it were applied. Pure.

use std::collections::BTreeMap;

use super::Plan;
use crate::{
    api::{
        ActionKind, Approval, ConflictPolicy, DeletionPolicy, EntryState, EntryStatus,
        ProviderSecret, Reason,
    },
    cli::{
        origin::{Keys, origins},
        peer::Peer,
        read::Known,
        view::place,
    },
    provider::{self, Rules, Unit},
};

/// What is known of the wanted value of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: the Secrets were not read.
    Unread,
    /// Its digest under the API key, as status records it; none where the API key cannot be had.
    Digest(Option<String>),
    /// There is no value to send, for this reason.
    Refused(Reason),
}

/// What a plan of a file is made from.
pub(super) struct Proposal<'a> {
    /// The object as the API server would store it.
    pub(super) wanted: &'a ProviderSecret,
    /// The object as it is.
    pub(super) live: Option<&'a ProviderSecret>,
    pub(super) peers: &'a Known<Vec<Peer>>,
    /// What the Secrets give, by name at the provider; none where they were not read.
    pub(super) values: Option<&'a BTreeMap<String, Wanted>>,
    /// Whether a source could not be read, so that not every name is known.
    pub(super) is_unread: bool,
    /// What is known of the file as a whole, such as a Secret that is not there.
    pub(super) notes: &'a [String],
}

impl Proposal<'_> {
    /// The plan.
    pub(super) fn plan(&self) -> Plan {
        let (namespace, name) = place(self.wanted);
        let choice = self.wanted.spec.provider.choice();
        let mut plan = Plan {
            provider: choice.map(|choice| choice.kind().as_str()),
            scope: self.live.and_then(|live| live.status.clone()?.scope),
            namespace,
            name,
            notes: self.notes.to_vec(),
            ..Plan::default()
        };
        let Some(choice) = choice else { return plan };
        let rules = provider::rules(choice.kind());
        let object = plan.name.clone();
        let set = choice.set_name(&object);
        let entries = self.entries();
        let (this, neighbours) = self.neighbours(&entries, rules);
        let owners = this.owners(&neighbours);
        for (name, wanted) in &entries {
            let claimed = set.map_or_else(|| (rules.fold)(name), str::to_owned);
            let owner = owners.get(&claimed);
            if let Some(owner) = owner {
                plan.notes
                    .push(format!("{name} belongs to {}", owner.place()));
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
        self.remove(&mut plan, &entries, &neighbours, rules);
        plan.count_calls(set.is_some());
        plan.actions.sort_by(|a, b| a.name.cmp(&b.name));
        self.remark(&mut plan);
        plan
    }

    /// The other objects that are known to write to the same account.
    fn neighbours(&self, entries: &BTreeMap<String, Wanted>, rules: &Rules) -> (Peer, Vec<Peer>) {
        let mut whole = self.wanted.clone();
        if let Some(live) = self.live {
            // The account is known from the object that is there, and the names are those of the file.
            whole.status.clone_from(&live.status);
        }
        let is_set = rules.unit == Unit::Set;
        let names = entries.keys().filter(|_| !is_set);
        let this = Peer::of(&whole).claiming(names.map(|name| (rules.fold)(name)));
        let peers = self.peers.read().into_iter().flatten();
        let peers = peers.filter(|peer| peer.shares_account(&this)).cloned();
        let peers = peers.collect();
        (this, peers)
    }

    /// The wanted entries, as far as their names are known.
    fn entries(&self) -> BTreeMap<String, Wanted> {
        if let Some(values) = self.values {
            return values.clone();
        }
        let name = self.wanted.metadata.name.clone().unwrap_or_default();
        let names = self.wanted.spec.explicit_names(&name).into_iter();
        names
            .map(|name| (name.to_owned(), Wanted::Unread))
            .collect()
    }

    /// The records of the object that is there.
    fn records(&self) -> &[EntryStatus] {
        let status = self.live.and_then(|live| live.status.as_ref());
        status.map_or(&[], |status| &status.entries)
    }

    fn write(&self, plan: &mut Plan, name: &str, wanted: &Wanted, rules: &Rules) {
        let mut records = self.records().iter();
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
            plan.keep += 1;
            return;
        }
        plan.act(name, ActionKind::Update, None);
        if !matches!(wanted, Wanted::Digest(Some(_))) && record.state == EntryState::Synced {
            let note =
                format!("{name} comes from another key; if its value is the same, nothing is sent");
            plan.notes.push(note);
        }
    }

    /// Whether an entry comes from the same Secret and keys as in the object that is there.
    fn comes_from_the_same(&self, name: &str) -> bool {
        let of = |object: &ProviderSecret| origins(object, name, &Keys::new());
        let is_same_template = self.live.is_some_and(|live| {
            let find = |object: &ProviderSecret| {
                let mut entries = object.spec.entries().iter();
                entries.find(|entry| entry.name == name).cloned()
            };
            find(live) == find(self.wanted)
        });
        is_same_template && self.live.map(of) == Some(of(self.wanted))
    }

    /// What is recorded and not wanted any more.
    fn remove(
        &self,
        plan: &mut Plan,
        entries: &BTreeMap<String, Wanted>,
        neighbours: &[Peer],
        rules: &Rules,
    ) {
        let is_wanted = |record: &EntryStatus| {
            let folded = (rules.fold)(&record.name);
            entries.keys().any(|name| (rules.fold)(name) == folded)
        };
        let deletes = self.wanted.spec.deletion_policy() == DeletionPolicy::Delete;
        let mut forgotten = 0;
        for record in self.records().iter().filter(|record| !is_wanted(record)) {
            let may_be_given = !origins(self.wanted, &record.name, &Keys::new()).is_empty();
            let folded = (rules.fold)(&record.name);
            let successor = neighbours.iter().find(|peer| peer.claims(&folded));
            if self.is_unread || (may_be_given && self.values.is_none()) {
                // While a source cannot be read nothing is removed.
                plan.keep += 1;
            } else if record.last_write_time.is_none() {
            } else if let Some(successor) = successor {
                let note = format!("{} goes over to {}", record.name, successor.place());
                plan.notes.push(note);
            } else if deletes {
                plan.act(&record.name, ActionKind::Delete, None);
            } else {
                forgotten += 1;
            }
        }
        if forgotten > 0 {
            let note = format!(
                "{forgotten} no longer wanted: they stay at the provider and are forgotten (deletionPolicy Retain)"
            );
            plan.notes.push(note);
        }
    }

    /// What a reader has to know besides.
    fn remark(&self, plan: &mut Plan) {
        let spec = &self.wanted.spec;
        if self.values.is_none() && !spec.bulk_sources().is_empty() {
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
        if let Known::Unread(why) = self.peers {
            plan.notes.push(format!(
                "whether another object owns a name is not known: {why}"
            ));
        }
        if self.live.is_none() {
            let note = "which objects write to the same account is known by the Secret of the API key only";
            plan.notes.push(note.to_owned());
        }
        if spec.conflict_policy() == ConflictPolicy::Fail && plan.create > 0 {
            let note = "what the provider has under a new name is not known; under conflictPolicy Fail it stays";
            plan.notes.push(note.to_owned());
        }
        if spec.is_suspended() {
            plan.notes
                .push("it is suspended: nothing of it before it is resumed".to_owned());
        } else if spec.approval() != Approval::Automatic {
            plan.notes
                .push("it waits for approval after it is applied".to_owned());
        }
    }
}
