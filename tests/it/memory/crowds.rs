//! A tenant who does too much of something, and another who does not notice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::json;
use simulator::{Account, Simulator};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    server,
    store::{Resource, Store},
    tenants::{credential, secret, transport},
    world::{operate, simulate},
};
use crate::{ledger::Ledger, support::Target};

/// Rotations that are timed.
const SAMPLES: usize = 50;

/// Two tenants with an account each, and the operator.
struct Stage {
    store: Arc<Store>,
    noisy: Account,
    quiet: Account,
    ledger: Ledger,
    process: JoinHandle<()>,
}

impl Stage {
    /// The provider is slow for the noisy one, so that what it does lasts.
    fn new(slow: Duration) -> Self {
        let simulator = Simulator::new();
        let store = Arc::new(Store::new());
        let account = |tenant: &str, latency| {
            let key = format!("key-of-{tenant}");
            let account = Target::BasetenWorkspace.account(&simulator, tenant, &key);
            account.set_latency(latency);
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {}});
            let id = (Resource::Namespaces, String::new(), tenant.to_owned());
            store.create(&id, namespace).expect("a namespace");
            credential(&store, tenant, &key);
            account
        };
        let noisy = account("noisy", slow);
        let quiet = account("quiet", Duration::from_millis(20));
        let ledger = Ledger::new();
        let client = server::client(&store, &ledger, ledger.birth());
        let process = operate(client, transport(&simulator));
        let stage = Self {
            store,
            noisy,
            quiet,
            ledger,
            process,
        };
        for tenant in ["noisy", "quiet"] {
            stage.rotate(tenant, "0");
            stage.object(tenant, 0);
        }
        stage
    }

    /// An object of a tenant with an entry of its own.
    fn object(&self, tenant: &str, number: usize) {
        let reference = json!({"name": "source", "key": "key"});
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {},
            "spec": {
                "provider": Target::BasetenWorkspace.provider_spec(tenant),
                "data": [{"name": format!("KEY_{number}"), "secretKeyRef": reference}],
            },
        });
        let name = format!("object-{number}");
        let id = (Resource::ProviderSecrets, tenant.to_owned(), name);
        self.store.create(&id, object).expect("an object");
    }

    fn rotate(&self, tenant: &str, text: &str) {
        let data = BTreeMap::from([("key".to_owned(), format!("value-{text}"))]);
        secret(&self.store, tenant, "source", &data);
    }

    /// How long rotations of the quiet one take, the longest last.
    async fn time(&self, round: &str) -> Vec<Duration> {
        let mut times = Vec::new();
        for sample in 0..SAMPLES {
            let text = format!("{round}-{sample}");
            self.rotate("quiet", &text);
            let began = Instant::now();
            while self.quiet.values(None).get("KEY_0") != Some(&format!("value-{text}")) {
                assert!(began.elapsed() < Duration::from_mins(5), "{text}");
                sleep(Duration::from_millis(1)).await;
            }
            times.push(began.elapsed());
            sleep(Duration::from_millis(200)).await;
        }
        times.sort();
        times
    }

    async fn end(self) {
        self.ledger.death();
        self.process.abort();
        let _ = self.process.await;
    }
}

/// Cases: H-13
#[test]
fn a_thousand_objects_of_one_tenant_do_not_slow_another() {
    const OBJECTS: usize = 1000;
    simulate(async {
        let stage = Stage::new(Duration::from_millis(200));
        sleep(Duration::from_mins(1)).await;
        let alone = stage.time("alone").await;
        for number in 1..OBJECTS {
            stage.object("noisy", number);
        }
        let beside = stage.time("beside").await;
        let done = stage.noisy.values(None).len();
        assert!(done < OBJECTS, "the crowd was there all the time");
        let worst = |times: &[Duration]| *times.last().expect("a time");
        assert!(worst(&beside) <= 2 * worst(&alone), "{alone:?} {beside:?}");
        sleep(Duration::from_mins(5)).await;
        assert_eq!(stage.noisy.values(None).len(), OBJECTS);
        stage.end().await;
    });
}

/// Cases: H-14
#[test]
fn a_secret_that_changes_100_times_a_second_is_written_at_the_speed_of_answers() {
    /// How long a write takes, at least.
    const LATENCY: Duration = Duration::from_millis(200);
    simulate(async {
        let stage = Stage::new(LATENCY);
        sleep(Duration::from_mins(1)).await;
        let alone = stage.time("alone").await;
        let (before, began) = (stage.noisy.writes().len(), Instant::now());
        let beside = {
            let storm = async {
                for number in 0_u32.. {
                    stage.rotate("noisy", &number.to_string());
                    sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                () = storm => Vec::new(),
                times = stage.time("beside") => times,
            }
        };
        // One after the other, and not one for each change.
        let writes = stage.noisy.writes().len() - before;
        let most = began.elapsed().as_millis() / LATENCY.as_millis() + 1;
        assert!(writes > 10 && writes as u128 <= most, "{writes} {most}");
        let worst = |times: &[Duration]| *times.last().expect("a time");
        assert!(worst(&beside) <= 2 * worst(&alone), "{alone:?} {beside:?}");
        stage.rotate("noisy", "last");
        sleep(Duration::from_secs(10)).await;
        assert_eq!(stage.noisy.values(None)["KEY_0"], "value-last");
        stage.end().await;
    });
}
