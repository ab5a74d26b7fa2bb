//! Baseten: folded names, and three scopes of which only one is ours.

use serde_json::{Value, json};
use simulator::baseten::Spelling;

use super::{assert_stalled, bodies, entry, requests, scene, spec};
use crate::support::{Scene, Target, run};

const BOTH: [Target; 2] = [Target::BasetenWorkspace, Target::BasetenTeam];

/// A spec whose values come from these Secrets.
fn spec_from(scene: &Scene<'_>, sources: &[&str]) -> Value {
    let sources = sources
        .iter()
        .map(|name| json!({"secretRef": {"name": name}}));
    json!({"provider": scene.provider(), "dataFrom": sources.collect::<Vec<_>>()})
}

/// Cases: C-14, M-05
#[test]
fn two_names_that_fold_together_are_refused_before_any_write() {
    run(async {
        for target in BOTH {
            let scene = scene(target).await;
            let value = scene.value("one");
            scene.secret("source", &[("a", &value)]).await;
            scene
                .secret("both", &[("hf-token", &value), ("hf.token", &value)])
                .await;
            scene.secret("first", &[("hf-token", &value)]).await;
            scene.secret("second", &[("hf_token", &value)]).await;
            let explicit = json!([entry("hf-token"), entry("other"), entry("hf_token")]);
            let cases = [
                ("explicit", spec(&scene, &explicit)),
                ("one-source", spec_from(&scene, &["both"])),
                ("two-sources", spec_from(&scene, &["first", "second"])),
            ];
            for (name, spec) in cases {
                scene.apply(name, spec).await.expect("an object is applied");
                let object = scene.wait_reason(name, "Conflict").await;
                assert_stalled(&object, "Conflict", "for one name");
            }
            assert_eq!(scene.writes(), Vec::<String>::new());
            // The same names are two elsewhere, and one that is renamed is no conflict.
            let apart = json!([entry("hf-token"), entry("other"), entry("HF_token")]);
            scene
                .apply("explicit", spec(&scene, &apart))
                .await
                .expect("an object is applied");
            scene.wait_ready("explicit").await;
            assert_eq!(scene.held().len(), 3);
            scene.finish().await;
        }
    });
}

#[test]
fn an_explicit_entry_wins_over_a_bulk_one_that_folds_to_its_name() {
    run(async {
        for target in BOTH {
            let scene = scene(target).await;
            let (wins, loses, other) = (
                scene.value("wins"),
                scene.value("loses"),
                scene.value("other"),
            );
            scene.secret("source", &[("a", &wins)]).await;
            scene
                .secret("bulk", &[("hf-token", &loses), ("other", &other)])
                .await;
            let mut spec = spec_from(&scene, &["bulk"]);
            spec["data"] = json!([entry("hf_token")]);
            scene
                .apply("mixed", spec)
                .await
                .expect("an object is applied");
            scene.wait_ready("mixed").await;
            scene
                .wait_held(&[("hf_token", &wins), ("other", &other)])
                .await;
            let sent = bodies(&scene, "POST");
            assert_eq!(sent.len(), 2);
            assert!(
                sent.iter().all(|body| body["name"] != "hf-token"),
                "the bulk one is sent"
            );
            scene.finish().await;
        }
    });
}

/// Cases: M-05
#[test]
fn another_spelling_of_a_name_is_the_same_secret() {
    run(async {
        for (target, spelling) in BOTH.into_iter().zip([Spelling::First, Spelling::Last]) {
            let scene = scene(target).await;
            let baseten = scene.stage.simulator().baseten();
            baseten.set_variants(&scene.account, |variants| variants.spelling = spelling);
            let (value, rotated) = (scene.value("one"), scene.value("two"));
            scene.secret("source", &[("a", &value)]).await;
            scene
                .apply("renamed", spec(&scene, &json!([entry("hf-token")])))
                .await
                .expect("applied");
            let before = scene.wait_ready("renamed").await.status.expect("a status");
            scene
                .apply("renamed", spec(&scene, &json!([entry("hf_token")])))
                .await
                .expect("applied");
            let after = scene.wait_ready("renamed").await.status.expect("a status");
            assert_eq!(after.entries.len(), 1);
            assert_eq!(after.entries[0].name, "hf_token");
            assert_eq!(after.entries[0].remote_id, before.entries[0].remote_id);
            scene.secret("source", &[("a", &rotated)]).await;
            let spelled = if spelling == Spelling::First {
                "hf-token"
            } else {
                "hf_token"
            };
            scene.wait_held(&[(spelled, &rotated)]).await;
            scene.wait_ready("renamed").await;
            assert!(requests(&scene, "DELETE").is_empty());
            scene.finish().await;
        }
    });
}

#[test]
fn the_same_name_in_another_team_is_left_alone() {
    run(async {
        for target in BOTH {
            let scene = scene(target).await;
            let (default, team) = (scene.default_team(), scene.team());
            let (own, other) = match target {
                Target::BasetenTeam => (team.as_str(), default.as_str()),
                _ => (default.as_str(), team.as_str()),
            };
            let (value, rotated) = (scene.value("one"), scene.value("two"));
            scene
                .account
                .foreign_write(Some(other), "TOKEN", "foreign")
                .expect("written");
            scene.secret("source", &[("a", &value)]).await;
            scene.object("scoped", &[("TOKEN", "source", "a")]).await;
            scene.wait_ready("scoped").await;
            scene.secret("source", &[("a", &rotated)]).await;
            scene.wait_held(&[("TOKEN", &rotated)]).await;
            assert_eq!(scene.account.values(Some(own))["TOKEN"], rotated);
            assert_eq!(scene.account.values(Some(other))["TOKEN"], "foreign");
            scene.finish().await;
        }
    });
}

/// Cases: P-24
#[test]
fn answers_without_the_newer_fields_are_understood() {
    run(async {
        for target in BOTH {
            let scene = scene(target).await;
            let baseten = scene.stage.simulator().baseten();
            baseten.set_variants(&scene.account, |variants| {
                variants.id = false;
                variants.team_name = false;
            });
            let (value, rotated) = (scene.value("one"), scene.value("two"));
            scene.secret("source", &[("a", &value)]).await;
            scene.object("seed", &[("TOKEN", "source", "a")]).await;
            let status = scene.wait_ready("seed").await.status.expect("a status");
            assert_eq!(status.entries[0].remote_id, None);
            assert!(
                status.entries[0].remote_version.is_some(),
                "created_at is always there"
            );
            scene.secret("source", &[("a", &rotated)]).await;
            scene.wait_held(&[("TOKEN", &rotated)]).await;
            assert_eq!(scene.writes().len(), 2);
            scene.finish().await;
        }
    });
}

/// Cases: M-06
#[test]
fn what_is_there_already_is_overwritten_and_keeps_its_id() {
    run(async {
        for target in BOTH {
            let scene = scene(target).await;
            let team = scene.scope();
            let team = team.as_deref();
            scene
                .account
                .foreign_write(team, "hf-token", "foreign")
                .expect("written");
            let before = scene.account.held(team)["hf-token"].id.clone();
            let value = scene.value("one");
            scene.secret("source", &[("a", &value)]).await;
            scene.object("taken", &[("hf_token", "source", "a")]).await;
            let status = scene.wait_ready("taken").await.status.expect("a status");
            scene.wait_held(&[("hf-token", &value)]).await;
            assert_eq!(status.entries[0].remote_id, before);
            scene.finish().await;
        }
    });
}
