//! Two tenants of one provider: what each sends is its own.

use serde_json::Value;
use simulator::Exchange;

use crate::harness::{TestCase, TestEnv, at_each_api_on, delete_policy, run};

/// The lifecycle of an object of a tenant, with names that the other has too.
async fn lifecycle(case: &TestCase<'_>) {
    case.synced("same", &delete_policy()).await;
    for text in ["two", "three"] {
        let value = case.value(text);
        case.secret("source", &[("a", &value)]).await;
        case.wait_held(&[("A_KEY", &value)]).await;
    }
    case.request_sync("same").await;
    case.wait_ready("same").await;
    case.delete("same").await;
    case.wait_gone("same").await;
}

/// Cases: H-09
#[test]
fn what_is_sent_has_no_credential_but_the_key_of_its_account_and_only_its_values() {
    run(async {
        let env = TestEnv::verifying().await;
        at_each_api_on(env, async |one| {
            let two = TestCase::new(env, one.target).await;
            tokio::join!(lifecycle(&one), lifecycle(&two));
            for (case, other) in [(&one, &two), (&two, &one)] {
                let requests = case.account.requests();
                assert!(requests.iter().any(Exchange::is_write));
                for request in requests {
                    // The simulator knows an account by the whole of its key.
                    assert_eq!(request.key, Some(0), "{}", request.line());
                    let body = request.body.as_deref().map(Value::to_string);
                    let sent = format!("{} {body:?}", request.line());
                    let is_others = sent.contains(&format!("{}-", other.namespace));
                    assert!(!is_others, "{:?}: {sent}", case.target);
                }
            }
            // What the headers are is looked at in the end of every test.
            two.finish().await;
            one.finish().await;
        })
        .await;
    });
}
