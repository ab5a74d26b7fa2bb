//! What may happen in a generated sequence.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use serde_json::json;
use tokio::time::sleep;

use super::failure::{Failure, failure};
use crate::faults::call_log::{Crash, Variant};
use crate::faults::simulation::{
    server::faults::{Does, one_object},
    store::Store,
    world::{World, data},
};

/// Remote names; each has a key of the source of its own.
const NAMES: [&str; 3] = ["A_KEY", "B_KEY", "C_KEY"];
const KEYS: [&str; 3] = ["a", "b", "c"];

/// One thing that happens, and how long until the next.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    what: What,
    then: Duration,
}

#[derive(Clone, Debug)]
enum What {
    /// One value of the source changes; none means that its key goes.
    Rotate(usize, Option<u8>),
    /// The object asks for these names.
    Entries([bool; 3]),
    Suspend(bool),
    /// The object is deleted and made anew.
    Anew,
    /// Another client writes a name, or deletes it.
    Foreign(usize, bool),
    Fault(Failure, bool, u32),
    /// The API server fails so many calls, before or after their effect.
    Unavailable(usize, bool),
    /// A user annotates the object.
    Annotate,
    /// Watches show nothing, until they show everything or only what is left.
    Hold,
    Release,
    Expire,
    /// The operator crashes, and the next incarnation starts at once.
    Crash,
    /// It crashes at a later call.
    CrashAt(usize, bool),
}

/// Any operation.
pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let what = prop_oneof![
        4 => (0..3_usize, proptest::option::weighted(0.8, 0..4_u8))
            .prop_map(|(key, text)| What::Rotate(key, text)),
        3 => any::<[bool; 3]>()
            .prop_filter("an object names something", |names| names.contains(&true))
            .prop_map(What::Entries),
        1 => any::<bool>().prop_map(What::Suspend),
        1 => Just(What::Anew),
        1 => (0..3_usize, any::<bool>()).prop_map(|(name, goes)| What::Foreign(name, goes)),
        4 => (failure(), any::<bool>(), 1..4_u32)
            .prop_map(|(failure, of_writes, times)| What::Fault(failure, of_writes, times)),
        2 => (1..4_usize, any::<bool>())
            .prop_map(|(times, is_done)| What::Unavailable(times, is_done)),
        1 => Just(What::Annotate),
        1 => Just(What::Hold),
        1 => Just(What::Release),
        1 => Just(What::Expire),
        1 => Just(What::Crash),
        2 => (1..8_usize, any::<bool>()).prop_map(|(call, is_done)| What::CrashAt(call, is_done)),
    ];
    let pace = prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_millis(3)),
        Just(Duration::from_millis(25)),
        Just(Duration::from_secs(1)),
        Just(Duration::from_secs(45)),
        Just(Duration::from_mins(10)),
    ];
    (what, pace).prop_map(|(what, then)| Operation { what, then })
}

/// The desired state of the user.
#[derive(Clone)]
pub(super) struct DesiredState {
    texts: BTreeMap<&'static str, String>,
    names: [bool; 3],
}

impl DesiredState {
    /// Writes it to the API server.
    pub(super) fn install(&self, world: &World) {
        let texts = self.texts.iter().map(|(key, text)| (*key, text.as_str()));
        world.source(&texts.collect::<Vec<_>>());
        let all = NAMES.iter().zip(KEYS).zip(self.names);
        let entries: Vec<(&str, &str)> = all
            .filter(|(_, is_desired)| *is_desired)
            .map(|((name, key), _)| (*name, key))
            .collect();
        world.spec(&json!({"data": data(&entries), "suspend": false}));
    }
}

/// A sequence that is played.
pub(super) struct Play<'a> {
    world: &'a mut World,
    desired: DesiredState,
    /// Whether another client wrote: only a new value repairs that at every provider.
    is_foreign: bool,
}

impl<'a> Play<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        Self {
            world,
            desired: DesiredState {
                texts: KEYS.map(|key| (key, "0".to_owned())).into(),
                names: [true, false, false],
            },
            is_foreign: false,
        }
    }

    pub(super) fn begin(&mut self) {
        self.desired.install(self.world);
        self.world.up();
    }

    pub(super) async fn run(&mut self, operation: &Operation) {
        match &operation.what {
            What::Rotate(key, text) => {
                match text {
                    Some(text) => self.desired.texts.insert(KEYS[*key], text.to_string()),
                    None => self.desired.texts.remove(KEYS[*key]),
                };
                let texts = self
                    .desired
                    .texts
                    .iter()
                    .map(|(key, text)| (*key, text.as_str()));
                self.world.source(&texts.collect::<Vec<_>>());
            }
            What::Entries(names) => {
                self.desired.names = *names;
                self.desired.install(self.world);
            }
            What::Suspend(is_suspended) => self.world.spec(&json!({"suspend": is_suspended})),
            What::Anew => {
                self.world.delete();
                self.desired.install(self.world);
            }
            What::Foreign(name, goes) => {
                self.is_foreign = true;
                let scope = self.world.scope();
                let scope = scope.as_deref();
                if *goes {
                    // Where it is not there nothing is deleted.
                    let _ = self.world.account.foreign_delete(scope, NAMES[*name]);
                } else {
                    self.world.foreign_write(NAMES[*name], "foreign");
                }
            }
            What::Fault(failure, of_writes, times) => {
                for fault in failure.faults(*of_writes, *times) {
                    self.world.account.add_fault(fault);
                }
            }
            What::Unavailable(times, is_done) => {
                let does = Does::Answer {
                    code: 500,
                    is_done: *is_done,
                };
                self.world.store.faults.add(one_object, does, *times);
            }
            What::Annotate => self.world.annotate(),
            What::Hold => self.world.watches(Store::hold),
            What::Release => self.world.watches(Store::release),
            What::Expire => self.world.watches(Store::expire),
            What::Crash => self.world.down().await,
            What::CrashAt(call, is_done) => {
                let variant = Variant::BOTH[usize::from(*is_done)];
                let call = *call;
                self.world.call_log.arm(&[Crash { call, variant }]);
            }
        }
        sleep(operation.then).await;
        self.revive().await;
    }

    /// Starts the next incarnation after a crash.
    async fn revive(&mut self) {
        if !self.world.call_log.is_alive() {
            self.world.down().await;
            self.world.up();
        }
    }

    /// Ends all faults and makes every source available.
    pub(super) async fn end(mut self) -> DesiredState {
        self.world.account.clear_faults();
        self.world.store.faults.clear();
        self.world.call_log.arm(&[]);
        self.world.watches(Store::release);
        self.revive().await;
        let mut desired = self.desired;
        for key in KEYS {
            let text = desired.texts.entry(key).or_insert_with(|| "9".to_owned());
            if self.is_foreign {
                text.push_str("-anew");
            }
        }
        desired.install(self.world);
        desired
    }
}
