use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::cli::tests::samples::{answering, condition, object, provider, refused, silent};

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

/// As by kubectl.
#[rstest]
#[case::one_of_two(&[200, 404], Ok(1), true)]
#[case::the_other_of_two(&[404, 200], Ok(1), true)]
#[case::both(&[200, 200], Ok(2), false)]
#[case::none(&[404, 404], Err("there is no ProviderSecret b in namespace ml"), false)]
#[case::not_allowed(&[200, 403], Err("you may not get providersecret b"), false)]
#[tokio::test]
async fn a_name_of_no_object_hides_no_other(
    #[case] codes: &[u16],
    #[case] expected: Result<usize, &str>,
    #[case] is_incomplete: bool,
) {
    let spec = json!({"provider": provider("baseten", "baseten")});
    let object = serde_json::to_value(object("ml/object", spec, json!({}))).unwrap();
    let answers = codes.iter().map(|code| match code {
        200 => (200, object.clone()),
        code => refused(*code),
    });
    let reader = answering(answers.collect());
    let names = ["a".to_owned(), "psec/b".to_owned()];
    let found = reader.objects(&names, &Scope::default()).await;
    match (found, expected) {
        (Ok(found), Ok(count)) => assert_eq!(found.len(), count),
        (Err(refusal), Err(text)) => assert!(refusal.text.starts_with(text), "{}", refusal.text),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
    assert_eq!(reader.is_incomplete(), is_incomplete);
}

/// As `approve` and `release` wait for it.
#[tokio::test(start_paused = true)]
async fn an_object_is_awaited_in_time_while_the_api_server_is_silent() {
    let began = Instant::now();
    let spec = json!({"provider": provider("baseten", "baseten")});
    let object = object("ml/object", spec, json!({}));
    let wait = Wait::new(Duration::from_secs(5));
    let refusal = silent().awaited(&object, wait).await.unwrap_err();
    assert_eq!(refusal.code, TIMEOUT);
    let next = "see kubectl provider-secrets why object -n ml";
    assert!(refusal.text.ends_with(next), "{}", refusal.text);
    assert_eq!(began.elapsed().as_secs(), 5);
}

/// Every user who may write the status of an object writes them.
#[tokio::test]
async fn a_terminal_acts_on_no_text_of_a_status() {
    const TEXT: &str = "\u{1b}[2J";
    let status = json!({
        "conditions": [condition("Ready", "False", TEXT, TEXT, 5)],
        "provider": TEXT, "scope": TEXT, "summary": TEXT,
        "sources": [{"name": "a", "resourceVersion": TEXT}],
        "entries": [{"name": TEXT, "state": "Failed", "reason": TEXT}],
    });
    let spec = json!({"provider": provider("baseten", "baseten")});
    let object = serde_json::to_value(object("ml/object", spec, status)).unwrap();
    let reader = answering(vec![(200, object)]);
    let found = reader.object("object").await.unwrap();
    let status = serde_json::to_string(&found.status).unwrap();
    let texts = status.matches(r"\\u001b[2J").count();
    assert_eq!(texts, 8, "{status}");
}
