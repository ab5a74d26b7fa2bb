//! The processes of one installation.

use std::{
    process::ExitStatus,
    sync::atomic::{AtomicU32, Ordering},
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::Value;

use super::{
    gates::{self, Gates},
    holders::Holders,
};
use crate::harness::{NAMESPACE, Operator, SHORT_LEASE, TestEnv, traces, until};

/// Two at a time.
const COUNT: usize = 2;

/// One process, and what is between it and the world.
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) operator: Operator,
    pub(super) gates: Gates,
    has_ended: bool,
}

/// The processes of one installation.
pub(super) struct Replicas<'a> {
    env: &'a TestEnv,
    leases: Api<Lease>,
    holders: Holders,
    all: Vec<Replica>,
}

impl<'a> Replicas<'a> {
    /// Two in the place of the operator of an environment.
    pub(super) async fn of(env: &'a TestEnv) -> Self {
        assert!(env.operator.terminate().await.success());
        let leases: Api<Lease> = Api::namespaced(env.client.clone(), NAMESPACE);
        let mut replicas = Self {
            env,
            holders: Holders::watch(leases.clone()),
            leases,
            all: Vec::new(),
        };
        replicas.refill().await;
        replicas
    }

    /// Starts new ones for those that have ended, and waits until they are ready.
    pub(super) async fn refill(&mut self) {
        while self.running().count() < COUNT {
            let replica = self.start().await;
            self.all.push(replica);
        }
        for replica in self.running() {
            replica.operator.wait_until_ready().await;
        }
    }

    async fn start(&self) -> Replica {
        // A cluster serves one test after the other, and their files are in one folder.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("replica-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (env, folder) = (self.env, self.env.cluster.directory());
        let api_server = gates::api_server(env.kubeconfig());
        let gates = Gates::open(&env.served, &env.client, api_server).await;
        let kubeconfig =
            gates.kubeconfig(env.kubeconfig(), folder.join(format!("{name}.kubeconfig")));
        let log = folder.join(format!("{name}.log"));
        let pod_name = format!("--pod-name={name}");
        let flags = [&[pod_name.as_str()], &SHORT_LEASE[..]].concat();
        let operator = Operator::launch(&kubeconfig, |of| gates.url(of), log, &flags).await;
        Replica {
            name,
            operator,
            gates,
            has_ended: false,
        }
    }

    fn running(&self) -> impl Iterator<Item = &Replica> {
        self.all.iter().filter(|replica| !replica.has_ended)
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        self.running().any(|replica| replica.name == name)
    }

    pub(super) fn named(&self, name: &str) -> &Replica {
        let mut all = self.all.iter();
        all.find(|replica| replica.name == name)
            .expect("a process of this name")
    }

    /// The other one.
    pub(super) fn standby(&self, leader: &str) -> &Replica {
        let mut running = self.running();
        running
            .find(|replica| replica.name != leader)
            .expect("a standby")
    }

    /// The process that holds the lease, whether it runs or not.
    pub(super) async fn holder(&self) -> Option<String> {
        gates::holder(&self.leases).await
    }

    /// Waits until a running process holds the lease.
    pub(super) async fn wait_for_leader(&self) -> String {
        self.wait_for(|holder| self.is_running(holder)).await
    }

    /// Waits until another process than this one does.
    pub(super) async fn wait_for_another(&self, former: &str) -> String {
        self.wait_for(|holder| holder != former).await
    }

    async fn wait_for(&self, is_fit: impl Fn(&str) -> bool) -> String {
        until("a process leads", async || {
            let holder = self.holder().await.ok_or("nobody leads")?;
            if is_fit(&holder) {
                Ok(holder)
            } else {
                Err(format!("{holder} leads"))
            }
        })
        .await
    }

    async fn leader(&mut self) -> &mut Replica {
        let leader = self.wait_for_leader().await;
        let mut all = self.all.iter_mut();
        all.find(|replica| replica.name == leader).expect("it runs")
    }

    /// SIGTERM.
    pub(super) async fn terminate_leader(&mut self) -> (String, ExitStatus) {
        let leader = self.leader().await;
        leader.has_ended = true;
        (leader.name.clone(), leader.operator.terminate().await)
    }

    /// SIGKILL.
    pub(super) async fn kill_leader(&mut self) {
        let leader = self.leader().await;
        leader.has_ended = true;
        leader.operator.kill().await;
    }

    /// SIGSTOP.
    pub(super) async fn pause_leader(&mut self) -> String {
        let leader = self.leader().await;
        leader.operator.process().pause().expect("it is stopped");
        leader.name.clone()
    }

    /// SIGCONT; it ends by itself then.
    pub(super) async fn resume(&mut self, name: &str) -> ExitStatus {
        let mut all = self.all.iter_mut();
        let stopped = all.find(|replica| replica.name == name).expect("a process");
        stopped.has_ended = true;
        let process = stopped.operator.process();
        process.resume().expect("it goes on");
        process.wait().await.expect("it ends")
    }

    /// Nothing of the leader reaches the API server any more; it ends by itself then.
    pub(super) async fn cut_leader_off(&mut self) -> ExitStatus {
        let leader = self.leader().await;
        leader.has_ended = true;
        leader.gates.close();
        leader.operator.process().wait().await.expect("it ends")
    }

    /// A process logged an error of these words, and printed nothing that is no line of its log.
    pub(super) fn assert_error(&self, name: &str, words: &str) {
        let log = self.named(name).operator.log();
        let lines = log.lines();
        let mut lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        lines.retain(|line| line["level"] == "error");
        let is_it = |line: &Value| line["msg"].as_str().is_some_and(|msg| msg.contains(words));
        assert!(lines.iter().any(is_it), "{name}: {lines:#?}");
    }

    /// No process called a provider that did not hold the lease.
    pub(super) fn assert_only_the_holder_called(&self) {
        for replica in &self.all {
            let without = replica.gates.calls_without_lease(&replica.name);
            assert_eq!(without, Vec::<String>::new());
        }
    }

    /// No process took the lease from one that had not given it up.
    pub(super) async fn assert_each_released_the_lease(&self) {
        let leader = self.wait_for_leader().await;
        let holders = until("the watch shows who leads", async || {
            let holders = self.holders.all();
            if holders.last() == Some(&leader) {
                Ok(holders)
            } else {
                Err(format!("{holders:?}"))
            }
        })
        .await;
        let is_released = |change: &[String]| change.iter().any(String::is_empty);
        assert!(holders.windows(2).all(is_released), "{holders:?}");
    }

    /// Ends them all; nothing has leaked.
    pub(super) async fn end(self) {
        self.assert_only_the_holder_called();
        for replica in &self.all {
            if !replica.has_ended {
                assert!(replica.operator.terminate().await.success());
            }
            assert_eq!(traces(&replica.operator.log()), Vec::<String>::new());
        }
    }
}
