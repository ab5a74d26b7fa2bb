//! Secrets that are replaced: by one of another name, or by another one of the same name.

use kube::api::PostParams;
use serde_json::json;

use crate::harness::{TestCase, at_each_api, run};

/// Cases: C-03
#[test]
fn a_source_that_is_renamed_keeps_what_was_sent_and_is_followed() {
    run(at_each_api(async |case| {
        let one = case.synced("follows", &json!({})).await;
        let scope = case.scope();
        let id = |case: &TestCase<'_>| case.account.held(scope.as_deref())["A_KEY"].id.clone();
        let (first, writes) = (id(&case), case.writes());
        // The old one goes before the object knows the new one, with another value in it.
        case.delete_secret("source").await;
        case.wait_reason("follows", "SecretNotFound").await;
        let two = case.value("two");
        case.secret("renamed", &[("b", &two)]).await;
        case.assert_held(&[("A_KEY", &one)]);
        case.put("follows", &[("A_KEY", "renamed", "b")], &json!({}))
            .await;
        case.wait_ready("follows").await;
        case.assert_held(&[("A_KEY", &two)]);
        assert_eq!(id(&case), first, "{:?}", case.target);
        assert_eq!(case.writes().len(), writes.len() + 1, "{:?}", case.target);
        // With the same value in it there is nothing to write.
        case.delete_secret("renamed").await;
        case.wait_reason("follows", "SecretNotFound").await;
        case.secret("again", &[("c", &two)]).await;
        case.put("follows", &[("A_KEY", "again", "c")], &json!({}))
            .await;
        case.wait_ready("follows").await;
        assert_eq!(case.writes().len(), writes.len() + 1, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Makes an immutable Secret with one value; the uid it got.
async fn immutable(case: &TestCase<'_>, value: &str) -> String {
    let secret =
        json!({"metadata": {"name": "source"}, "immutable": true, "stringData": {"a": value}});
    let secret = serde_json::from_value(secret).expect("a Secret");
    let made = case.secrets().create(&PostParams::default(), &secret).await;
    made.expect("a Secret is made").metadata.uid.expect("a uid")
}

/// Cases: C-15
#[test]
fn an_immutable_secret_that_is_replaced_is_sent_once() {
    run(at_each_api(async |case| {
        let (one, two) = (case.value("one"), case.value("two"));
        let first = immutable(&case, &one).await;
        case.put("fixed", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        case.wait_ready("fixed").await;
        case.assert_held(&[("A_KEY", &one)]);
        let before = case.writes().len();
        // One after the other, as fast as they can be made: the operator may never see that there was none.
        case.delete_secret("source").await;
        assert_ne!(immutable(&case, &two).await, first);
        case.wait_held(&[("A_KEY", &two)]).await;
        case.wait_ready("fixed").await;
        assert_eq!(case.writes().len(), before + 1, "{:?}", case.target);
        // And one of the same value is another Secret, and no news.
        case.delete_secret("source").await;
        immutable(&case, &two).await;
        case.request_sync("fixed").await;
        case.wait_ready("fixed").await;
        assert_eq!(case.writes().len(), before + 1, "{:?}", case.target);
        case.finish().await;
    }));
}
