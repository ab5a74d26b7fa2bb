//! D-06: a namespace goes, and in it the object, its source and its credential in any order.

use std::time::Instant;

use cluster::Cluster;
use futures::{StreamExt as _, future::join_all, stream};
use simulator::Fault;

use crate::harness::{Target, TestCase, TestEnv, delete_policy, run, until};

/// How many namespaces go.
const RUNS: usize = 100;
/// How many at once.
const AT_ONCE: usize = 50;
/// The seed of the orders. A failure names the order; another seed is another hundred.
const SEED: u64 = 0x5eed_0006;

/// What becomes of the provider meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Up,
    Down,
    Refusing,
}

/// One run: the order in which things go, and the weather.
#[derive(Clone, Debug)]
struct Plan {
    number: usize,
    order: [&'static str; 3],
    weather: Weather,
}

fn plans() -> Vec<Plan> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let plans = (0..RUNS).map(|number| {
        let mut order = ["object", "source", "credential"];
        random.shuffle(&mut order);
        let weather = match random.usize(0..10) {
            0 => Weather::Down,
            1 => Weather::Refusing,
            _ => Weather::Up,
        };
        Plan {
            number,
            order,
            weather,
        }
    });
    plans.collect()
}

/// Plays one run, until the object is gone.
async fn play<'a>(env: &'a TestEnv, plan: &Plan) -> TestCase<'a> {
    let case = TestCase::new(env, Target::ALL[plan.number % Target::ALL.len()]).await;
    case.synced("gone", &delete_policy()).await;
    match plan.weather {
        Weather::Up => {}
        Weather::Down => case.account.add_fault(Fault::status(503).forever()),
        Weather::Refusing => case
            .account
            .add_fault(Fault::status(409).method("DELETE").forever()),
    }
    case.delete_namespace().await;
    for what in plan.order {
        match what {
            "object" => case.delete("gone").await,
            secret => case.delete_secret(secret).await,
        }
    }
    case.wait_gone("gone").await;
    let held = case.held();
    let is_left = match plan.weather {
        // The operator had the key, so it can do without the Secret.
        Weather::Up => false,
        Weather::Down | Weather::Refusing => true,
    };
    assert_eq!(
        !held.is_empty(),
        is_left,
        "{plan:?} {:?}: {held:?} {:?}",
        case.target,
        case.account
            .writes()
            .iter()
            .map(|write| (write.line(), write.outcome))
            .collect::<Vec<_>>()
    );
    case
}

/// Cases: D-06
#[test]
fn a_hundred_namespaces_go_in_random_orders() {
    println!("seed {SEED:#x}");
    run(async {
        let env = &TestEnv::fresh_verifying().await;
        let plans = plans();
        let running = stream::iter(&plans)
            .map(async |plan| (plan, play(env, plan).await))
            .buffer_unordered(AT_ONCE);
        let played: Vec<_> = running.collect().await;
        for (plan, case) in played {
            // Events cannot be made in a namespace that ends, so the log is what tells.
            let left: &[&str] = if plan.weather == Weather::Up {
                &[]
            } else {
                &["A_KEY"]
            };
            if plan.number < 5 {
                case.finish_leaving(left).await;
            } else {
                case.account.clear_faults();
            }
        }
        let log = env.operator.log();
        let reported = log.lines().filter(|line| line.contains("DeletionSkipped"));
        let down = plans.iter().filter(|plan| plan.weather != Weather::Up);
        assert!(reported.count() >= down.count(), "what is left is reported");
    });
}

/// Cases: D-06
#[test]
fn the_namespace_controller_ends_a_namespace_whatever_goes_first() {
    run(async {
        let builder = Cluster::builder().controllers(&["namespace-controller"]);
        let cluster = builder.start().await.expect("the cluster starts");
        // With the usual timeout: that the key is gone and the namespace with it is enough.
        let env = TestEnv::on(cluster, &[]).await;
        let env = &env;
        let test_cases = join_all((0..10).map(async |number| {
            let case = TestCase::new(env, Target::ALL[number % Target::ALL.len()]).await;
            case.synced("gone", &delete_policy()).await;
            case
        }))
        .await;
        join_all(test_cases.iter().enumerate().map(async |(number, case)| {
            let is_down = number >= 5;
            if is_down {
                case.account.revoke_key(&case.key).expect("it is revoked");
            }
            let began = Instant::now();
            case.delete_namespace().await;
            let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
                kube::Api::all(env.client.clone());
            until("the namespace is gone", async || {
                match namespaces.get_opt(&case.namespace).await {
                    Ok(None) => Ok(()),
                    Ok(Some(namespace)) => Err(format!("{:?}", namespace.status)),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await;
            println!(
                "{:?}, provider refusing: {is_down}: {:?}",
                case.target,
                began.elapsed()
            );
            assert_eq!(case.held().is_empty(), !is_down, "{:?}", case.target);
        }))
        .await;
    });
}
