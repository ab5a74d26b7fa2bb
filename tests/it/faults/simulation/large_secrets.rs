//! Secrets that hold much more than an object names of them.

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
