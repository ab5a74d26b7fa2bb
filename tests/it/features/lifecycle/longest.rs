//! The longest names that Kubernetes allows, for everything that has one.

use crate::harness::{Target, TestCase, TestEnv, delete_policy, is_guarded, run, until};

/// Cases: B-15
#[test]
fn the_longest_names_overflow_nothing() {
    run(async {
        // In a shared environment the operator drops some events.
        let env = &TestEnv::fresh(&[]).await;
        for (number, target) in Target::ALL.into_iter().enumerate() {
            // A namespace is a label of 63 characters, everything else here a domain of 253.
            let case =
                TestCase::in_namespace(env, target, &format!("{number}{}", "n".repeat(62))).await;
            let label = "o".repeat(63);
            let object = [label.as_str(), &label, &label, &label[..61]].join(".");
            let (source, key) = (object.replace('o', "s"), "k".repeat(253));
            assert_eq!((object.len(), source.len()), (253, 253));
            let one = case.value("one");
            let delete = delete_policy();
            case.put(&object, &[("A_KEY", &source, &key)], &delete)
                .await;
            case.wait_reason(&object, "SecretNotFound").await;
            case.secret(&source, &[(&key, &one)]).await;
            assert!(is_guarded(&case.wait_ready(&object).await));
            case.assert_held(&[("A_KEY", &one)]);
            // The event has the whole name in its `regarding`.
            case.wait_event("Synced").await;
            case.wait_event("SecretNotFound").await;
            let events = case.kubectl(&["get", "events", "-o", "json"]).await;
            assert!(
                events.contains(&format!("\"name\": \"{object}\"")),
                "{events}"
            );
            let labels = format!("{{namespace=\"{}\",name=\"{object}\"", case.namespace);
            until("it is counted", async || {
                let metrics = env.operator.get("/metrics").await.1;
                let series = metrics
                    .lines()
                    .filter(|line| line.contains(&labels))
                    .count();
                // Ready, suspended, the last sync, and its entries that are synced.
                (series == 4)
                    .then_some(())
                    .ok_or_else(|| format!("{series} series"))
            })
            .await;
            case.delete(&object).await;
            case.wait_gone(&object).await;
            case.assert_held(&[]);
            case.finish().await;
        }
    });
}
