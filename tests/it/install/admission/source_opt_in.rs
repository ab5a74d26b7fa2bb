//! A ProviderSecret that names a Secret without the label is refused.

use serde_json::json;

use super::{Guarded, assert_refused, cluster, fields, spec};
use crate::{harness::until, install::chart::kubectl};

const POLICY: &str = "sourceOptIn";

/// A namespace with the policy, a Secret `open` with the label and one `closed` without.
async fn guarded(namespace: &str) -> Guarded {
    let label = json!({"providersecrets.dev/allow": "true", "team": "a"});
    super::namespace(cluster().await, namespace, &json!({})).await;
    let before = Guarded {
        namespace: namespace.to_owned(),
    };
    before.secret("open", &label).await;
    before.secret("closed", &json!({"team": "a"})).await;
    let guarded = Guarded::new(namespace, POLICY, &spec("open", "closed")).await;
    guarded.user("user", &[]).await;
    guarded
}

#[tokio::test]
async fn a_secret_without_the_label_is_refused_in_every_field() {
    let guarded = guarded("opt-in-fields").await;
    let words = "Secret closed has no label providersecrets.dev/allow=true";
    for (field, spec) in fields() {
        let tried = guarded.create("user", &spec).await;
        assert!(tried.is_err(), "{field}");
        assert_refused(tried, words);
    }
    assert_eq!(guarded.create("user", &spec("open", "open")).await, Ok(()));
    // Another value is none; and of a Secret that is not there nothing can be known.
    guarded
        .secret("wrong", &json!({"providersecrets.dev/allow": "yes"}))
        .await;
    let wrong = spec("open", "wrong");
    until("the API server knows the Secret", async || {
        let tried = guarded.create("user", &wrong).await;
        tried.err().ok_or_else(|| "it is accepted".to_owned())
    })
    .await;
    assert_eq!(
        guarded.create("user", &spec("open", "absent")).await,
        Ok(())
    );
}

#[tokio::test]
async fn a_secret_that_is_labelled_may_be_named_and_what_was_named_stays() {
    let guarded = guarded("opt-in-updates").await;
    let closed = spec("open", "closed");
    assert!(guarded.create("user", &closed).await.is_err());
    let label = async |label: &str| {
        let label = [
            "-n",
            &guarded.namespace,
            "label",
            "secret",
            "closed",
            "--overwrite",
            label,
        ];
        kubectl(cluster().await, &label, None).await;
    };
    label("providersecrets.dev/allow=true").await;
    until("the label counts", async || {
        guarded.create("user", &closed).await
    })
    .await;
    let object = guarded.made("object", &closed).await;
    label("providersecrets.dev/allow-").await;
    until("the label is gone", async || {
        let tried = guarded.create("user", &closed).await;
        tried.err().ok_or_else(|| "it is accepted".to_owned())
    })
    .await;
    // The operator refuses it now. Everything but another spec passes.
    let replace = ["replace", "--filename=-"];
    assert_eq!(guarded.write("user", &replace, &object).await, Ok(()));
    let annotate = ["annotate", "psec", "object", "note=changed"];
    assert_eq!(guarded.kubectl("user", &annotate, None).await, Ok(()));
    let patch = json!({"spec": {"conflictPolicy": "Fail"}});
    assert_refused(guarded.patch("user", &patch).await, "Secret closed");
    assert_eq!(
        guarded
            .kubectl("user", &["delete", "psec", "object"], None)
            .await,
        Ok(())
    );
}
