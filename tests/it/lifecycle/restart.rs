//! A restarted operator believes what status says: it writes nothing and reads no source Secret
//! until something moves.

use cluster::AuditEvent;
use jiff::Timestamp;
use serde_json::json;
use simulator::{Account, Exchange};

use super::one_entry;
use crate::support::{Operator, Scene, Stage, Target, calls, run, until};

/// Passes over objects so far that ended in nothing to do, and all passes.
async fn passes(operator: &Operator) -> (u64, u64) {
    let (_, metrics) = operator.get("/metrics").await;
    let (mut unchanged, mut all) = (0, 0);
    for line in metrics.lines() {
        let Some(line) = line.strip_prefix("provider_secrets_reconcile_total{result=\"") else {
            continue;
        };
        let (result, count) = line.split_once("\"} ").expect("a series has a value");
        let count: u64 = count.parse().expect("a counter is a number");
        all += count;
        if result == "unchanged" {
            unchanged += count;
        }
    }
    (unchanged, all)
}

/// A scene whose stage may change meanwhile.
struct Parked {
    target: Target,
    parts: (String, Account, String),
    requests: usize,
}

impl Parked {
    fn new(scene: &Scene<'_>) -> Self {
        Self {
            target: scene.target,
            parts: scene.parts(),
            requests: scene.account.requests().len(),
        }
    }

    fn resume<'a>(&self, stage: &'a Stage) -> Scene<'a> {
        Scene::again(stage, self.target, &self.parts)
    }

    fn new_requests(&self) -> Vec<String> {
        let requests = self.parts.1.requests();
        requests[self.requests..]
            .iter()
            .map(Exchange::line)
            .collect()
    }
}

fn is_write(event: &AuditEvent) -> bool {
    !matches!(event.verb.as_str(), "get" | "list" | "watch")
}

fn is_source_read(event: &AuditEvent) -> bool {
    event.resource == "secrets" && event.verb == "get" && event.name == "source"
}

/// Cases: L-10
#[test]
fn a_restart_writes_nothing_reads_no_source_and_misses_no_rotation() {
    run(async {
        let mut stage = Stage::fresh(&[]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            one_entry(&scene).await;
            parked.push(Parked::new(&scene));
        }
        assert!(stage.operator.terminate().await.success());
        let restarted = Timestamp::now();
        stage.restart(&[]).await;
        // Each object is looked at once after a start.
        until("every object was looked at", async || {
            let (unchanged, all) = passes(&stage.operator).await;
            assert_eq!(unchanged, all, "a pass found something to do");
            if all >= 5 {
                Ok(())
            } else {
                Err(format!("{all} passes"))
            }
        })
        .await;
        for parked in &parked {
            assert_eq!(
                parked.new_requests(),
                Vec::<String>::new(),
                "{:?}",
                parked.target
            );
        }
        for parked in &parked {
            let calls = calls(&stage, &parked.parts.0).await;
            let since = calls
                .iter()
                .filter(|call| call.request_received >= restarted);
            let moved: Vec<_> = since
                .filter(|call| is_write(call) || is_source_read(call))
                .collect();
            assert!(moved.is_empty(), "{:?}: {moved:#?}", parked.target);
        }
        for parked in parked {
            let scene = parked.resume(&stage);
            let rotated = scene.value("rotated");
            scene.secret("source", &[("a", &rotated)]).await;
            scene.wait_held(&[("A_KEY", &rotated)]).await;
            scene.wait_ready("life").await;
            let calls = calls(&stage, &scene.namespace).await;
            let since = calls
                .iter()
                .filter(|call| call.request_received >= restarted);
            let reads = since.filter(|call| is_source_read(call)).count();
            assert_eq!(reads, 1, "a rotated source is read once");
            scene.finish().await;
        }
    });
}

#[test]
fn what_changed_while_the_operator_was_away_is_sent_when_it_is_back() {
    run(async {
        let mut stage = Stage::fresh(&[]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            one_entry(&scene).await;
            parked.push(Parked::new(&scene));
        }
        assert!(stage.operator.terminate().await.success());
        for parked in &parked {
            let scene = parked.resume(&stage);
            scene.secret("source", &[("a", &scene.value("away"))]).await;
        }
        stage.restart(&[]).await;
        for parked in parked {
            let before = parked.requests;
            let scene = parked.resume(&stage);
            scene.wait_held(&[("A_KEY", &scene.value("away"))]).await;
            scene.wait_ready("life").await;
            let requests = scene.account.requests();
            let writes = requests[before..]
                .iter()
                .filter(|request| request.is_write())
                .count();
            assert_eq!(writes, 1, "{:?}", scene.target);
            scene.finish().await;
        }
    });
}

/// Cases: L-16
#[test]
fn what_has_lost_its_status_is_taken_again_and_nothing_is_made_twice() {
    run(async {
        let mut stage = Stage::fresh(&[]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            one_entry(&scene).await;
            let held = scene.account.held(scene.scope().as_deref());
            parked.push((Parked::new(&scene), held["A_KEY"].id.clone()));
        }
        assert!(stage.operator.terminate().await.success());
        for (parked, _) in &parked {
            // As a backup that is restored without the subresource.
            let scene = parked.resume(&stage);
            let nothing = json!([{"op": "remove", "path": "/status"}]);
            let arguments = [
                "patch",
                "psec",
                "life",
                "--subresource=status",
                "--type=json",
            ];
            let patch = format!("--patch={nothing}");
            scene.kubectl(&[&arguments[..], &[&patch]].concat()).await;
            let status = scene.get("life").await.status.unwrap_or_default();
            assert!(status.entries.is_empty() && status.conditions.is_empty());
        }
        stage.restart(&[]).await;
        for (parked, id) in parked {
            let scene = parked.resume(&stage);
            let one = scene.value("one");
            scene.wait_ready("life").await;
            scene.assert_held(&[("A_KEY", &one)]);
            let held = scene.account.held(scene.scope().as_deref());
            assert_eq!(held["A_KEY"].id, id, "{:?}", scene.target);
            let writes = scene.account.requests().split_off(parked.requests);
            let writes = writes.iter().filter(|request| request.is_write()).count();
            assert_eq!(writes, 1, "{:?}", scene.target);
            scene.finish().await;
        }
    });
}
