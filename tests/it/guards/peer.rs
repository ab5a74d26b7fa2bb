//! The eight defects of External Secrets Operator that peer-eso.md reproduces, as tests of what is
//! not so here. The letters are those of its table 3.6.

use std::time::Duration;

use serde_json::json;
use simulator::{Action, Fault};

use crate::harness::{
    Bystander, Scene, Stage, Target, at_each_api, at_each_api_on, entry, run, until,
};

fn delete() -> serde_json::Value {
    json!({"deletionPolicy": "Delete"})
}

#[test]
fn eso_a_a_delete_carries_the_api_key() {
    run(at_each_api(async |scene| {
        scene.synced("gone", &delete()).await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        let writes = scene.account.writes();
        let deletions: Vec<_> = writes
            .iter()
            .filter(|write| write.method == "DELETE")
            .collect();
        assert!(!deletions.is_empty());
        for deletion in deletions {
            // The simulator finds the account by the key of the request.
            assert_eq!(deletion.key, Some(0), "{:?}", scene.target);
            assert_eq!(deletion.status(), Some(200), "{:?}", scene.target);
        }
        scene.finish().await;
    }));
}

#[test]
fn eso_b_two_sources_of_one_object_do_not_delete_each_others_keys() {
    run(at_each_api_on_brisk(async |scene| {
        let (a, b, c) = (scene.value("a"), scene.value("b"), scene.value("c"));
        scene.secret("one", &[("A_KEY", &a)]).await;
        scene.secret("two", &[("B_KEY", &b)]).await;
        let mut spec = scene.spec(&[], &delete());
        spec["data"] = json!(null);
        spec["dataFrom"] = json!([{"secretRef": {"name": "one"}}, {"secretRef": {"name": "two"}}]);
        scene.apply("both", spec).await.expect("it is applied");
        scene.wait_ready("both").await;
        scene.secret("two", &[("B_KEY", &c)]).await;
        scene.wait_held(&[("A_KEY", &a), ("B_KEY", &c)]).await;
        scene.wait_ready("both").await;
        for _ in 0..3 {
            scene.request_sync("both").await;
        }
        scene.assert_held(&[("A_KEY", &a), ("B_KEY", &c)]);
        assert_eq!(
            scene.deletions(),
            Vec::<String>::new(),
            "{:?}",
            scene.target
        );
        scene.finish().await;
    }));
}

#[test]
fn eso_c_a_source_that_comes_back_is_synced_without_being_asked() {
    run(at_each_api(async |scene| {
        let one = scene.synced("heals", &delete()).await;
        scene.delete_secret("source").await;
        scene.wait_reason("heals", "SecretNotFound").await;
        scene.assert_held(&[("A_KEY", &one)]);
        let two = scene.value("two");
        let back = std::time::Instant::now();
        scene.secret("source", &[("a", &two)]).await;
        scene.wait_held(&[("A_KEY", &two)]).await;
        assert!(
            back.elapsed() < Duration::from_secs(5),
            "{:?}",
            back.elapsed()
        );
        scene.wait_ready("heals").await;
        scene.finish().await;
    }));
}

#[test]
fn eso_d_fifteen_passes_over_many_references_all_find_them() {
    run(at_each_api(async |scene| {
        let names: Vec<String> = (0..6).map(|number| format!("KEY_{number}")).collect();
        for name in &names {
            let secret = name.to_lowercase().replace('_', "-");
            scene.secret(&secret, &[(name, &scene.value(name))]).await;
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
        let mut spec = scene.spec(&data, &delete());
        spec["dataFrom"] = bulk.collect();
        scene.apply("many", spec).await.expect("it is applied");
        scene.wait_ready("many").await;
        let writes = scene.writes();
        for _ in 0..15 {
            let object = scene.request_sync("many").await;
            let ready = crate::harness::condition(&object, "Ready").expect("a condition");
            assert_eq!(ready.status, "True", "{:?} {ready:?}", scene.target);
        }
        assert_eq!(scene.writes(), writes, "{:?}", scene.target);
        scene.finish().await;
    }));
}

#[test]
fn eso_e_to_ask_whether_a_name_exists_is_no_push() {
    run(at_each_api(async |scene| {
        let value = scene.value("a");
        scene.secret("source", &[("a", &value)]).await;
        let more = json!({"conflictPolicy": "Fail"});
        scene
            .put("careful", &[("A_KEY", "source", "a")], &more)
            .await;
        scene.wait_ready("careful").await;
        scene.assert_held(&[("A_KEY", &value)]);
        let requests = scene.account.requests();
        let first = requests
            .iter()
            .position(simulator::Exchange::is_write)
            .expect("a write");
        assert!(first > 0, "{:?}: it was not asked", scene.target);
        assert_eq!(scene.writes().len(), 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Open files of the operator, its connections among them.
fn files(stage: &Stage) -> usize {
    let path = format!("/proc/{}/fd", stage.operator.process().id());
    std::fs::read_dir(path)
        .expect("the process is there")
        .count()
}

#[test]
fn eso_f_forty_pushes_do_not_cost_forty_connections() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let scene = Scene::new(&stage, Target::Braintrust).await;
        scene.synced("pushed", &json!({})).await;
        let before = files(&stage);
        for number in 0..40 {
            let value = scene.value(&number.to_string());
            scene.secret("source", &[("a", &value)]).await;
            scene.wait_held(&[("A_KEY", &value)]).await;
        }
        scene.wait_ready("pushed").await;
        let after = files(&stage);
        assert!(after <= before + 8, "{before} files became {after}");
        scene.finish().await;
    });
}

#[test]
fn eso_g_an_endpoint_that_hangs_holds_up_nobody_else() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scene = Scene::new(stage, Target::Braintrust).await;
        scene.account.add_fault(Fault::new(Action::Hang).forever());
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        for number in 0..20 {
            let (name, entry) = (format!("hangs-{number}"), format!("KEY_{number}"));
            scene
                .put(&name, &[(&entry, "source", "a")], &json!({}))
                .await;
        }
        until("it is asked", async || {
            let asked = !scene.account.requests().is_empty();
            asked.then_some(()).ok_or_else(|| "not yet".to_owned())
        })
        .await;
        let latency = bystander.rotate().await;
        assert!(latency < Duration::from_secs(5), "{latency:?}");
        scene.account.clear_faults();
        for number in 0..20 {
            scene.delete(&format!("hangs-{number}")).await;
        }
        scene.finish().await;
        bystander.finish().await;
    });
}

#[test]
fn eso_h_a_deleted_object_has_no_series() {
    run(at_each_api(async |scene| {
        scene.synced("measured", &delete()).await;
        let label = format!("namespace=\"{}\"", scene.namespace);
        let series = async || {
            let (_, metrics) = scene.stage.operator.get("/metrics").await;
            metrics.lines().filter(|line| line.contains(&label)).count()
        };
        until("it has series", async || {
            let count = series().await;
            (count > 0).then_some(()).ok_or_else(|| "none".to_owned())
        })
        .await;
        scene.delete("measured").await;
        scene.wait_gone("measured").await;
        until("it has none", async || {
            let count = series().await;
            (count == 0).then_some(()).ok_or_else(|| format!("{count}"))
        })
        .await;
        let (_, metrics) = scene.stage.operator.get("/metrics").await;
        assert!(metrics.contains("reconcile_duration_seconds"), "in seconds");
        scene.finish().await;
    }));
}

#[test]
fn eso_3_4_one_failing_key_stops_no_other() {
    run(at_each_api(async |scene| {
        let value = scene.value("a");
        scene.secret("source", &[("a", &value)]).await;
        let data = [("A_KEY", "source", "missing"), ("B_KEY", "source", "a")];
        scene.put("partly", &data, &json!({})).await;
        scene.wait_held(&[("B_KEY", &value)]).await;
        let object = scene
            .wait("partly", "told", |object| {
                object.status.as_ref().is_some_and(|status| {
                    status
                        .entries
                        .iter()
                        .any(|entry| entry.name == "B_KEY" && entry.digest.is_some())
                })
            })
            .await;
        assert!(entry(&object, "A_KEY").digest.is_none());
        scene.finish().await;
    }));
}

async fn at_each_api_on_brisk(play: impl AsyncFn(Scene<'static>)) {
    at_each_api_on(Stage::brisk().await, play).await;
}
