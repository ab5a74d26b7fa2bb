//! Accounts do not hold each other up: the same name is another secret in another scope.

use serde_json::{Value, json};
use simulator::{Action, Fault};

use super::{case, entry, requests, spec};
use crate::harness::{Target, TestCase, run, until};

/// The spec of an object, in this team where the tests have several: ids of teams are unique.
fn spec_in(case: &TestCase<'_>, team: &str) -> Value {
    let mut spec = spec(case, &json!([entry("HANGING")]));
    if case.target == Target::BasetenTeam {
        spec["provider"]["baseten"]["teamId"] = team.into();
    }
    spec
}

/// Cases: P-16
#[test]
fn a_hanging_account_does_not_hold_up_the_same_name_of_another() {
    run(async {
        for target in Target::ALL {
            let (hanging, other) = (case(target).await, case(target).await);
            let method = target.create_method();
            hanging
                .account
                .add_fault(Fault::new(Action::Hang).method(method));
            let value = other.value("one");
            for case in [&hanging, &other] {
                case.secret("source", &[("a", &value)]).await;
            }
            hanging
                .object("held-up", &[("HANGING", "source", "a")])
                .await;
            let write = async || {
                requests(&hanging, method)
                    .pop()
                    .ok_or_else(|| "no write".to_owned())
            };
            until("the write is on its way", write).await;
            other
                .apply("quick", spec_in(&other, &other.default_team()))
                .await
                .expect("applied");
            other.wait_ready("quick").await;
            let hung = requests(&hanging, method).remove(0);
            assert_eq!(
                hung.outcome, None,
                "{target:?}: it waited for the other account"
            );
            other.finish().await;
            hanging.finish().await;
        }
    });
}
