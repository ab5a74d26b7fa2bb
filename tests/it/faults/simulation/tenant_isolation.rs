//! Two tenants of one provider whose calls alternate: each goes out with its own key.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use provider_secrets::leadership::Leadership;
use serde_json::{Value, json};
use simulator::{Account, Simulator};
use tokio::time::sleep;

use super::{
    server,
    store::{Resource, Store},
    world::{NEVER, operate, simulate},
};
use crate::{
    faults::call_log::CallLog,
    harness::{Target, transport},
};

const TENANTS: [&str; 2] = ["tenant-one", "tenant-two"];
const OBJECTS: usize = 2;
/// Entries of an object.
const ENTRIES: usize = 50;
/// Each changes every value.
const ROTATIONS: usize = 30;

/// What a tenant has: names of entries are the same for both, values are its own.
fn settle(store: &Store, tenant: &str, key: &str) {
    store.create_namespace(tenant);
    credential(store, tenant, key);
    rotate(store, tenant, 0);
    for object in 0..OBJECTS {
        let entry = |number| json!({"name": format!("KEY_{object}_{number}"), "secretKeyRef": {"name": "source", "key": format!("{number}")}});
        let data: Vec<Value> = (0..ENTRIES).map(entry).collect();
        let provider = Target::BasetenWorkspace.provider_spec(tenant);
        let made = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {},
            "spec": {"provider": provider, "data": data},
        });
        let name = format!("object-{object}");
        let id = (Resource::ProviderSecrets, tenant.to_owned(), name);
        store.create(&id, made).expect("an object");
    }
}

pub(super) fn credential(store: &Store, tenant: &str, key: &str) {
    let data = BTreeMap::from([("api-key".to_owned(), key.to_owned())]);
    store.apply_secret(tenant, "credential", &data);
}

fn rotate(store: &Store, tenant: &str, rotation: usize) {
    let value = |number| format!("value-of-{tenant}-{rotation}-{number}");
    let data = (0..ENTRIES).map(|number| (number.to_string(), value(number)));
    store.apply_secret(tenant, "source", &data.collect());
}

/// That every request of an account is its tenant's; how many there are, and when each key was used.
fn check(account: &Account, other: &str) -> (usize, BTreeMap<usize, Vec<u64>>) {
    let mut keys = BTreeMap::<usize, Vec<u64>>::new();
    let requests = account.requests();
    for request in &requests {
        let body = request.body.as_deref().map(Value::to_string);
        let body = body.unwrap_or_default();
        let is_own = body.is_empty() || body.contains(&format!("value-of-{}-", account.name()));
        assert!(
            is_own && !body.contains(other),
            "{}: {body}",
            account.name()
        );
        assert_eq!(request.status(), Some(200), "{}", request.line());
        let key = request.key.expect("a key that is known");
        keys.entry(key).or_default().push(request.sequence);
    }
    (requests.len(), keys)
}

/// Cases: H-10
#[test]
fn each_of_thousands_of_calls_has_the_key_of_its_tenant_and_never_an_old_one() {
    simulate(async {
        let simulator = Simulator::new();
        let store = Arc::new(Store::new());
        let call_log = CallLog::new();
        let accounts = TENANTS.map(|tenant| {
            let key = format!("first-key-of-{tenant}");
            let account = Target::BasetenWorkspace.account(&simulator, tenant, &key);
            account.set_latency(Duration::from_millis(20));
            settle(&store, tenant, &key);
            account
        });
        let client = server::client(&store, &call_log, call_log.start_incarnation());
        let process = operate(
            client,
            transport(&simulator),
            NEVER,
            Leadership::unopposed(),
        );
        let mut changed = [0; 2];
        for rotation in 1..=ROTATIONS {
            // The one in the middle of its reconciles, the other between them.
            let pauses = [Duration::from_millis(100), Duration::from_secs(30)];
            for (index, tenant) in TENANTS.into_iter().enumerate() {
                if rotation == ROTATIONS / 2 {
                    sleep(pauses[index]).await;
                    let key = format!("second-key-of-{tenant}");
                    accounts[index].add_key(&*key).expect("a second key");
                    credential(&store, tenant, &key);
                    // Calls in flight may end, and the watch shows the change.
                    sleep(Duration::from_secs(5)).await;
                    changed[index] = simulator.requests().last().map_or(0, |last| last.sequence);
                }
                rotate(&store, tenant, rotation);
            }
            sleep(Duration::from_secs(30)).await;
        }
        let mut total = 0;
        for (index, account) in accounts.iter().enumerate() {
            let (count, keys) = check(account, TENANTS[1 - index]);
            total += count;
            // Both were used, and the old one never after the new one was there.
            let (old, new) = (&keys[&0], &keys[&1]);
            assert!(old.len() > 1000 && new.len() > 1000, "{}", account.name());
            assert!(old.iter().all(|sequence| *sequence <= changed[index]));
            let values = account.values(None);
            assert_eq!(values.len(), OBJECTS * ENTRIES);
            let last = format!("value-of-{}-{ROTATIONS}-", account.name());
            assert!(values.values().all(|value| value.starts_with(&last)));
        }
        assert!(total >= 6_000, "{total} calls");
        // Every request had a known key.
        let unknown = simulator.requests().into_iter();
        assert_eq!(
            unknown.filter(|request| request.account.is_none()).count(),
            0
        );
        call_log.end_incarnations();
        process.abort();
    });
}
