//! The lifecycle of one object, from creation to deletion, under an operator that the test may kill.

use std::{collections::BTreeMap, path::PathBuf};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use provider_secrets::api::{EntryState, ProviderSecret};
use serde_json::json;

use super::recording_proxies::{Caller, RecordingProxies};
use crate::{
    faults::call_log::{CallLog, Crash},
    harness::{Operator, Target, TestCase, TestEnv, condition, delete_policy, traces, until},
};

/// No other process writes, and the one that was killed is not waited for.
const ALONE: &str = "--leader-elect=false";
/// A secret of another client in the same account.
const FOREIGN: &str = "FOREIGN_KEY";

/// An object named `target`, its provider account, and the incarnations of the operator.
pub(super) struct Lifecycle<'a> {
    case: TestCase<'a>,
    call_log: CallLog,
    client: Client,
    operator: Option<(Operator, RecordingProxies)>,
    logs: Vec<PathBuf>,
    plan: String,
}

/// The outcome of a lifecycle.
pub(super) struct Outcome {
    /// The number of counted calls of the operator.
    pub(super) calls: usize,
    /// Writes and deletes that the provider accepted.
    writes: usize,
}

/// The outcome of a lifecycle without a crash.
pub(super) struct Reference {
    writes: usize,
}

impl From<Outcome> for Reference {
    fn from(Outcome { writes, .. }: Outcome) -> Self {
        Self { writes }
    }
}

impl<'a> Lifecycle<'a> {
    /// Makes the account, without an operator.
    pub(super) async fn new(env: &'a TestEnv, target: Target, crashes: &[Crash]) -> Self {
        let case = TestCase::new(env, target).await;
        case.foreign_write(FOREIGN, "foreign");
        let call_log = CallLog::new();
        call_log.arm(crashes);
        let kubeconfig = Kubeconfig::read_from(env.kubeconfig()).expect("a kubeconfig");
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("a configuration")).expect("a client");
        let crashes: Vec<String> = crashes.iter().map(Crash::to_string).collect();
        let plan = format!("{target:?}/{}", crashes.join("+"));
        Self {
            case,
            call_log,
            client,
            operator: None,
            logs: Vec::new(),
            plan,
        }
    }

    /// Runs all steps and checks the result of each.
    pub(super) async fn run(mut self, reference: Option<&Reference>) -> Outcome {
        let delete = delete_policy();
        let [one, two] = ["one", "two"].map(|text| self.case.value(text));
        let version = self.case.secret("source", &[("a", &one)]).await;
        let data = [("A_KEY", "source", "a")];
        self.case.put("target", &data, &delete).await;
        self.settle_with("A_KEY", &one, &version).await;

        let version = self.case.secret("source", &[("a", &two)]).await;
        self.settle_with("A_KEY", &two, &version).await;

        let data = [("B_KEY", "source", "a")];
        self.case.put("target", &data, &delete).await;
        self.settle_with("B_KEY", &two, &version).await;

        self.case.delete("target").await;
        self.settle("it is gone", async |case| {
            let object = case.objects().get_opt("target").await;
            match object.map_err(|error| error.to_string())? {
                None => holds(case, &[]),
                Some(object) => Err(format!("{:#?}", object.status)),
            }
        })
        .await;
        self.end(reference).await
    }

    /// Waits until the object is synced and the provider holds this entry and the foreign one.
    async fn settle_with(&mut self, name: &str, value: &str, version: &str) {
        let what = format!("{name} is synced");
        self.settle(&what, async |case| {
            let object = case.objects().get("target").await;
            let object = object.map_err(|error| error.to_string())?;
            is_synced(&object, name, version)?;
            holds(case, &[(name, value)])
        })
        .await;
    }

    /// Waits until `is_done`, and starts a further incarnation of the operator after a crash.
    async fn settle(
        &mut self,
        what: &str,
        is_done: impl AsyncFn(&TestCase<'a>) -> Result<(), String>,
    ) {
        let what = format!("{}: {what}", self.plan);
        loop {
            if self.operator.is_none() {
                self.start_operator().await;
            }
            let is_dead = tokio::select! {
                biased;
                () = self.call_log.ended() => true,
                () = until(&what, async || {
                    is_done(&self.case).await.map_err(|state| {
                        format!("{state}\n{}", self.call_log.lines().join("\n"))
                    })
                }) => false,
            };
            if !is_dead {
                break;
            }
            if let Some((operator, _proxies)) = self.operator.take() {
                operator.kill().await;
            }
        }
    }

    async fn start_operator(&mut self) {
        let incarnation = self.call_log.start_incarnation();
        let (call_log, env) = (self.call_log.clone(), self.case.env);
        let caller = Caller {
            call_log,
            incarnation,
        };
        let provider = self.case.account.provider();
        let proxies =
            RecordingProxies::open(&caller, self.client.clone(), &env.served, provider).await;
        let namespace = &self.case.namespace;
        let file = |kind| {
            let name = format!("{namespace}-{incarnation}.{kind}");
            env.cluster.directory().join(name)
        };
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", proxies.kubernetes)}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        let path = file("kubeconfig");
        std::fs::write(&path, kubeconfig.to_string()).expect("a file is written");
        let proxy = format!("http://{}", proxies.provider);
        let url = |of| {
            if of == provider {
                proxy.clone()
            } else {
                env.served.url(of)
            }
        };
        let flag = format!("--watch-namespaces={namespace}");
        let operator = Operator::launch(&path, url, file("log"), &[&flag, ALONE]).await;
        self.logs.push(operator.process().log_path().to_owned());
        self.operator = Some((operator, proxies));
    }

    /// Asserts that nothing leaked, that no write is one too many, and that the crash happened.
    async fn end(self, reference: Option<&Reference>) -> Outcome {
        let Self { plan, logs, .. } = &self;
        let lines = self.call_log.lines().join("\n");
        assert_eq!(
            self.call_log.pending_crashes(),
            0,
            "{plan}: the crash did not happen\n{lines}"
        );
        let accepted =
            |write: &&simulator::Exchange| write.status().is_some_and(|status| status < 300);
        let writes = self.case.account.writes().iter().filter(accepted).count();
        if let Some(reference) = reference {
            let most = reference.writes + 1;
            assert!(writes <= most, "{plan}: {writes} writes\n{lines}");
        }
        for log in logs {
            let log = std::fs::read_to_string(log).expect("a log");
            assert_eq!(traces(&log), Vec::<String>::new(), "{plan}");
        }
        let calls = self.call_log.counted();
        if let Some((operator, _proxies)) = self.operator {
            operator.kill().await;
        }
        self.case.finish().await;
        Outcome { calls, writes }
    }
}

fn is_synced(object: &ProviderSecret, name: &str, version: &str) -> Result<(), String> {
    let status = object.status.clone().unwrap_or_default();
    let is_ready = condition(object, "Ready").is_some_and(|ready| ready.status == "True");
    let is_current = status.observed_generation == object.metadata.generation;
    let mut sources = status.sources.iter();
    let is_read =
        sources.any(|source| source.name == "source" && source.resource_version == version);
    let entries: Vec<_> = status
        .entries
        .iter()
        .map(|entry| (&*entry.name, entry.state))
        .collect();
    if is_ready && is_current && is_read && entries == [(name, EntryState::Synced)] {
        Ok(())
    } else {
        Err(format!("{status:#?}"))
    }
}

/// Whether the provider holds these, the foreign one, and nothing else.
fn holds(case: &TestCase<'_>, expected: &[(&str, &str)]) -> Result<(), String> {
    let foreign = [(FOREIGN, "foreign")];
    let expected = expected.iter().chain(&foreign);
    let expected: BTreeMap<String, String> = expected
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let held = case.held();
    if held == expected {
        Ok(())
    } else {
        Err(format!("the provider holds {held:?}"))
    }
}
