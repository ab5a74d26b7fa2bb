//! Answers that are none: cut, strange, too large, or a way to somewhere else.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Answer, Fault};
use tokio::net::TcpListener;

use super::{State, quoting, suffers, synced};
use crate::support::{Bystander, Scene, Stage, Target, condition, run, write_method};

/// Cases: P-22
#[test]
fn a_cut_connection_leaves_the_outcome_open_and_heals() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            for action in [
                Action::CutBeforeEffect,
                Action::CutAfterEffect,
                Action::TruncateBody,
            ] {
                let fault = Fault::new(action).forever();
                suffers(&scene, fault, State::Reconciling, "NetworkError").await;
            }
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: P-15, P-38
#[test]
fn a_create_whose_answer_is_lost_makes_no_second_secret() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let refusal = Answer {
                status: 500,
                ..Answer::default()
            };
            for action in [
                Action::CutAfterEffect,
                Action::TruncateBody,
                Action::AnswerAfterEffect(refusal),
            ] {
                let scene = Scene::new(stage, target).await;
                for method in ["POST", "PUT"] {
                    scene
                        .account
                        .add_fault(Fault::new(action.clone()).method(method));
                }
                let value = scene.value("a");
                scene.secret("source", &[("a", &value)]).await;
                scene.object("created", &[("A_KEY", "source", "a")]).await;
                scene.wait_ready("created").await;
                assert!(scene.account.faults().len() < 2, "{target:?} {action:?}");
                scene.wait_held(&[("A_KEY", &value)]).await;
                let prime = stage.simulator().prime_intellect();
                if target == Target::PrimeIntellect {
                    assert_eq!(prime.secrets(&scene.account, None).len(), 1, "{action:?}");
                }
                scene.finish().await;
            }
        }))
        .await;
    });
}

/// Cases: P-19, P-23
#[test]
fn an_answer_that_is_not_understood_is_never_taken_for_success() {
    let page = "<html><body>Please log in</body></html>";
    let large = format!("{{\"padding\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let deep = "[".repeat(100_000);
    let bodies: [(&str, &str); 9] = [
        ("text/html", page),
        ("application/json", page),
        ("application/json", ""),
        ("application/json", "null"),
        ("application/json", "[]"),
        ("application/json", "{\"name\": 1"),
        ("application/json", &deep),
        ("application/json", &large),
        ("text/plain", "{}"),
    ];
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            for (content_type, body) in bodies {
                let fault = quoting(&scene, 200, content_type).body(body).forever();
                suffers(&scene, fault, State::Strange, "UnexpectedResponse").await;
            }
            // The writes alone, where reads are as they should be.
            for (content_type, body) in [("text/html", page), ("application/json", page)] {
                let fault = quoting(&scene, 200, content_type)
                    .body(body)
                    .method(write_method(target));
                suffers(
                    &scene,
                    fault.forever(),
                    State::Strange,
                    "UnexpectedResponse",
                )
                .await;
            }
            let fault = quoting(&scene, 200, "text/html; charset=utf-8").forever();
            suffers(&scene, fault, State::Strange, "UnexpectedResponse").await;
            scene.finish().await;
        }))
        .await;
    });
}

#[test]
fn three_strange_answers_in_a_row_are_for_a_person_to_look_at() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            scene
                .account
                .add_fault(quoting(&scene, 200, "text/html").forever());
            let before = scene.account.requests().len();
            scene
                .secret("source", &[("a", &scene.value("rotated"))])
                .await;
            let object = scene.wait_reason("target", "UnexpectedResponse").await;
            if scene.account.requests().len() < before + 2 {
                assert!(condition(&object, "Reconciling").is_some(), "{target:?}");
            }
            let is_stalled = |object: &_| condition(object, "Stalled").is_some();
            scene.wait("target", "stalled", is_stalled).await;
            assert!(scene.account.requests().len() >= before + 3, "{target:?}");
            scene.account.clear_faults();
            let healed = scene.value("healed");
            scene.secret("source", &[("a", &healed)]).await;
            scene.wait_ready("target").await;
            scene.wait_held(&[("A_KEY", &healed)]).await;
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: P-20, P-21
#[test]
fn a_redirect_is_not_followed_anywhere() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!(
            "http://{}/elsewhere",
            elsewhere.local_addr().expect("an address")
        );
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            for (index, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
                // To another server and to the same one by turns.
                let location = [url.as_str(), "/elsewhere"][index % 2];
                let fault = quoting(&scene, status, "text/html").header("location", location);
                suffers(
                    &scene,
                    fault.forever(),
                    State::Strange,
                    "UnexpectedResponse",
                )
                .await;
            }
            scene
        }))
        .await;
        bystander.rotate().await;
        let came = tokio::select! {
            biased;
            came = elsewhere.accept() => Some(came),
            () = std::future::ready(()) => None,
        };
        assert!(came.is_none(), "a redirect to another server was followed");
        for scene in scenes {
            let requests = scene.account.requests();
            assert!(
                requests
                    .iter()
                    .all(|request| !request.path.contains("elsewhere"))
            );
            scene.finish().await;
        }
        bystander.finish().await;
    });
}

#[test]
fn a_set_that_could_not_be_asked_for_is_not_taken_for_ready() {
    run(async {
        let stage = Stage::shared().await;
        let scene = Scene::new(stage, Target::Pipecat).await;
        let pipecat = stage.simulator().pipecat();
        let pending = Duration::from_secs(3);
        pipecat.set_variants(&scene.account, |variants| variants.ready_after = pending);
        // The list is answered, the question after the write is not.
        scene.account.add_fault(
            quoting(&scene, 500, "text/plain")
                .path_contains("/agents")
                .skip(1),
        );
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        scene.object("asks", &[("A_KEY", "source", "a")]).await;
        scene.wait_reason("asks", "ProviderUnavailable").await;
        scene.wait_ready("asks").await;
        assert_eq!(pipecat.sets(&scene.account)["agents"].status, "ready");
        assert_eq!(scene.writes().len(), 1, "{:?}", scene.writes());
        scene.finish().await;
    });
}
