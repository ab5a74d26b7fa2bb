//! What users do while the operator dies: workloads as data.

use serde_json::{Value, json};

use super::world::{World, data};
use crate::harness::Target;

/// The object's `deletionPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Retain,
    /// With the finalizer `providersecrets.dev/cleanup`.
    Delete,
}

impl Policy {
    pub(super) const ALL: [Self; 2] = [Self::Retain, Self::Delete];

    /// What this policy adds to the spec.
    fn fields(self, conflict: Conflict) -> Value {
        json!({"deletionPolicy": format!("{self:?}"), "conflictPolicy": format!("{conflict:?}")})
    }
}

/// The object's `conflictPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    Overwrite,
    Fail,
}

/// Something that happens from outside, or time to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The source Secret holds these keys; the texts become values.
    Source(&'static [(&'static str, &'static str)]),
    /// The object asks for these: remote name and key of the source.
    Entries(&'static [(&'static str, &'static str)]),
    Suspend(bool),
    /// The user approves the plan in status, if there is one.
    Approve,
    Delete,
    /// Another client writes a name.
    Foreign(&'static str),
    /// The operator ends.
    Down,
    /// The operator works until it rests or dies. If it dies it stays away.
    Work,
    /// The operator works, in as many incarnations as it takes, until it rests.
    Settle,
}

/// Whether a crash may change how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As without a crash.
    Same,
    /// As without a crash, without the names that the user took back before the next incarnation wrote them.
    Fewer,
}

/// What the user does. Crashes happen during `steps` only.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) conflict: Conflict,
    /// The object's `approval`.
    pub(super) approval: &'static str,
    pub(super) end: End,
    setup: &'static [Step],
    steps: &'static [Step],
}

impl Workload {
    pub(super) const fn setup(&self) -> &'static [Step] {
        self.setup
    }

    pub(super) const fn steps(&self) -> &'static [Step] {
        self.steps
    }

    /// Whether the operator repairs a write of its former incarnation that arrives after the work of the next one. It
    /// cannot if that one found the name absent and dropped its record.
    pub(super) fn is_healed(&self, policy: Policy) -> bool {
        let mut after_work = self.steps.iter().skip_while(|step| !matches!(step, Work));
        let is_deleting = policy == Policy::Delete;
        after_work.all(|step| !(is_deleting && matches!(step, Delete | Entries(_))))
    }
}

use Step::{Approve, Delete, Down, Entries, Foreign, Settle, Source, Suspend, Work};

const ONE: Step = Source(&[("a", "a1"), ("b", "b1")]);
const ROTATED: Step = Source(&[("a", "a2"), ("b", "b1")]);
const A: Step = Entries(&[("A_KEY", "a")]);
const B: Step = Entries(&[("B_KEY", "b")]);
const AB: Step = Entries(&[("A_KEY", "a"), ("B_KEY", "b")]);

const fn workload(name: &'static str, setup: &'static [Step], steps: &'static [Step]) -> Workload {
    Workload {
        name,
        conflict: Conflict::Overwrite,
        approval: "Automatic",
        end: End::Same,
        setup,
        steps,
    }
}

impl Workload {
    const fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// The same with an object whose plans wait for approval.
    pub(super) const fn awaiting(mut self, approval: &'static str) -> Self {
        self.approval = approval;
        self
    }

    const fn failing_on_conflict(mut self) -> Self {
        self.conflict = Conflict::Fail;
        self
    }
}

const ALL: &[Workload] = &[
    workload("create", &[ONE], &[AB, Settle]),
    workload("create, then rotate", &[ONE], &[A, Work, ROTATED, Settle]),
    workload("rotate", &[ONE, AB, Settle], &[ROTATED, Settle]),
    workload(
        "rotate and rotate back",
        &[ONE, A, Settle],
        &[ROTATED, Work, ONE, Settle],
    ),
    workload("add an entry", &[ONE, A, Settle], &[AB, Settle]),
    workload("remove an entry", &[ONE, AB, Settle], &[B, Settle]),
    workload(
        "rename an entry",
        &[ONE, A, Settle],
        &[Entries(&[("A_NEW_KEY", "a")]), Settle],
    ),
    workload(
        "rename an entry and back",
        &[ONE, A, Settle],
        &[Entries(&[("A_NEW_KEY", "a")]), Work, A, Settle],
    )
    .ending(End::Fewer),
    workload("delete", &[ONE, AB, Settle], &[Delete, Settle]),
    workload(
        "delete while down",
        &[ONE, AB, Settle],
        &[Down, Delete, Settle],
    ),
    workload("create, then delete", &[ONE], &[AB, Work, Delete, Settle]).ending(End::Fewer),
    workload(
        "rotate, then delete",
        &[ONE, AB, Settle],
        &[ROTATED, Work, Delete, Settle],
    )
    .ending(End::Fewer),
    workload(
        "delete what was never written",
        &[ONE, Foreign("A_KEY")],
        &[Down, A, Delete, Settle],
    ),
    workload(
        "delete before the first write",
        &[ONE, Foreign("A_KEY")],
        &[A, Delete, Settle],
    )
    .ending(End::Fewer),
    workload(
        "create over what is foreign, then delete",
        &[ONE, Foreign("A_KEY")],
        &[A, Work, Delete, Settle],
    )
    .ending(End::Fewer),
    workload(
        "suspend, rotate, resume",
        &[ONE, A, Settle],
        &[Suspend(true), Work, ROTATED, Work, Suspend(false), Settle],
    ),
    workload(
        "delete and make anew",
        &[ONE, A, Settle],
        &[Delete, Settle, A, Settle],
    ),
];

/// What is about policies.
const WITH_POLICIES: &[Workload] = &[
    workload(
        "foreign and refused",
        &[ONE, Foreign("A_KEY")],
        &[AB, Settle],
    )
    .failing_on_conflict(),
    workload(
        "foreign and refused, then delete",
        &[ONE, Foreign("A_KEY")],
        &[AB, Work, Delete, Settle],
    )
    .ending(End::Fewer)
    .failing_on_conflict(),
    workload("create under Fail", &[ONE], &[AB, Settle]).failing_on_conflict(),
];

/// What was approved is done to its end, however often the operator dies, and is not asked for again.
const APPROVED: &[Workload] = &[
    workload(
        "create what was approved",
        &[ONE, AB, Settle],
        &[Approve, Settle],
    ),
    workload(
        "rename what was approved",
        &[
            ONE,
            A,
            Settle,
            Approve,
            Settle,
            Entries(&[("A_NEW_KEY", "a")]),
            Settle,
        ],
        &[Approve, Settle],
    ),
    workload(
        "rotate what was approved",
        &[ONE, AB, Settle, Approve, Settle],
        &[ROTATED, Settle],
    ),
];

/// At Baseten both names are one: the object keeps it.
const FOLDED: &[Workload] = &[workload(
    "rename an entry to its twin",
    &[ONE, Entries(&[("hf-token", "a")]), Settle],
    &[Entries(&[("hf_token", "a")]), Settle],
)];

/// Every workload for an API.
pub(super) fn all(target: Target) -> Vec<Workload> {
    let mut all = ALL.to_vec();
    all.extend_from_slice(WITH_POLICIES);
    all.extend(
        APPROVED
            .iter()
            .map(|workload| workload.clone().awaiting("Manual")),
    );
    if matches!(target, Target::BasetenWorkspace | Target::BasetenTeam) {
        all.extend_from_slice(FOLDED);
    }
    all
}

impl Step {
    /// Does what is not about time.
    pub(super) fn perform(&self, world: &World, policy: Policy, workload: &Workload) {
        match self {
            Source(data) => world.source(data),
            Entries(entries) => {
                let mut changes = policy.fields(workload.conflict);
                changes["approval"] = workload.approval.into();
                changes["data"] = json!(data(entries));
                world.spec(&changes);
            }
            Suspend(is_suspended) => world.spec(&json!({"suspend": is_suspended})),
            Approve => world.approve(),
            Delete => world.delete(),
            Foreign(name) => world.foreign_write(name, "foreign"),
            Down | Work | Settle => {}
        }
    }
}
