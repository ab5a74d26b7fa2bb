//! Suspended objects write nothing and say whether everything was written before.

use serde_json::{Value, json};

use super::{lines, one_entry};
use crate::harness::{Target, TestCase, at_each_api, run};

/// Suspends or resumes the object `lifecycle`.
async fn suspend(case: &TestCase<'_>, suspend: impl Into<Value>) {
    let patch = json!({"spec": {"suspend": suspend.into()}});
    case.patch("lifecycle", patch)
        .await
        .expect("suspend is changed");
}

#[test]
fn what_was_synced_stays_ready_while_suspended() {
    run(at_each_api(async |case| {
        one_entry(&case).await;
        let before = case.account.requests().len();
        suspend(&case, true).await;
        let object = case.wait_reason("lifecycle", "Suspended").await;
        assert_eq!(object.metadata.generation, Some(2));
        assert_eq!(
            case.columns("lifecycle").await[1..4],
            ["True", "Suspended", "1/1"]
        );
        assert_eq!(case.account.requests().len(), before);
        suspend(&case, Value::Null).await;
        let object = case.wait_reason("lifecycle", "Synced").await;
        assert_eq!(object.metadata.generation, Some(3));
        assert_eq!(
            case.columns("lifecycle").await[1..4],
            ["True", "Synced", "1/1"]
        );
        // It may have been suspended before the set was ready, so that is asked.
        let asked: &[&str] = match case.target {
            Target::Pipecat => &["GET /v1/secrets/agents"],
            _ => &[],
        };
        assert_eq!(lines(&case, before), asked);
        case.finish().await;
    }));
}

#[test]
fn a_rotation_waits_for_the_end_of_the_suspension() {
    run(at_each_api(async |case| {
        let one = one_entry(&case).await;
        suspend(&case, true).await;
        case.wait_reason("lifecycle", "Suspended").await;
        let before = case.account.requests().len();
        let rotated = case.value("rotated");
        case.secret("source", &[("a", &rotated)]).await;
        let is_behind = |columns: &[String]| columns[1..3] == ["Suspended", "0/1"];
        crate::harness::until("status says that it is behind", async || {
            let columns = case.columns("lifecycle").await;
            if is_behind(&columns) {
                Ok(())
            } else {
                Err(columns.join(" "))
            }
        })
        .await;
        assert_eq!(case.account.requests().len(), before);
        case.wait_held(&[("A_KEY", &one)]).await;
        let writes = case.writes().len();
        suspend(&case, false).await;
        case.wait_held(&[("A_KEY", &rotated)]).await;
        case.wait_reason("lifecycle", "Synced").await;
        assert_eq!(case.writes().len(), writes + 1);
        case.finish().await;
    }));
}

#[test]
fn an_entry_added_while_suspended_waits_too() {
    run(at_each_api(async |case| {
        let one = one_entry(&case).await;
        suspend(&case, true).await;
        case.wait_reason("lifecycle", "Suspended").await;
        let before = case.account.requests().len();
        let (data, added) = (
            |name: &str, key: &str| json!({"name": name, "secretKeyRef": {"name": "source", "key": key}}),
            case.value("two"),
        );
        let patch = json!({"spec": {"data": [data("A_KEY", "a"), data("B_KEY", "b")]}});
        case.patch("lifecycle", patch)
            .await
            .expect("an entry is added");
        case.wait_reason("lifecycle", "Suspended").await;
        assert_eq!(case.columns("lifecycle").await[1..3], ["Suspended", "1/2"]);
        assert_eq!(case.account.requests().len(), before);
        suspend(&case, false).await;
        case.wait_held(&[("A_KEY", &one), ("B_KEY", &added)]).await;
        case.wait_reason("lifecycle", "Synced").await;
        case.finish().await;
    }));
}

/// Cases: R-16
#[test]
fn an_object_that_begins_suspended_asks_the_provider_nothing() {
    run(at_each_api(async |case| {
        let one = case.value("one");
        case.secret("source", &[("a", &one)]).await;
        let data = json!([{"name": "A_KEY", "secretKeyRef": {"name": "source", "key": "a"}}]);
        let spec = json!({"provider": case.provider(), "data": data, "suspend": true});
        case.apply("lifecycle", spec)
            .await
            .expect("an object is applied");
        case.wait_reason("lifecycle", "Suspended").await;
        let columns = case.columns("lifecycle").await;
        let provider = case.target.provider();
        // READY is empty, because it was not synced, and LAST-SYNC, because nothing was ever written.
        assert_eq!(columns, [provider, "Suspended", "0/1"]);
        assert_eq!(case.account.requests().len(), 0);
        suspend(&case, false).await;
        case.wait_held(&[("A_KEY", &one)]).await;
        case.wait_ready("lifecycle").await;
        case.finish().await;
    }));
}
