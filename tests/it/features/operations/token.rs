//! A token of the operator's ServiceAccount that is replaced, as kubelet does every hour.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kube::config::Kubeconfig;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::harness::{ACCOUNT, NAMESPACE, Operator, Target, TestCase, TestEnv, run, traces};

/// The library reads the file again when what it read is 50 seconds old.
const BOUND: Duration = Duration::from_mins(2);
/// How long a value may take that is acted on at once.
const SOON: Duration = Duration::from_secs(10);

/// A token of the operator that is worth something as long as this Secret is there.
async fn token(env: &TestEnv, bound: &str) -> String {
    let namespace = format!("--namespace={NAMESPACE}");
    let secret = ["create", "secret", "generic", bound, &namespace];
    env.kubectl(&secret, None).await;
    let (kind, name) = (
        "--bound-object-kind=Secret",
        format!("--bound-object-name={bound}"),
    );
    let create = ["create", "token", ACCOUNT, &namespace, kind, &name];
    env.kubectl(&create, None).await.trim().to_owned()
}

/// A kubeconfig of the operator with the token in this file.
fn kubeconfig(env: &TestEnv, token: &Path) -> PathBuf {
    let mut kubeconfig = Kubeconfig::read_from(env.kubeconfig()).expect("a kubeconfig");
    for named in &mut kubeconfig.auth_infos {
        let user = named.auth_info.as_mut().expect("a user");
        user.token = None;
        user.token_file = Some(token.display().to_string());
    }
    let path = token.with_extension("kubeconfig");
    let text = serde_json::to_string(&kubeconfig).expect("JSON");
    std::fs::write(&path, text).expect("it is written");
    path
}

/// Cases: A-12
#[test]
fn a_token_that_is_replaced_is_read_again() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        assert!(env.operator.terminate().await.success());
        let file = env.cluster.directory().join("operator-token");
        let first = token(&env, "first").await;
        std::fs::write(&file, &first).expect("it is written");
        let log = file.with_extension("log");
        let kubeconfig = kubeconfig(&env, &file);
        let operator = Operator::launch(&kubeconfig, |of| env.served.url(of), log, &[]).await;
        operator.wait_until_ready().await;
        let case = TestCase::new(&env, Target::BasetenTeam).await;
        case.synced("object", &json!({})).await;

        std::fs::write(&file, token(&env, "second").await).expect("it is written");
        let namespace = format!("--namespace={NAMESPACE}");
        let delete = ["delete", "secret", "first", &namespace];
        env.kubectl(&delete, None).await;
        let old = format!("--token={first}");
        let whoami = ["auth", "whoami", &old];
        env.wait_refused("the first token is worth nothing", &whoami)
            .await;
        // What fails waits longer each time, and news is acted on at once.
        let arrives = async {
            for number in 0.. {
                let value = case.value(&number.to_string());
                case.secret("source", &[("a", &value)]).await;
                let is_sent = async {
                    while case.held()["A_KEY"] != value {
                        sleep(Duration::from_millis(100)).await;
                    }
                };
                if timeout(SOON, is_sent).await.is_ok() {
                    return;
                }
            }
        };
        let in_time = timeout(BOUND, arrives).await;
        in_time.expect("it arrives with the second token");
        case.wait_ready("object").await;
        assert_eq!(traces(&operator.log()), Vec::<String>::new());
        for token in [&first, &std::fs::read_to_string(&file).expect("a token")] {
            let signature = token.rsplit('.').next().expect("a signature");
            assert!(!operator.log().contains(signature), "a token is in the log");
        }
        case.finish().await;
    });
}
