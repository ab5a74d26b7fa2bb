//! The operator as a process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::OnceLock,
    time::Duration,
};

use cluster::process::{Guarded, Program};
use provider_secrets::provider::{Descriptor, PROVIDERS};
use simulator::Provider;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{DEADLINE, until, until_within};

/// The operator to run. The benchmark sets its release build here first.
pub(crate) static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// The flag of an operator that verifies nothing: after a start the verifications are spread over their interval, and
/// none shall fall into the test.
pub(crate) const NO_VERIFICATION: &str = "--verify-interval=8760h";

/// The flags of an operator that a test kills: the next one waits until its lease has expired.
pub(crate) const SHORT_LEASE: [&str; 3] = [
    "--leader-election-lease-duration=8s",
    "--leader-election-renew-deadline=6s",
    "--leader-election-retry-period=1s",
];

/// The operator that is run.
pub(crate) fn binary() -> &'static Path {
    BINARY.get_or_init(|| env!("CARGO_BIN_EXE_provider-secrets").into())
}

/// Every endpoint of every provider, with the URL of its simulator: one that was left out would be the vendor's own.
pub(crate) fn simulated(url: impl Fn(Provider) -> String) -> Vec<(String, String)> {
    let endpoints = |provider: &&Descriptor| {
        let simulator = provider.flag.parse().expect("a simulator");
        let (flag, url) = (provider.flag, url(simulator));
        let names = provider.endpoints.iter().map(|(name, _)| name);
        names
            .map(|name| (format!("{flag}/{name}"), url.clone()))
            .collect::<Vec<_>>()
    };
    PROVIDERS.iter().flat_map(endpoints).collect()
}

/// Status and body of a GET on a server of this machine; none where there is no answer.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// A running operator, killed on drop.
pub(crate) struct Operator {
    process: Guarded,
    address: SocketAddr,
}

impl Operator {
    /// Starts the operator with the ServiceAccount of `kubeconfig`, at log level trace, and waits
    /// until it listens. `url` says where the providers are.
    pub(crate) async fn launch(
        kubeconfig: &Path,
        url: impl Fn(Provider) -> String,
        log: PathBuf,
        flags: &[&str],
    ) -> Self {
        Self::launch_as(Program::new(binary()), kubeconfig, url, log, flags).await
    }

    /// As [`Self::launch`], where `program` runs the operator in its own way.
    pub(crate) async fn launch_as(
        program: Program,
        kubeconfig: &Path,
        url: impl Fn(Provider) -> String,
        log: PathBuf,
        flags: &[&str],
    ) -> Self {
        let arguments = [
            "run",
            "--metrics-bind-address=127.0.0.1:0",
            "--health-probe-bind-address=127.0.0.1:0",
            "--leader-election-namespace=provider-secrets-system",
            // On a machine that is busy an API server may stand still for longer than a lease lasts.
            "--leader-election-lease-duration=90s",
            "--leader-election-renew-deadline=80s",
            // What waits by design waits shortly; the simulation has the real time.
            "--removal-grace=1s",
        ];
        let program = program
            .args(arguments)
            .args(
                simulated(url)
                    .iter()
                    .map(|(name, url)| format!("--endpoint={name}={url}")),
            )
            .args(flags)
            .env("KUBECONFIG", kubeconfig)
            // RUST_LOG must not lift the cap on kube's own targets.
            .env(
                "RUST_LOG",
                "trace,kube_client::client=trace,hyper=trace,reqwest=trace",
            );
        Self::start(program, &log).await
    }

    /// Starts a program that is an operator, and waits until it listens.
    pub(crate) async fn start(program: Program, log: &Path) -> Self {
        let process = Guarded::spawn(program, log).expect("the operator starts");
        let address = until("the operator listens", async || {
            let log = process.log();
            log.lines().find_map(listening).ok_or_else(|| tail(&log))
        })
        .await;
        Self { process, address }
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) async fn wait_until_ready(&self) {
        until("the operator is ready", async || {
            match self.get("/readyz").await {
                (200, _) => Ok(()),
                (_, body) => Err(body),
            }
        })
        .await;
    }

    /// Waits until so many reconciles had nothing to do; their number, and that of all reconciles. A process that has just
    /// started looks at each object immediately, or, if it did not lead yet, within a minute after it has begun to.
    pub(crate) async fn wait_unchanged(&self, least: usize) -> (usize, usize) {
        until_within(2 * DEADLINE, "every object was looked at", async || {
            let metrics = self.get("/metrics").await.1;
            let series = "provider_secrets_reconcile_total{kind=\"ProviderSecret\",result=\"";
            let counts = metrics.lines().filter_map(|line| line.strip_prefix(series));
            let (mut unchanged, mut all) = (0, 0);
            for line in counts {
                let (result, count) = line.split_once("\"} ").expect("a series has a value");
                let count: usize = count.parse().expect("a counter is a number");
                all += count;
                if result == "unchanged" {
                    unchanged += count;
                }
            }
            if unchanged >= least {
                Ok((unchanged, all))
            } else {
                Err(format!("{unchanged} of {all} reconciles had nothing to do"))
            }
        })
        .await
    }

    /// Status and body of a GET on the probe and metrics server; status 0 where there is no answer.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        get(self.address, path).await.unwrap_or_default()
    }

    /// A connection to the probe and metrics server.
    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await;
        stream.expect("the operator listens")
    }

    /// Where it serves probes and metrics.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it printed.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// The process.
    pub(crate) fn process(&self) -> &Guarded {
        &self.process
    }

    /// Sends SIGTERM and waits.
    pub(crate) async fn terminate(&self) -> ExitStatus {
        self.process
            .terminate(Duration::from_secs(30))
            .await
            .expect("the operator ends")
    }

    /// Sends SIGKILL and waits.
    pub(crate) async fn kill(&self) {
        self.process.kill().await.expect("the operator is killed");
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    (line["msg"] == "listening")
        .then(|| line["address"].as_str()?.parse().ok())
        .flatten()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
