//! Defects that were reproduced in External Secrets Operator, as tests that this operator does not have them.

use serde_json::json;
use simulator::{Action, Fault};

use crate::harness::{
    Bystander, SOON, Target, TestCase, TestEnv, at_each_api, at_each_api_verifying, delete_policy,
    entry, run, soon, until,
};

#[test]
fn a_delete_carries_the_api_key() {
    run(at_each_api(async |case| {
        case.synced("gone", &delete_policy()).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        let writes = case.account.writes();
        let deletions: Vec<_> = writes
            .iter()
            .filter(|write| write.method == "DELETE")
            .collect();
        assert!(!deletions.is_empty());
        for deletion in deletions {
            // The simulator finds the account by the key of the request.
            assert_eq!(deletion.key, Some(0), "{:?}", case.target);
            assert_eq!(deletion.status(), Some(200), "{:?}", case.target);
        }
        case.finish().await;
    }));
}

#[test]
fn two_sources_of_one_object_do_not_delete_each_others_keys() {
    run(at_each_api_verifying(async |case| {
        let (a, b, c) = (case.value("a"), case.value("b"), case.value("c"));
        case.secret("one", &[("A_KEY", &a)]).await;
        case.secret("two", &[("B_KEY", &b)]).await;
        let mut spec = case.spec(&[], &delete_policy());
        spec["data"] = json!(null);
        spec["dataFrom"] = json!([{"secretRef": {"name": "one"}}, {"secretRef": {"name": "two"}}]);
        case.apply("both", spec).await.expect("it is applied");
        case.wait_ready("both").await;
        case.secret("two", &[("B_KEY", &c)]).await;
        case.wait_held(&[("A_KEY", &a), ("B_KEY", &c)]).await;
        case.wait_ready("both").await;
        for _ in 0..3 {
            case.request_sync("both").await;
        }
        case.assert_held(&[("A_KEY", &a), ("B_KEY", &c)]);
        assert_eq!(case.deletions(), Vec::<String>::new(), "{:?}", case.target);
        case.finish().await;
    }));
}

#[test]
fn a_source_that_comes_back_is_synced_without_being_asked() {
    run(at_each_api(async |case| {
        let one = case.synced("heals", &delete_policy()).await;
        case.delete_secret("source").await;
        case.wait_reason("heals", "SecretNotFound").await;
        case.assert_held(&[("A_KEY", &one)]);
        let two = case.value("two");
        case.secret("source", &[("a", &two)]).await;
        soon(case.wait_held(&[("A_KEY", &two)])).await;
        case.wait_ready("heals").await;
        case.finish().await;
    }));
}

#[test]
fn fifteen_reconciles_of_many_references_all_find_them() {
    run(at_each_api(async |case| {
        let names: Vec<String> = (0..6).map(|number| format!("KEY_{number}")).collect();
        for name in &names {
            let secret = name.to_lowercase().replace('_', "-");
            case.secret(&secret, &[(name, &case.value(name))]).await;
        }
        let bulk = names[..3]
            .iter()
            .map(|name| json!({"secretRef": {"name": name.to_lowercase().replace('_', "-")}}));
        let data: Vec<(&str, String)> = names[3..]
            .iter()
            .map(|name| (&**name, name.to_lowercase().replace('_', "-")))
            .collect();
        let data: Vec<(&str, &str, &str)> = data
            .iter()
            .map(|(name, secret)| (*name, &**secret, *name))
            .collect();
        let mut spec = case.spec(&data, &delete_policy());
        spec["dataFrom"] = bulk.collect();
        case.apply("many", spec).await.expect("it is applied");
        case.wait_ready("many").await;
        let writes = case.writes();
        for _ in 0..15 {
            let object = case.request_sync("many").await;
            let ready = crate::harness::condition(&object, "Ready").expect("a condition");
            assert_eq!(ready.status, "True", "{:?} {ready:?}", case.target);
        }
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        case.finish().await;
    }));
}

#[test]
fn to_ask_whether_a_name_exists_is_no_push() {
    run(at_each_api(async |case| {
        let value = case.value("a");
        case.secret("source", &[("a", &value)]).await;
        let more = json!({"conflictPolicy": "Fail"});
        case.put("careful", &[("A_KEY", "source", "a")], &more)
            .await;
        case.wait_ready("careful").await;
        case.assert_held(&[("A_KEY", &value)]);
        let requests = case.account.requests();
        let first = requests
            .iter()
            .position(simulator::Exchange::is_write)
            .expect("a write");
        assert!(first > 0, "{:?}: it was not asked", case.target);
        assert_eq!(case.writes().len(), 1, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Open files of the operator, its connections among them.
fn files(env: &TestEnv) -> usize {
    let path = format!("/proc/{}/fd", env.operator.process().id());
    std::fs::read_dir(path)
        .expect("the process is there")
        .count()
}

#[test]
fn forty_pushes_do_not_cost_forty_connections() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let case = TestCase::new(&env, Target::Braintrust).await;
        case.synced("pushed", &json!({})).await;
        let before = files(&env);
        for number in 0..40 {
            let value = case.value(&number.to_string());
            case.secret("source", &[("a", &value)]).await;
            case.wait_held(&[("A_KEY", &value)]).await;
        }
        case.wait_ready("pushed").await;
        let after = files(&env);
        assert!(after <= before + 8, "{before} files became {after}");
        case.finish().await;
    });
}

#[test]
fn an_endpoint_that_hangs_holds_up_no_other() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.account.add_fault(Fault::new(Action::Hang).forever());
        case.source("a").await;
        for number in 0..20 {
            let (name, entry) = (format!("hangs-{number}"), format!("KEY_{number}"));
            case.put(&name, &[(&entry, "source", "a")], &json!({}))
                .await;
        }
        until("it is asked", async || {
            let asked = !case.account.requests().is_empty();
            asked.then_some(()).ok_or_else(|| "not yet".to_owned())
        })
        .await;
        let latency = bystander.rotate().await;
        assert!(latency < SOON, "{latency:?}");
        case.account.clear_faults();
        for number in 0..20 {
            case.delete(&format!("hangs-{number}")).await;
        }
        case.finish().await;
        bystander.finish().await;
    });
}

#[test]
fn a_deleted_object_has_no_series() {
    run(at_each_api(async |case| {
        case.synced("measured", &delete_policy()).await;
        let label = format!("namespace=\"{}\"", case.namespace);
        let series = async || {
            let (_, metrics) = case.env.operator.get("/metrics").await;
            metrics.lines().filter(|line| line.contains(&label)).count()
        };
        until("it has series", async || {
            let count = series().await;
            (count > 0).then_some(()).ok_or_else(|| "none".to_owned())
        })
        .await;
        case.delete("measured").await;
        case.wait_gone("measured").await;
        until("it has none", async || {
            let count = series().await;
            (count == 0).then_some(()).ok_or_else(|| format!("{count}"))
        })
        .await;
        let (_, metrics) = case.env.operator.get("/metrics").await;
        assert!(metrics.contains("reconcile_duration_seconds"), "in seconds");
        case.finish().await;
    }));
}

#[test]
fn one_failing_key_stops_no_other() {
    run(at_each_api(async |case| {
        let value = case.value("a");
        case.secret("source", &[("a", &value)]).await;
        let data = [("A_KEY", "source", "missing"), ("B_KEY", "source", "a")];
        case.put("partly", &data, &json!({})).await;
        case.wait_held(&[("B_KEY", &value)]).await;
        let object = case
            .wait("partly", "reported", |object| {
                object.status.as_ref().is_some_and(|status| {
                    status
                        .entries
                        .iter()
                        .any(|entry| entry.name == "B_KEY" && entry.digest.is_some())
                })
            })
            .await;
        assert!(entry(&object, "A_KEY").digest.is_none());
        case.finish().await;
    }));
}
