//! Baseten: folded names, and three scopes of which only one is ours.

use serde_json::{Value, json};
use simulator::baseten::Spelling;

use super::{assert_stalled, bodies, case, entry, requests, spec};
use crate::harness::{Target, TestCase, TestEnv, run};

const BOTH: [Target; 2] = [Target::BasetenWorkspace, Target::BasetenTeam];

/// A spec whose values come from these Secrets.
fn spec_from(case: &TestCase<'_>, sources: &[&str]) -> Value {
    let sources = sources
        .iter()
        .map(|name| json!({"secretRef": {"name": name}}));
    json!({"provider": case.provider(), "dataFrom": sources.collect::<Vec<_>>()})
}

/// Cases: C-14, M-05
#[test]
fn two_names_that_fold_together_are_refused_before_any_write() {
    run(async {
        for target in BOTH {
            let case = case(target).await;
            let value = case.value("one");
            case.secret("source", &[("a", &value)]).await;
            case.secret("both", &[("hf-token", &value), ("hf.token", &value)])
                .await;
            case.secret("first", &[("hf-token", &value)]).await;
            case.secret("second", &[("hf_token", &value)]).await;
            let explicit = json!([entry("hf-token"), entry("other"), entry("hf_token")]);
            let cases = [
                ("explicit", spec(&case, &explicit)),
                ("one-source", spec_from(&case, &["both"])),
                ("two-sources", spec_from(&case, &["first", "second"])),
            ];
            for (name, spec) in cases {
                case.apply(name, spec).await.expect("an object is applied");
                let object = case.wait_reason(name, "Conflict").await;
                assert_stalled(&object, "Conflict", "for one name");
            }
            assert_eq!(case.writes(), Vec::<String>::new());
            // The same names are two elsewhere, and one that is renamed is no conflict.
            let apart = json!([entry("hf-token"), entry("other"), entry("HF_token")]);
            case.apply("explicit", spec(&case, &apart))
                .await
                .expect("an object is applied");
            case.wait_ready("explicit").await;
            assert_eq!(case.held().len(), 3);
            case.finish().await;
        }
    });
}

#[test]
fn an_explicit_entry_wins_over_a_bulk_one_that_folds_to_its_name() {
    run(async {
        for target in BOTH {
            let case = case(target).await;
            let (wins, loses, other) =
                (case.value("wins"), case.value("loses"), case.value("other"));
            case.secret("source", &[("a", &wins)]).await;
            case.secret("bulk", &[("hf-token", &loses), ("other", &other)])
                .await;
            let mut spec = spec_from(&case, &["bulk"]);
            spec["data"] = json!([entry("hf_token")]);
            case.apply("mixed", spec)
                .await
                .expect("an object is applied");
            case.wait_ready("mixed").await;
            case.wait_held(&[("hf_token", &wins), ("other", &other)])
                .await;
            let sent = bodies(&case, "POST");
            assert_eq!(sent.len(), 2);
            assert!(
                sent.iter().all(|body| body["name"] != "hf-token"),
                "the bulk one is sent"
            );
            case.finish().await;
        }
    });
}

/// Cases: M-05
#[test]
fn another_spelling_of_a_name_is_the_same_secret() {
    run(async {
        for (target, spelling) in BOTH.into_iter().zip([Spelling::First, Spelling::Last]) {
            let case = case(target).await;
            let baseten = case.env.simulator().baseten();
            baseten.set_variants(&case.account, |variants| variants.spelling = spelling);
            let (value, rotated) = (case.value("one"), case.value("two"));
            case.secret("source", &[("a", &value)]).await;
            case.apply("renamed", spec(&case, &json!([entry("hf-token")])))
                .await
                .expect("applied");
            let before = case.wait_ready("renamed").await.status.expect("a status");
            case.apply("renamed", spec(&case, &json!([entry("hf_token")])))
                .await
                .expect("applied");
            let after = case.wait_ready("renamed").await.status.expect("a status");
            assert_eq!(after.entries.len(), 1);
            assert_eq!(after.entries[0].name, "hf_token");
            assert_eq!(after.entries[0].remote_id, before.entries[0].remote_id);
            case.secret("source", &[("a", &rotated)]).await;
            let spelled = if spelling == Spelling::First {
                "hf-token"
            } else {
                "hf_token"
            };
            case.wait_held(&[(spelled, &rotated)]).await;
            case.wait_ready("renamed").await;
            assert!(requests(&case, "DELETE").is_empty());
            case.finish().await;
        }
    });
}

#[test]
fn the_same_name_in_another_team_is_left_alone() {
    run(async {
        for target in BOTH {
            let case = case(target).await;
            let (default, team) = (case.default_team(), case.team());
            let (own, other) = match target {
                Target::BasetenTeam => (team.as_str(), default.as_str()),
                _ => (default.as_str(), team.as_str()),
            };
            let (value, rotated) = (case.value("one"), case.value("two"));
            case.account
                .foreign_write(Some(other), "TOKEN", "foreign")
                .expect("written");
            case.secret("source", &[("a", &value)]).await;
            case.object("scoped", &[("TOKEN", "source", "a")]).await;
            case.wait_ready("scoped").await;
            case.secret("source", &[("a", &rotated)]).await;
            case.wait_held(&[("TOKEN", &rotated)]).await;
            assert_eq!(case.account.values(Some(own))["TOKEN"], rotated);
            assert_eq!(case.account.values(Some(other))["TOKEN"], "foreign");
            case.finish().await;
        }
    });
}

/// Cases: P-24
#[test]
fn answers_without_the_newer_fields_are_understood() {
    run(async {
        for target in BOTH {
            let case = case(target).await;
            let baseten = case.env.simulator().baseten();
            baseten.set_variants(&case.account, |variants| {
                variants.id = false;
                variants.team_name = false;
            });
            let (value, rotated) = (case.value("one"), case.value("two"));
            case.secret("source", &[("a", &value)]).await;
            case.object("seed", &[("TOKEN", "source", "a")]).await;
            let status = case.wait_ready("seed").await.status.expect("a status");
            assert_eq!(status.entries[0].remote_id, None);
            assert!(
                status.entries[0].remote_version.is_some(),
                "created_at is always there"
            );
            case.secret("source", &[("a", &rotated)]).await;
            case.wait_held(&[("TOKEN", &rotated)]).await;
            assert_eq!(case.writes().len(), 2);
            case.finish().await;
        }
    });
}

/// Cases: M-06
#[test]
fn what_is_there_already_is_overwritten_and_keeps_its_id() {
    run(async {
        for target in BOTH {
            let case = case(target).await;
            let team = case.scope();
            let team = team.as_deref();
            case.account
                .foreign_write(team, "hf-token", "foreign")
                .expect("written");
            let before = case.account.held(team)["hf-token"].id.clone();
            let value = case.value("one");
            case.secret("source", &[("a", &value)]).await;
            case.object("taken", &[("hf_token", "source", "a")]).await;
            let status = case.wait_ready("taken").await.status.expect("a status");
            case.wait_held(&[("hf-token", &value)]).await;
            assert_eq!(status.entries[0].remote_id, before);
            case.finish().await;
        }
    });
}

#[test]
fn the_key_is_sent_as_bearer_where_the_flag_says_so() {
    run(async {
        let env = TestEnv::fresh(&["--baseten-authorization=bearer"]).await;
        for target in [BOTH[0], BOTH[1], Target::Braintrust] {
            let case = TestCase::new(&env, target).await;
            if target != Target::Braintrust {
                let baseten = env.simulator().baseten();
                baseten.set_variants(&case.account, |variants| variants.bearer = true);
            }
            case.synced("target", &json!({})).await;
            for request in case.account.requests() {
                let sent = request.header("authorization").unwrap_or_default();
                assert!(sent.starts_with("Bearer "), "{sent}");
            }
            case.finish().await;
        }
    });
}
