//! Secrets that are replaced: by one of another name, or by another one of the same name.

use kube::api::PostParams;
use serde_json::json;

use crate::support::{Scene, at_each_api, run};

/// Cases: C-03
#[test]
fn a_source_that_is_renamed_keeps_what_was_sent_and_is_followed() {
    run(at_each_api(async |scene| {
        let one = scene.synced("follows", &json!({})).await;
        let scope = scene.scope();
        let id = |scene: &Scene<'_>| scene.account.held(scope.as_deref())["A_KEY"].id.clone();
        let (first, writes) = (id(&scene), scene.writes());
        // The old one goes before the object knows the new one, with another value in it.
        scene.delete_secret("source").await;
        scene.wait_reason("follows", "SecretNotFound").await;
        let two = scene.value("two");
        scene.secret("renamed", &[("b", &two)]).await;
        scene.assert_held(&[("A_KEY", &one)]);
        scene
            .put("follows", &[("A_KEY", "renamed", "b")], &json!({}))
            .await;
        scene.wait_ready("follows").await;
        scene.assert_held(&[("A_KEY", &two)]);
        assert_eq!(id(&scene), first, "{:?}", scene.target);
        assert_eq!(scene.writes().len(), writes.len() + 1, "{:?}", scene.target);
        // With the same value in it there is nothing to write.
        scene.delete_secret("renamed").await;
        scene.wait_reason("follows", "SecretNotFound").await;
        scene.secret("again", &[("c", &two)]).await;
        scene
            .put("follows", &[("A_KEY", "again", "c")], &json!({}))
            .await;
        scene.wait_ready("follows").await;
        assert_eq!(scene.writes().len(), writes.len() + 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Makes an immutable Secret with one value; the uid it got.
async fn immutable(scene: &Scene<'_>, value: &str) -> String {
    let secret =
        json!({"metadata": {"name": "source"}, "immutable": true, "stringData": {"a": value}});
    let secret = serde_json::from_value(secret).expect("a Secret");
    let made = scene
        .secrets()
        .create(&PostParams::default(), &secret)
        .await;
    made.expect("a Secret is made").metadata.uid.expect("a uid")
}

/// Cases: C-15
#[test]
fn an_immutable_secret_that_is_replaced_is_sent_once() {
    run(at_each_api(async |scene| {
        let (one, two) = (scene.value("one"), scene.value("two"));
        let first = immutable(&scene, &one).await;
        scene
            .put("fixed", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        scene.wait_ready("fixed").await;
        scene.assert_held(&[("A_KEY", &one)]);
        let before = scene.writes().len();
        // One after the other, as fast as they can be made: the operator may never see that there was none.
        scene.delete_secret("source").await;
        assert_ne!(immutable(&scene, &two).await, first);
        scene.wait_held(&[("A_KEY", &two)]).await;
        scene.wait_ready("fixed").await;
        assert_eq!(scene.writes().len(), before + 1, "{:?}", scene.target);
        // And one of the same value is another Secret, and no news.
        scene.delete_secret("source").await;
        immutable(&scene, &two).await;
        scene.request_sync("fixed").await;
        scene.wait_ready("fixed").await;
        assert_eq!(scene.writes().len(), before + 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}
