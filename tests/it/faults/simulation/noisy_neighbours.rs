//! A tenant with very many objects or changes, and another tenant, whom it does not slow down.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use provider_secrets::leadership::Leadership;
use serde_json::json;
use simulator::{Account, Simulator};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    server,
    store::{Resource, Store},
    tenant_isolation::credential,
    world::{NEVER, operate, simulate},
};
use crate::{
    faults::call_log::CallLog,
    harness::{Target, transport},
};

/// Rotations that are timed.
const SAMPLES: usize = 50;

/// Two tenants with an account each, and the operator.
struct Neighbours {
    store: Arc<Store>,
    noisy: Account,
    quiet: Account,
    call_log: CallLog,
    process: JoinHandle<()>,
}

impl Neighbours {
    /// The provider is slow for the noisy one, so that what it does lasts.
    fn new(slow: Duration) -> Self {
        let simulator = Simulator::new();
        let store = Arc::new(Store::new());
        let account = |tenant: &str, latency| {
            let key = format!("key-of-{tenant}");
            let account = Target::BasetenWorkspace.account(&simulator, tenant, &key);
            account.set_latency(latency);
            store.create_namespace(tenant);
            credential(&store, tenant, &key);
            account
        };
        let noisy = account("noisy", slow);
        let quiet = account("quiet", Duration::from_millis(20));
        let call_log = CallLog::new();
        let client = server::client(&store, &call_log, call_log.start_incarnation());
        let process = operate(
            client,
            transport(&simulator),
            NEVER,
            Leadership::unopposed(),
        );
        let neighbours = Self {
            store,
            noisy,
            quiet,
            call_log,
            process,
        };
        for tenant in ["noisy", "quiet"] {
            neighbours.rotate(tenant, "0");
            neighbours.object(tenant, 0);
        }
        neighbours
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
        self.store.apply_secret(tenant, "source", &data);
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
            // One object is written for its sources once a second.
            sleep(Duration::from_millis(1200)).await;
        }
        times.sort();
        times
    }

    async fn end(self) {
        self.call_log.end_incarnations();
        self.process.abort();
        let _ = self.process.await;
    }
}

/// Cases: H-13
#[test]
fn thousands_of_objects_of_one_tenant_do_not_slow_another() {
    const OBJECTS: usize = 4000;
    simulate(async {
        let neighbours = Neighbours::new(Duration::from_millis(200));
        sleep(Duration::from_mins(1)).await;
        let alone = neighbours.time("alone").await;
        for number in 1..OBJECTS {
            neighbours.object("noisy", number);
        }
        let beside = neighbours.time("beside").await;
        let done = neighbours.noisy.values(None).len();
        assert!(
            done < OBJECTS,
            "the noisy objects were not all synced before"
        );
        let worst = |times: &[Duration]| *times.last().expect("a time");
        assert!(worst(&beside) <= 2 * worst(&alone), "{alone:?} {beside:?}");
        sleep(Duration::from_mins(5)).await;
        assert_eq!(neighbours.noisy.values(None).len(), OBJECTS);
        neighbours.end().await;
    });
}

/// Cases: H-14
#[test]
fn a_secret_that_changes_100_times_a_second_is_written_at_the_speed_of_answers() {
    /// How long a write takes, at least.
    const LATENCY: Duration = Duration::from_millis(200);
    simulate(async {
        let neighbours = Neighbours::new(LATENCY);
        sleep(Duration::from_mins(1)).await;
        let alone = neighbours.time("alone").await;
        let (before, began) = (neighbours.noisy.writes().len(), Instant::now());
        let beside = {
            let storm = async {
                for number in 0_u32.. {
                    neighbours.rotate("noisy", &number.to_string());
                    sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                () = storm => Vec::new(),
                times = neighbours.time("beside") => times,
            }
        };
        // One after the other, and not one for each change.
        let writes = neighbours.noisy.writes().len() - before;
        let most = began.elapsed().as_millis() / LATENCY.as_millis() + 1;
        assert!(writes > 10 && writes as u128 <= most, "{writes} {most}");
        let worst = |times: &[Duration]| *times.last().expect("a time");
        assert!(worst(&beside) <= 2 * worst(&alone), "{alone:?} {beside:?}");
        neighbours.rotate("noisy", "last");
        sleep(Duration::from_secs(10)).await;
        assert_eq!(neighbours.noisy.values(None)["KEY_0"], "value-last");
        neighbours.end().await;
    });
}
