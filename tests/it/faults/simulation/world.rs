//! The world of one run: an API server, a provider account, and at most one running incarnation of the operator.

mod observed;
mod replicas;
mod user;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use kube::Client;
use provider_secrets::{
    account::Endpoints,
    clock,
    controller::{self, Namespaces, OptIn, SecretAccess, Settings},
    http::{Http, Transport},
    leadership::Leadership,
    telemetry::{Health, Metrics},
};
use simulator::{Account, Simulator};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, yield_now},
    time::{Instant, advance, sleep, timeout},
};

pub(super) use self::user::{SOURCE, data, value};
use super::{oracle, provider::RemoteAccount, server, store::Store, workload::Policy};
use crate::faults::call_log::CallLog;
use crate::harness::{CANARY, Target};

const NAMESPACE: &str = "team";
/// The provider account.
const ACCOUNT: &str = "account";
/// A secret of another client in the same scope.
const FOREIGN: &str = "FOREIGN_KEY";
/// Longer than any wait of the operator that ends in a write when nothing fails any more.
pub(super) const QUIET: Duration = Duration::from_mins(6);
/// How long nothing may change then: a bit longer than the operator's sweep takes.
pub(super) const REST: Duration = Duration::from_mins(12);
/// For what would happen often, and each run would pay for.
pub(super) const NEVER: Duration = Duration::from_hours(1000);
/// How long the operators try a deletion that they have seen begin.
pub(super) const DELETION_TIMEOUT: Duration = Duration::from_mins(15);
/// Nothing takes so long to come to rest.
const RESTLESS: Duration = Duration::from_hours(12);

pub(super) struct World {
    pub(super) target: Target,
    pub(super) store: Arc<Store>,
    pub(super) call_log: CallLog,
    pub(super) account: Account,
    pub(super) remote: RemoteAccount,
    /// Names that another client has ever written.
    foreign: RefCell<BTreeSet<String>>,
    pub(super) choices: Choices,
    /// Of the newest incarnation, where there is one at a time.
    pub(super) metrics: Metrics,
    /// With the number of the incarnation.
    processes: Vec<(u64, JoinHandle<()>)>,
    /// Whether there are two processes, of which one leads by the lease.
    pub(super) has_standby: bool,
    /// Whether the first of them finds no Lease.
    pub(super) makes_lease: bool,
    /// Whether an operator has run here.
    has_run: bool,
}

/// What a run chooses of the operator's settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choices {
    /// How often the operator compares its watches with their collections: seldom, because each run
    /// would pay for it.
    pub(super) watch_check: Duration,
    /// What must opt in before it leaves the cluster.
    pub(super) opt_in: OptIn,
    /// How it learns of changes of Secrets.
    pub(super) secret_access: SecretAccess,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            watch_check: NEVER,
            opt_in: OptIn::default(),
            secret_access: SecretAccess::default(),
        }
    }
}

/// How waiting for quiet ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Quiet,
    Crashed,
    Restless,
}

/// Runs under simulated time, in a runtime of its own: nothing is left of it.
///
/// The operator's clock follows the machine's while tokio's is close to it, and status holds whole seconds. So a run
/// begins where both are far apart, in the middle of a second: then neither how fast the machine is nor when the run
/// begins changes a time that is recorded.
pub(super) fn simulate<T>(run: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime starts").block_on(async {
        let past = clock::now().subsec_nanosecond().unsigned_abs();
        let middle = Duration::from_nanos(u64::from(1_500_000_000 - past));
        advance(Duration::from_hours(1) + middle).await;
        run.await
    })
}

/// The operator, between an API server and the providers.
pub(super) fn operate(
    client: Client,
    transport: Transport,
    watch_check: Duration,
    leadership: Leadership,
) -> JoinHandle<()> {
    let choices = Choices {
        watch_check,
        ..Choices::default()
    };
    let metrics = Metrics::default();
    tokio::spawn(operator(client, transport, choices, leadership, metrics))
}

/// What an operator does until it is dropped.
fn operator(
    client: Client,
    transport: Transport,
    choices: Choices,
    leadership: Leadership,
    metrics: Metrics,
) -> impl Future<Output = ()> {
    let http = Http::new(transport, metrics.clone(), leadership.clone());
    let settings = Settings {
        namespaces: Namespaces::default(),
        endpoints: Endpoints::new([]),
        concurrency: 32,
        calls_per_account: 8,
        verify_interval: Duration::from_mins(10),
        deletion_timeout: DELETION_TIMEOUT,
        removal_grace: Duration::from_mins(1),
        opt_in: choices.opt_in,
        secret_access: choices.secret_access,
        watch_check: choices.watch_check,
        metrics_per_resource: false,
        reporter: "simulation".to_owned(),
        leadership,
    };
    async move {
        let (health, stop) = (Health::default(), pending());
        let ended = controller::run(client, http, settings, metrics, health, stop).await;
        unreachable!("the controller ended by itself: {ended:?}");
    }
}

impl World {
    pub(super) fn new(target: Target) -> Self {
        let start = jiff::Timestamp::from_second(1_767_225_600).expect("a time of our days");
        Self::starting_at(target, start)
    }

    /// A world whose provider has the operator's clock.
    pub(super) fn with_one_clock(target: Target) -> Self {
        Self::starting_at(target, clock::now())
    }

    fn starting_at(target: Target, start: jiff::Timestamp) -> Self {
        // The jitter of the operator's waits is the same in every run.
        fastrand::seed(7);
        let simulator = Simulator::starting_at(start);
        let key = format!("{CANARY}-key");
        let account = target.account(&simulator, ACCOUNT, &key);
        account.set_latency(Duration::from_millis(20));
        if target == Target::Pipecat {
            let slow = Duration::from_secs(2);
            simulator
                .pipecat()
                .set_variants(&account, |variants| variants.ready_after = slow);
        }
        let world = Self {
            target,
            store: Arc::new(Store::new()),
            call_log: CallLog::new(),
            remote: RemoteAccount::new(simulator, account.clone()),
            account,
            foreign: RefCell::default(),
            choices: Choices::default(),
            metrics: Metrics::default(),
            processes: Vec::new(),
            has_standby: false,
            makes_lease: false,
            has_run: false,
        };
        world.store.create_namespace(NAMESPACE);
        world.secret("credential", &BTreeMap::from([("api-key", key)]));
        world.foreign_write(FOREIGN, "foreign");
        world
    }

    /// Starts an incarnation of the operator, with empty memory.
    pub(super) fn up(&mut self) {
        if !self.processes.is_empty() {
            return;
        }
        if self.has_standby {
            self.start_replicas();
            return;
        }
        let incarnation = self.call_log.start_incarnation();
        let client = server::client(&self.store, &self.call_log, incarnation);
        let transport = self.remote.transport(&self.call_log, incarnation);
        // Of the one before nobody knows how it ended.
        let leadership = if std::mem::replace(&mut self.has_run, true) {
            Leadership::after_another()
        } else {
            Leadership::unopposed()
        };
        self.metrics = Metrics::default();
        let metrics = self.metrics.clone();
        let process = operator(client, transport, self.choices, leadership, metrics);
        self.processes.push((incarnation, tokio::spawn(process)));
    }

    /// A client in place of the operator.
    pub(super) fn client(&self) -> Client {
        server::client(
            &self.store,
            &self.call_log,
            self.call_log.start_incarnation(),
        )
    }

    /// Ends the running incarnation, whatever it does.
    pub(super) async fn down(&mut self) {
        self.call_log.end_incarnations();
        for (_, process) in self.processes.drain(..) {
            process.abort();
            let _ = process.await;
            // Its reconciles are tasks, which end after it.
            for _ in 0..3 {
                yield_now().await;
            }
        }
    }

    /// Waits until nothing was written for [`QUIET`], or the operator crashed.
    pub(super) async fn quiet(&mut self) -> Ended {
        let (call_log, started) = (self.call_log.clone(), Instant::now());
        let quiet = async {
            let mut moves = call_log.changes();
            while timeout(QUIET, moves.changed()).await.is_ok() {
                if started.elapsed() > RESTLESS {
                    return Ended::Restless;
                }
            }
            Ended::Quiet
        };
        if self.processes.is_empty() {
            return quiet.await;
        }
        let ended = tokio::select! {
            biased;
            () = call_log.ended() => Ended::Crashed,
            ended = quiet => ended,
        };
        if ended == Ended::Crashed {
            self.down().await;
        }
        ended
    }

    /// Waits until the operator is at rest, and then for `rest`, in which nothing may change. Returns what is wrong.
    pub(super) async fn rest(&mut self, policy: Policy, rest: Duration) -> Vec<String> {
        let mut faults = Vec::new();
        let mut ended = self.quiet().await;
        while ended == Ended::Crashed {
            self.up();
            ended = self.quiet().await;
        }
        if ended == Ended::Restless {
            faults.push("it does not come to rest".to_owned());
        }
        let moves = self.call_log.changes();
        sleep(rest).await;
        if moves.has_changed().unwrap_or(true) {
            faults.push("something moves that was at rest".to_owned());
        }
        faults.extend(oracle::faults(self, policy));
        faults
    }

    /// The scope that objects write, as the simulator knows it.
    pub(super) fn scope(&self) -> Option<String> {
        self.target.scope(ACCOUNT)
    }

    /// Names and values that the provider holds in the scope.
    pub(super) fn held(&self) -> BTreeMap<String, String> {
        self.account.values(self.scope().as_deref())
    }
}
