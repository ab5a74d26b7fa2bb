//! The test environment: a cluster with the CustomResourceDefinition, the simulated providers, and the operator as the
//! chart's ServiceAccount with the chart's rules.

use std::{
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cluster::{AuditEvent, Cluster};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use simulator::{Served, Simulator};
use tokio::sync::OnceCell;

use super::{
    Operator,
    cluster_pool::{PooledCluster, Prepared},
    root,
    statuses::StatusWatch,
    until, until_within,
};

/// The namespace and ServiceAccount of the operator.
pub(crate) const NAMESPACE: &str = "provider-secrets-system";
pub(crate) const ACCOUNT: &str = "provider-secrets";
/// The name of the chart's ClusterRole, and of its Role in a namespace.
pub(crate) const RIGHTS: &str = "provider-secrets-system:provider-secrets";

/// The name of the operator's Lease.
pub(crate) const LEASE: &str = "provider-secrets";

/// The `--deletion-timeout` of [`TestEnv::verifying`].
pub(crate) const DELETION_TIMEOUT: Duration = Duration::from_secs(15);

/// A cluster, the simulated providers and the operator.
pub(crate) struct TestEnv {
    // Dropped first: without the operator nothing acts on the cluster.
    pub(crate) operator: Operator,
    pub(crate) cluster: PooledCluster,
    pub(crate) client: Client,
    pub(crate) served: Served,
    /// The operator's `--verify-interval`, where it is short enough for a test to wait for it.
    pub(crate) verify_interval: Option<Duration>,
    /// Begins with the first test case: a measurement has none, and would pay for it.
    statuses: OnceLock<StatusWatch>,
}

impl TestEnv {
    /// The environment that most tests share. Each has its own namespace and provider accounts.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<TestEnv> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::fresh(&[])).await
    }

    /// The environment that tests of verification and deletion share: its operator verifies every second, and
    /// gives up a deletion after [`DELETION_TIMEOUT`].
    pub(crate) async fn verifying() -> &'static Self {
        static VERIFYING: OnceCell<TestEnv> = OnceCell::const_new();
        VERIFYING.get_or_init(Self::fresh_verifying).await
    }

    /// As [`Self::verifying`], for one test alone: its many objects use up the operator's event budget.
    pub(crate) async fn fresh_verifying() -> Self {
        let timeout = format!("--deletion-timeout={}s", DELETION_TIMEOUT.as_secs());
        let mut env = Self::fresh(&["--verify-interval=1s", &timeout]).await;
        env.verify_interval = Some(Duration::from_secs(1));
        env
    }

    /// An environment on a pooled cluster, for one test that restarts the operator or gives it `flags`.
    pub(crate) async fn fresh(flags: &[&str]) -> Self {
        let prepare = Box::pin(async {
            let cluster = Cluster::start().await.expect("the cluster starts");
            whole(cluster).await
        });
        Self::ready(PooledCluster::pooled(prepare).await, flags).await
    }

    /// An environment on a cluster of its own, for one test that changes the cluster or cluster-scoped objects.
    pub(crate) async fn dedicated(flags: &[&str]) -> Self {
        let cluster = Cluster::start().await.expect("the cluster starts");
        Self::on(cluster, flags).await
    }

    /// An environment on a running cluster.
    pub(crate) async fn on(cluster: Cluster, flags: &[&str]) -> Self {
        Self::ready(PooledCluster::dedicated(whole(cluster).await), flags).await
    }

    async fn ready(cluster: PooledCluster, flags: &[&str]) -> Self {
        let env = Self::launch(cluster, flags).await;
        env.operator.wait_until_ready().await;
        env
    }

    /// An environment whose operator watches the namespaces `watched`. Creates those in `present` with the chart's Roles.
    /// Does not wait for the operator to be ready.
    pub(crate) async fn watching(watched: &[&str], present: &[&str]) -> Self {
        let cluster = Cluster::start().await.expect("the cluster starts");
        let mut rules = rules(&cluster, &roles(present)).await;
        for name in present {
            let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ";
            rules = format!("{namespace}{name}}}\n{rules}");
        }
        let prepared = prepare(cluster, &rules).await;
        let flag = format!("--watch-namespaces={}", watched.join(","));
        Self::launch(PooledCluster::dedicated(prepared), &[&flag]).await
    }

    /// An environment whose operator may get Secrets and neither list nor watch them. It asks for each every second.
    pub(crate) async fn get_only() -> Self {
        let cluster = Cluster::start().await.expect("the cluster starts");
        let templates = CLUSTER.map(str::to_owned).into_iter();
        let get_only = "--set=scope.secretAccess=GetOnly".to_owned();
        let rules = rules(&cluster, &templates.chain([get_only]).collect::<Vec<_>>()).await;
        let prepared = PooledCluster::dedicated(prepare(cluster, &rules).await);
        Self::ready(prepared, &GET_ONLY).await
    }

    /// An environment that Helm has installed and whose operator runs already.
    pub(crate) fn installed(
        cluster: Cluster,
        kubeconfig: PathBuf,
        served: Served,
        operator: Operator,
    ) -> Self {
        let client = cluster.client();
        let prepared = Prepared {
            cluster,
            kubeconfig,
        };
        Self {
            operator,
            cluster: PooledCluster::dedicated(prepared),
            client,
            served,
            verify_interval: None,
            statuses: OnceLock::new(),
        }
    }

    /// Grants the operator the chart's Roles in further, existing namespaces.
    pub(crate) async fn grant(&self, namespaces: &[&str]) {
        let rules = rules(&self.cluster, &roles(namespaces)).await;
        // Takes back what a test has changed in them.
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

    async fn launch(cluster: PooledCluster, flags: &[&str]) -> Self {
        let client = cluster.client();
        let served = Simulator::new()
            .serve()
            .await
            .expect("the simulator serves");
        release_lease(&client).await;
        let kubeconfig = cluster.operator_kubeconfig();
        let operator = Operator::launch(kubeconfig, |of| served.url(of), log(&cluster), flags);
        Self {
            operator: operator.await,
            statuses: OnceLock::new(),
            cluster,
            client,
            served,
            verify_interval: None,
        }
    }

    /// What sees every status that is written in this environment from now on.
    pub(super) fn statuses(&self) -> &StatusWatch {
        self.statuses
            .get_or_init(|| StatusWatch::start(self.client.clone()))
    }

    /// The simulated providers.
    pub(crate) fn simulator(&self) -> &Simulator {
        self.served.simulator()
    }

    /// The kubeconfig of the operator's ServiceAccount.
    pub(crate) fn kubeconfig(&self) -> &Path {
        self.cluster.operator_kubeconfig()
    }

    /// Starts a further operator as the same ServiceAccount and waits until it is ready.
    pub(crate) async fn further(&self, flags: &[&str]) -> Operator {
        let operator = self.further_unready(flags).await;
        operator.wait_until_ready().await;
        operator
    }

    /// As [`Self::further`], without waiting until it is ready.
    pub(crate) async fn further_unready(&self, flags: &[&str]) -> Operator {
        let log = log(&self.cluster);
        Operator::launch(self.kubeconfig(), |of| self.served.url(of), log, flags).await
    }

    /// Starts an operator after the one before, which must have ended.
    pub(crate) async fn restart(&mut self, flags: &[&str]) {
        self.operator = self.further(flags).await;
    }

    /// Whether a call is one for the Lease, which is in the operator's own namespace.
    pub(crate) fn is_for_lease(call: &AuditEvent) -> bool {
        (call.resource.as_str(), call.namespace.as_str()) == ("leases", NAMESPACE)
    }

    /// The operator's user name in the API server's audit log.
    pub(crate) fn user() -> String {
        format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
    }
}

/// The chart's templates for an operator of the whole cluster.
const CLUSTER: [&str; 3] = [
    "--show-only=templates/lease-role.yaml",
    "--show-only=templates/clusterrole.yaml",
    "--show-only=templates/clusterrolebinding.yaml",
];

/// The flags of an operator without a watch of Secrets.
pub(crate) const GET_ONLY: [&str; 2] = ["--secret-access=get-only", "--secret-poll-interval=1s"];

/// The chart's templates for an operator of these namespaces.
fn roles(namespaces: &[&str]) -> [String; 3] {
    let namespaces = namespaces.join(",");
    [
        "--show-only=templates/lease-role.yaml".to_owned(),
        "--show-only=templates/roles.yaml".to_owned(),
        format!("--set=scope.mode=Namespaces,scope.namespaces={{{namespaces}}}"),
    ]
}

/// The Lease of an operator that ended well: what the next one sends is not confirmed because of it.
pub(crate) fn released_lease() -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": NAMESPACE},
        "spec": {"leaseDurationSeconds": 1, "leaseTransitions": 0},
    })
}

/// The operator of the test before was killed on this cluster, and nobody waits for its lease.
async fn release_lease(client: &Client) {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    if let Err(error) = leases.delete(LEASE, &DeleteParams::default()).await {
        assert!(is_missing(&error), "{error}");
    }
    let released = serde_json::from_value(released_lease()).expect("a Lease");
    let made = leases.create(&PostParams::default(), &released).await;
    made.expect("a released Lease is made");
}

fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
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
    // An API server that still begins to serve a resource may hold up a request for a minute, and break it off then.
    until_within(
        Duration::from_mins(3),
        "the definition is established",
        async || {
            let wait = ["get", "providersecrets", "-A", "--request-timeout=10s"];
            let output = cluster
                .kubectl_output(&wait, None)
                .await
                .expect("kubectl runs");
            if output.success {
                Ok(())
            } else {
                Err(output.stderr)
            }
        },
    )
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
