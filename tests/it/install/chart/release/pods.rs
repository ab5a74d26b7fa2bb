//! What the pods of a release do: processes with the arguments and environment of its objects, as its ServiceAccount.

use std::{fs, path::Path};

use cluster::process::Program;
use serde_json::{Value, json};
use simulator::Simulator;

use super::{Release, succeeded};
use crate::{
    harness::{
        ACCOUNT, LEASE, NAMESPACE, Operator, Target, TestCase, TestEnv,
        operator::{binary, simulated},
        run, say, traces, until,
    },
    install::chart::{documents, find},
};

/// The container of a pod as a process of this machine.
fn process(container: &Value, pod: &str, kubeconfig: &Path) -> Program {
    let arguments = container["args"].as_array().expect("arguments");
    let mut program = Program::new(binary())
        .args(
            arguments
                .iter()
                .map(|argument| argument.as_str().expect("text")),
        )
        .env_clear()
        // What a pod has in its file system.
        .env("KUBECONFIG", kubeconfig);
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().expect("a name");
        let field = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        assert_eq!(field, "metadata.name", "{variable}");
        program = program.env(name, pod);
    }
    program
}

/// The holder of the release's Lease, by the name of its pod.
async fn leader(env: &TestEnv) -> String {
    let path = "jsonpath={.spec.holderIdentity}";
    let arguments = ["get", "lease", LEASE, "-n", NAMESPACE, "-o", path];
    let holder = env.kubectl(&arguments, None).await;
    let (pod, _) = holder.split_once('_').expect("a pod and an id");
    pod.to_owned()
}

/// The resident memory of a process, in KiB.
fn resident(operator: &Operator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.process().id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.trim().strip_suffix(" kB"));
    figure
        .and_then(|figure| figure.parse().ok())
        .unwrap_or_default()
}

#[test]
fn two_pods_sync_five_apis_take_over_and_helm_test_finds_them_well() {
    run(async {
        let release = Release::new().await;
        let served = Simulator::new()
            .serve()
            .await
            .expect("the simulator serves");
        let endpoints = simulated(|provider| served.url(provider));
        let endpoints: serde_json::Map<String, Value> = endpoints
            .into_iter()
            .map(|(name, url)| (name, url.into()))
            .collect();
        let values = json!({
            "endpoints": endpoints,
            // Both pods are on one machine here, and their namespace is in no file.
            "extraArgs": [
                "--metrics-bind-address=127.0.0.1:0",
                "--health-probe-bind-address=127.0.0.1:0",
                format!("--leader-election-namespace={NAMESPACE}"),
            ],
        });
        let values = values.to_string();
        let install = [
            "install",
            "provider-secrets",
            &release.chart,
            "--namespace",
            NAMESPACE,
        ];
        let install = [&install[..], &["--create-namespace", "--values=-"]].concat();
        let installed = release.cluster.helm_output(&install, Some(&values));
        succeeded(installed.await.expect("helm runs"));
        let deployment = release
            .kubectl(&["get", "deployment/provider-secrets", "-o", "json"])
            .await;
        let deployment: Value = serde_json::from_str(&deployment).expect("JSON");
        assert_eq!(deployment["spec"]["replicas"], 2);
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["serviceAccountName"], ACCOUNT);
        let hooks = ["get", "hooks", "provider-secrets", "--namespace", NAMESPACE];
        let hooks = release.cluster.helm_output(&hooks, None).await;
        let hooks = succeeded(hooks.expect("helm runs"));
        let doctor = find(&documents(&hooks), "Pod", "").clone();
        assert_eq!(doctor["spec"]["serviceAccountName"], ACCOUNT);

        let cluster = release.cluster;
        let token = cluster.service_account(NAMESPACE, ACCOUNT, "").await;
        let kubeconfig = token.expect("the ServiceAccount of the release has a token");
        let start = async |name: &str| {
            let log = cluster.directory().join(format!("{name}.log"));
            let operator = Operator::start(process(&pod["containers"][0], name, &kubeconfig), &log);
            let operator = operator.await;
            operator.wait_until_ready().await;
            operator
        };
        let (first, second) = (start("pod-0").await, start("pod-1").await);
        let log = cluster.directory().join("doctor.log");
        let env = TestEnv::installed(cluster, kubeconfig.clone(), served, second);
        let mut cases = Vec::new();
        for target in Target::ALL {
            cases.push(TestCase::with_synced_target(&env, target).await);
        }
        say(&format!(
            "memory of the leader and the standby: {} and {} KiB",
            resident(&first),
            resident(&env.operator)
        ));

        // `helm test`, without a kubelet.
        let program = process(&doctor["spec"]["containers"][0], "doctor", &kubeconfig);
        let doctor = cluster::process::Guarded::spawn(program, &log).expect("it starts");
        let ended = doctor.wait().await.expect("it ends");
        let said = doctor.log();
        assert!(ended.success(), "{said}");
        for line in [
            "✔ Kubernetes v1.",
            "✔ Rights of this user in all namespaces",
            "✔ Endpoint baseten/default (127.0.0.1): reached",
            "✔ Objects: 5 of 5 Ready",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }

        assert_eq!(leader(&env).await, "pod-0");
        assert!(first.terminate().await.success());
        assert_eq!(traces(&first.log()), Vec::<String>::new());
        until("the other pod leads", async || {
            let leader = leader(&env).await;
            (leader == "pod-1").then_some(()).ok_or(leader)
        })
        .await;
        for case in cases {
            case.rotate("target", "two").await;
            case.finish().await;
        }
    });
}
