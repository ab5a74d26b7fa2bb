//! A stage: a cluster with the CustomResourceDefinition, the simulated providers, and the operator
//! as the ServiceAccount of the chart with the rules of the chart.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use cluster::Cluster;
use kube::Client;
use simulator::{Served, Simulator};
use tokio::sync::OnceCell;

use super::{
    Operator,
    cluster_pool::{Ground, Prepared},
    root, until,
};

/// The namespace and ServiceAccount of the operator.
pub(crate) const NAMESPACE: &str = "provider-secrets-system";
pub(crate) const ACCOUNT: &str = "provider-secrets";

/// After which time the operator of the brisk stage lets a deleted object go, whatever is left.
pub(crate) const BRISK_DELETION: Duration = Duration::from_secs(15);

/// Everything a test needs around itself.
pub(crate) struct Stage {
    // Dropped first: after it nobody acts on the cluster.
    pub(crate) operator: Operator,
    pub(crate) cluster: Ground,
    pub(crate) client: Client,
    pub(crate) served: Served,
    /// How often this stage's operator verifies, where that is so often that a test can wait for it.
    pub(crate) brisk: Option<Duration>,
}

impl Stage {
    /// The stage that most tests share, each with a namespace and provider accounts of its own.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Stage> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::fresh(&[])).await
    }

    /// The stage that tests of verification and deletion share: its operator verifies every second,
    /// and lets a deleted object go after [`BRISK_DELETION`].
    pub(crate) async fn brisk() -> &'static Self {
        static BRISK: OnceCell<Stage> = OnceCell::const_new();
        BRISK.get_or_init(Self::fresh_brisk).await
    }

    /// The same for one test, of so many objects that the operator has no events left for others.
    pub(crate) async fn fresh_brisk() -> Self {
        let timeout = format!("--deletion-timeout={}s", BRISK_DELETION.as_secs());
        let mut stage = Self::fresh(&["--verify-interval=1s", &timeout]).await;
        stage.brisk = Some(Duration::from_secs(1));
        stage
    }

    /// A stage for one test that restarts the operator or gives it `flags`.
    pub(crate) async fn fresh(flags: &[&str]) -> Self {
        let prepare = Box::pin(async {
            let cluster = Cluster::start().await.expect("the cluster starts");
            whole(cluster).await
        });
        Self::ready(Ground::lent(prepare).await, flags).await
    }

    /// A stage for one test that changes the cluster itself, or what belongs to no namespace.
    pub(crate) async fn own(flags: &[&str]) -> Self {
        let cluster = Cluster::start().await.expect("the cluster starts");
        Self::on(cluster, flags).await
    }

    /// A stage on a cluster that is there.
    pub(crate) async fn on(cluster: Cluster, flags: &[&str]) -> Self {
        Self::ready(Ground::own(whole(cluster).await), flags).await
    }

    async fn ready(ground: Ground, flags: &[&str]) -> Self {
        let stage = Self::launch(ground, flags).await;
        stage.operator.wait_until_ready().await;
        stage
    }

    /// A stage whose operator watches these namespaces, with the chart's Roles in those of them that
    /// are `present`; they are made. Nobody waits until it is ready.
    pub(crate) async fn within(watched: &[&str], present: &[&str]) -> Self {
        let cluster = Cluster::start().await.expect("the cluster starts");
        let mut rules = rules(&cluster, &roles(present)).await;
        for name in present {
            let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ";
            rules = format!("{namespace}{name}}}\n{rules}");
        }
        let prepared = prepare(cluster, &rules).await;
        let flag = format!("--watch-namespaces={}", watched.join(","));
        Self::launch(Ground::own(prepared), &[&flag]).await
    }

    /// Gives the operator the chart's Roles in more namespaces, which are there.
    pub(crate) async fn grant(&self, namespaces: &[&str]) {
        let rules = rules(&self.cluster, &roles(namespaces)).await;
        // Also where a test has changed one.
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ];
        self.kubectl(&apply, Some(&rules)).await;
    }

    /// Runs kubectl as the administrator; its standard output.
    pub(crate) async fn kubectl(&self, arguments: &[&str], stdin: Option<&str>) -> String {
        let output = self.cluster.kubectl_output(arguments, stdin).await;
        let output = output.expect("kubectl runs");
        assert!(output.success, "kubectl {arguments:?}: {}", output.stderr);
        output.stdout
    }

    /// Waits until kubectl fails with these arguments.
    pub(crate) async fn wait_refused(&self, what: &str, arguments: &[&str]) {
        until(what, async || {
            let output = self.cluster.kubectl_output(arguments, None).await;
            let output = output.expect("kubectl runs");
            (!output.success).then_some(()).ok_or(output.stdout)
        })
        .await;
    }

    async fn launch(cluster: Ground, flags: &[&str]) -> Self {
        let client = cluster.client();
        let served = Simulator::new()
            .serve()
            .await
            .expect("the simulator serves");
        let kubeconfig = cluster.operator_kubeconfig();
        let operator = Operator::launch(kubeconfig, |of| served.url(of), log(&cluster), flags);
        Self {
            operator: operator.await,
            cluster,
            client,
            served,
            brisk: None,
        }
    }

    /// The simulated providers.
    pub(crate) fn simulator(&self) -> &Simulator {
        self.served.simulator()
    }

    /// The kubeconfig of the operator's ServiceAccount.
    pub(crate) fn kubeconfig(&self) -> &Path {
        self.cluster.operator_kubeconfig()
    }

    /// A further operator as the same ServiceAccount, once it is ready.
    pub(crate) async fn further(&self, flags: &[&str]) -> Operator {
        let operator = self.further_unready(flags).await;
        operator.wait_until_ready().await;
        operator
    }

    /// A further operator as the same ServiceAccount, as soon as it listens.
    pub(crate) async fn further_unready(&self, flags: &[&str]) -> Operator {
        let log = log(&self.cluster);
        Operator::launch(self.kubeconfig(), |of| self.served.url(of), log, flags).await
    }

    /// Starts another operator in the place of the one before, which must have ended.
    pub(crate) async fn restart(&mut self, flags: &[&str]) {
        self.operator = self.further(flags).await;
    }

    /// The user that the API server's audit log shows for the operator.
    pub(crate) fn user() -> String {
        format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
    }
}

/// What is rendered of the chart for an operator of the whole cluster.
const CLUSTER: [&str; 2] = [
    "--show-only=templates/clusterrole.yaml",
    "--show-only=templates/clusterrolebinding.yaml",
];

/// What is rendered of the chart for an operator of these namespaces.
fn roles(namespaces: &[&str]) -> [String; 2] {
    let namespaces = namespaces.join(",");
    [
        "--show-only=templates/roles.yaml".to_owned(),
        format!("--set=scope.mode=Namespaces,scope.namespaces={{{namespaces}}}"),
    ]
}

/// A log file for one operator.
fn log(cluster: &Cluster) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    cluster.directory().join(format!("operator-{number}.log"))
}

/// Prepares a cluster for an operator of all of it.
async fn whole(cluster: Cluster) -> Prepared {
    let rules = rules(&cluster, &CLUSTER).await;
    prepare(cluster, &rules).await
}

/// Installs the CustomResourceDefinition, and the chart's ServiceAccount with these rules.
async fn prepare(cluster: Cluster, rules: &str) -> Prepared {
    let crds = root().join("crds");
    let applied = cluster
        .kubectl_output(
            &["apply", "--server-side", "-f", &crds.display().to_string()],
            None,
        )
        .await
        .expect("kubectl runs");
    assert!(applied.success, "{}", applied.stderr);
    until("the CustomResourceDefinition is established", async || {
        let wait = ["get", "providersecrets", "-A"];
        let output = cluster
            .kubectl_output(&wait, None)
            .await
            .expect("kubectl runs");
        if output.success {
            Ok(())
        } else {
            Err(output.stderr)
        }
    })
    .await;
    let account = cluster.service_account(NAMESPACE, ACCOUNT, rules).await;
    Prepared {
        kubeconfig: account.expect("the chart's rules apply"),
        cluster,
    }
}

/// The ServiceAccount of the chart and its rules, rendered with more arguments.
async fn rules(cluster: &Cluster, more: &[impl AsRef<str>]) -> String {
    let chart = root().join("charts/provider-secrets");
    let chart = chart.display().to_string();
    let mut arguments = vec![
        "template",
        ACCOUNT,
        &chart,
        "--namespace",
        NAMESPACE,
        "--show-only=templates/serviceaccount.yaml",
    ];
    arguments.extend(more.iter().map(AsRef::as_ref));
    let rules = cluster.helm_output(&arguments, None).await;
    let rules = rules.expect("helm runs");
    assert!(rules.success, "{}", rules.stderr);
    rules.stdout
}
