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
