//! Many hours with two processes: values rotate, secrets vanish at the provider, objects come and go, each hour something
//! fails and another process takes the lead. After each hour everything is as it should be.

use std::{collections::BTreeMap, fs, time::Duration};

use fastrand::Rng;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Action, Fault};
use tokio::time::{Instant, sleep_until};

use super::{
    provider::Counts,
    server::faults::{Does, one_object},
    store::Resource,
    world::{World, simulate, value},
};
use crate::{
    faults::call_log::{Crash, Variant},
    harness::{Target, say, setting, traces, unknown_shape, violations},
};

/// Hours and objects, with an `x` between them.
const SOAK: &str = "PROVIDER_SECRETS_TEST_SOAK";
/// Each failure and each end of a leader once.
const DEFAULT: &str = "4x40";

const HOUR: Duration = Duration::from_hours(1);
/// Values rotate and secrets vanish in these minutes of an hour.
const BUSY: (u64, u64) = (5, 40);
/// When something fails, and when it is over. What it held up is done before the hour ends.
const FAILURE: [Duration; 2] = [Duration::from_mins(10), Duration::from_mins(15)];
/// When the leader ends, with its next call.
const TAKEOVER: Duration = Duration::from_mins(25);
/// Longer than it takes until another leads.
const LEASE: Duration = Duration::from_mins(2);
/// Of so many objects one is not there; in each hour it is another one.
const GONE: usize = 20;

/// What happens at a time of an hour.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Rotates(usize),
    /// Another client deletes the secret.
    Vanishes(usize),
    Fails,
    IsOver,
    TakesOver,
}

/// Cases: N-09
#[rstest]
#[case(Target::BasetenWorkspace)]
#[case(Target::BasetenTeam)]
#[case(Target::PrimeIntellect)]
#[case(Target::Pipecat)]
#[case(Target::Braintrust)]
fn after_each_hour_of_everything_all_is_well(#[case] target: Target) {
    let size = setting(SOAK).unwrap_or_else(|| DEFAULT.to_owned());
    let (hours, objects) = size.split_once('x').expect("hours and objects");
    let hours = hours.parse().expect("a number of hours");
    simulate(async {
        let mut soak = Soak::new(target, objects.parse().expect("a number of objects"));
        for hour in 0..hours {
            soak.hour(hour).await;
        }
        soak.world.down().await;
    });
}

/// The world of a run, and what should be in it.
struct Soak {
    world: World,
    /// The text of the value of each object that there should be.
    texts: BTreeMap<usize, String>,
    objects: usize,
    /// Writes by remote name, up to this hour.
    counts: Counts,
    /// What there was to write in this hour, by remote name.
    causes: Counts,
    /// Who leads since the last takeover.
    leader: Option<u64>,
}

impl Soak {
    fn new(target: Target, objects: usize) -> Self {
        let mut world = World::new(target);
        world.has_standby = true;
        world.up();
        Self {
            world,
            texts: BTreeMap::new(),
            objects,
            counts: Counts::new(),
            causes: Counts::new(),
            leader: None,
        }
    }

    async fn hour(&mut self, hour: usize) {
        let (began, target) = (Instant::now(), self.world.target);
        self.come_and_go(hour);
        for (at, happens) in self.plan(hour) {
            sleep_until(began + at).await;
            self.perform(hour, happens).await;
        }
        sleep_until(began + HOUR).await;
        self.world.quiet().await;
        let faults = self.faults();
        let lines = || self.world.call_log.lines().join("\n");
        assert!(
            faults.is_empty(),
            "{target:?}, hour {hour}: {faults:#?}\n{}",
            lines()
        );
        self.forget();
        if setting(SOAK).is_some() {
            say(&format!("{target:?}, hour {hour}: {} KiB", resident()));
        }
    }

    /// Deletes some objects, and makes those that are not there and should be.
    fn come_and_go(&mut self, hour: usize) {
        for number in 0..self.objects {
            let is_gone = number % GONE == hour % GONE;
            if is_gone && self.texts.remove(&number).is_some() {
                let id = (Resource::ProviderSecrets, "team".to_owned(), object(number));
                self.world.store.delete(&id).expect("it is deleted");
                self.cause(number);
            } else if !is_gone && !self.texts.contains_key(&number) {
                self.rotate(number, &format!("{number}-{hour}"));
                let mut spec = json!({"deletionPolicy": "Delete", "data": [{
                    "name": name(number),
                    "secretKeyRef": {"name": source(number), "key": "a"},
                }]});
                if self.world.target == Target::Pipecat {
                    spec["provider"]["pipecat"]["setName"] = set(number).into();
                }
                self.world.apply(&object(number), &spec);
            }
        }
    }

    /// What happens in an hour, in its order.
    fn plan(&self, hour: usize) -> Vec<(Duration, Happens)> {
        let mut random = Rng::with_seed(hour as u64);
        let present: Vec<usize> = self.texts.keys().copied().collect();
        let mut plan = vec![
            (FAILURE[0], Happens::Fails),
            (FAILURE[1], Happens::IsOver),
            (TAKEOVER, Happens::TakesOver),
        ];
        let vanishing = present.len() / 20;
        for index in 0..present.len() / 5 {
            // One that vanished three times in a day would be left alone: each has its turn.
            let happens = if index < vanishing {
                Happens::Vanishes(present[(hour * vanishing + index) % present.len()])
            } else {
                Happens::Rotates(present[random.usize(..present.len())])
            };
            let at = Duration::from_secs(random.u64(BUSY.0 * 60..BUSY.1 * 60));
            plan.push((at, happens));
        }
        plan.sort_by_key(|(at, _)| *at);
        plan
    }

    async fn perform(&mut self, hour: usize, happens: Happens) {
        match happens {
            Happens::Rotates(number) => {
                let text = format!("{}.", self.texts[&number]);
                self.rotate(number, &text);
            }
            Happens::Vanishes(number) => {
                // While the provider fails it may not be there.
                let scope = self.scope(number);
                let _ = self
                    .world
                    .account
                    .foreign_delete(scope.as_deref(), &name(number));
                self.cause(number);
            }
            Happens::Fails => self.fail(hour),
            Happens::IsOver => {
                self.world.account.clear_faults();
                self.world.store.faults.clear();
            }
            Happens::TakesOver => self.take_over(hour).await,
        }
    }

    /// What fails is another thing in each hour.
    fn fail(&self, hour: usize) {
        let fault = match hour % 4 {
            0 => Fault::status(503),
            1 => Fault::status(429).header("retry-after", "30"),
            2 => Fault::new(Action::CutAfterEffect),
            _ => {
                return self
                    .world
                    .store
                    .faults
                    .always(one_object, Does::refuse(500));
            }
        };
        self.world.account.add_fault(fault.forever());
    }

    /// The leader dies, is stopped or is cut off, and another leads.
    async fn take_over(&mut self, hour: usize) {
        let variants = [
            Variant::Before,
            Variant::After,
            Variant::Stopped,
            Variant::CutOff,
        ];
        let variant = variants[hour % variants.len()];
        let leader = self.world.leader().expect("one leads");
        self.world.call_log.count(leader);
        self.world.call_log.arm(&[Crash { call: 1, variant }]);
        let first = *self.texts.keys().next().expect("an object");
        let text = format!("{}.", self.texts[&first]);
        self.rotate(first, &text);
        let leads = |world: &World| world.leader().is_some_and(|now| now != leader);
        self.world.wait("another leads", LEASE, leads).await;
        self.leader = self.world.leader();
        self.world.replace(leader).await;
        // What the former leader did last may be done once more, whichever name it was. Where the provider shows no
        // change, what the next one writes at first is confirmed.
        for number in 0..self.objects {
            self.cause(number);
            if self.world.target.is_blind() {
                self.cause(number);
            }
        }
    }

    fn rotate(&mut self, number: usize, text: &str) {
        self.world
            .secret(&source(number), &[("a", value(text))].into());
        self.texts.insert(number, text.to_owned());
        self.cause(number);
    }

    fn cause(&mut self, number: usize) {
        *self.causes.entry(self.counted(number)).or_default() += 1;
    }

    /// What is wrong at the end of an hour.
    fn faults(&self) -> Vec<String> {
        let world = &self.world;
        let mut faults = violations(&world.account.requests());
        faults.extend(world.calls_without_lease());
        if world.leader() != self.leader {
            faults.push("the lease changed hands by itself".to_owned());
        }
        let objects = world.store.list(Resource::ProviderSecrets, None);
        for resource in [Resource::ProviderSecrets, Resource::Events] {
            let text = Value::from(world.store.list(resource, None)).to_string();
            if !traces(&text).is_empty() {
                faults.push(format!("the canary is in the {resource:?}"));
            }
        }
        for (_, object) in world.store.history(Resource::ProviderSecrets) {
            faults.extend(unknown_shape(&object).map(|shape| format!("no shape {shape}")));
        }
        if objects.len() != self.texts.len() {
            faults.push(format!(
                "{} objects, not {}",
                objects.len(),
                self.texts.len()
            ));
        }
        for object in objects {
            let ready = &object["status"]["conditions"][0];
            if ready["status"] != "True" || ready["reason"] != "Synced" {
                faults.push(format!("{} {ready}", object["metadata"]["name"]));
            }
        }
        for number in 0..self.objects {
            let held = world.account.values(self.scope(number).as_deref());
            let is = held.get(&name(number));
            let should = self.texts.get(&number).map(|text| value(text));
            if is != should.as_ref() {
                faults.push(format!(
                    "{} is {is:?} and should be {should:?}",
                    name(number)
                ));
            }
        }
        for (name, count) in world.remote.counts() {
            let before = self.counts.get(&name).copied().unwrap_or_default();
            let causes = self.causes.get(&name).copied().unwrap_or_default();
            if !name.ends_with(", refused") && count - before > causes {
                faults.push(format!(
                    "{} writes of {name}, {causes} expected",
                    count - before
                ));
            }
        }
        faults
    }

    /// Forgets what an hour was, so that what grows is the operator's.
    fn forget(&mut self) {
        self.world.call_log.forget();
        self.world.store.forget();
        self.world.remote.simulator().clear_requests();
        self.counts = self.world.remote.counts();
        self.causes.clear();
    }

    /// The scope of an object, as the simulator knows it.
    fn scope(&self, number: usize) -> Option<String> {
        match self.world.target {
            Target::Pipecat => Some(set(number)),
            _ => self.world.scope(),
        }
    }

    /// What the writes of an object are counted under.
    fn counted(&self, number: usize) -> String {
        match self.world.target {
            Target::Pipecat => set(number),
            _ => name(number),
        }
    }
}

fn object(number: usize) -> String {
    format!("object-{number}")
}

fn source(number: usize) -> String {
    format!("source-{number}")
}

fn name(number: usize) -> String {
    format!("KEY_{number}")
}

fn set(number: usize) -> String {
    format!("set-{number}")
}

/// Memory of this process, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.trim().strip_suffix(" kB"));
    figure
        .and_then(|figure| figure.parse().ok())
        .unwrap_or_default()
}
