use rstest::rstest;
use serde_json::json;

use super::*;
use crate::cli::tests::samples::{answering, refused};

/// `doctor` tells a missing right from an API server that does not answer.
#[rstest]
#[case(403, (true, false))]
#[case(401, (false, false))]
#[case(503, (false, true))]
#[tokio::test]
async fn a_missing_right_is_told_from_a_failure(#[case] code: u16, #[case] expected: (bool, bool)) {
    let reader = answering(vec![refused(code)]);
    let call = reader.client.apiserver_version();
    let refusal = bounded("get the version", None, call).await.unwrap_err();
    assert_eq!((refusal.is_forbidden, refusal.is_transient), expected);
}

/// A failure that passes must not hide the objects of other namespaces.
#[rstest]
#[case(403, true)]
#[case(401, false)]
#[case(503, false)]
#[tokio::test]
async fn only_a_missing_right_narrows_to_one_namespace(
    #[case] code: u16,
    #[case] is_narrowed: bool,
) {
    let list = json!({
        "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecretList",
        "metadata": {}, "items": [],
    });
    let reader = answering(vec![refused(code), (200, list)]);
    let visible = reader.each_visible(|_| ()).await;
    assert_eq!(visible.found.read().is_some(), is_narrowed);
    assert_eq!(visible.narrowed.is_some(), is_narrowed);
    assert!(visible.lacks().is_some());
}
