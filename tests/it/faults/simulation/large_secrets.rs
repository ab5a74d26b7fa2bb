//! Secrets that hold much more than an object names of them.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::json;

use super::world::{World, simulate, value};
use crate::harness::Target;

/// How an object names one small key of each Secret.
#[derive(Clone, Copy, Debug)]
enum Names {
    Key,
    Template,
}

/// Together the Secrets are larger than an object may name.
/// Cases: R-06
#[rstest]
#[case(300, 120 * 1024, Names::Key)]
#[case(40, 1_000_000, Names::Key)]
#[case(40, 1_000_000, Names::Template)]
fn small_keys_of_large_secrets_are_no_large_values(
    #[case] count: usize,
    #[case] size: usize,
    #[case] names: Names,
) {
    simulate(async {
        let mut world = World::new(Target::BasetenTeam);
        let large = "x".repeat(size);
        let mut entries = Vec::new();
        for number in 0..count {
            let (secret, name) = (format!("large-{number}"), format!("KEY_{number}"));
            let data = [(&*name, value("a1")), ("large", large.clone())];
            world.secret(&secret, &data.into());
            entries.push(match names {
                Names::Key => json!({
                    "name": name,
                    "secretKeyRef": {"name": secret, "key": name},
                }),
                Names::Template => json!({
                    "name": name,
                    "secretRef": {"name": secret},
                    "template": format!("{{{{ {name} }}}}"),
                }),
            });
        }
        world.up();
        world.apply("object", &json!({"data": entries}));
        world.quiet().await;
        let reason = world.ready_reason("object");
        assert_eq!(reason.as_deref(), Some("Synced"), "{}", world.message());
        let mut held = world.held();
        held.retain(|name, _| name.starts_with("KEY_"));
        assert_eq!(held.len(), count);
        assert!(held.values().all(|held| *held == value("a1")));
        world.down().await;
    });
}

/// Every key has a large value.
fn large<'k>(keys: &'k [String], text: &str) -> BTreeMap<&'k str, String> {
    let value = format!("{}{}", value(text), "x".repeat(8_000));
    let values = keys.iter().map(|key| (key.as_str(), value.clone()));
    values.collect()
}

/// Cases: R-06
#[test]
fn readers_of_different_keys_of_a_large_secret_are_one_get() {
    simulate(async {
        let mut world = World::new(Target::Braintrust);
        let keys: Vec<String> = (0..20).map(|number| format!("KEY_{number}")).collect();
        world.secret("large", &large(&keys, "a1"));
        for (number, key) in keys.iter().enumerate() {
            let entry = json!({"name": key, "secretKeyRef": {"name": "large", "key": key}});
            world.apply(&format!("reader-{number}"), &json!({"data": [entry]}));
        }
        world.up();
        world.quiet().await;
        let before = world.calls("GET Secrets large");
        world.secret("large", &large(&keys, "a2"));
        world.quiet().await;
        assert_eq!(world.calls("GET Secrets large"), before + 1);
        // An edit that changes no value too.
        world.label("large");
        world.quiet().await;
        assert_eq!(world.calls("GET Secrets large"), before + 2);
        let held = world.held();
        assert!(keys.iter().all(|key| held[key].starts_with(&value("a2"))));
        world.down().await;
    });
}
