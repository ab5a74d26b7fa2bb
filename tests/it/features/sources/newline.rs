//! The newline that `echo` leaves at the end of a value: sent, with one warning.

use futures::future::join_all;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{Bystander, Target, TestCase, TestEnv, at_each_api_on, calls, run, until};

/// The notes of the warnings about an object, oldest first.
async fn warnings(case: &TestCase<'_>, object: &str) -> Vec<String> {
    let arguments = ["get", "events.events.k8s.io", "-o", "json"];
    let list: Value = serde_json::from_str(&case.kubectl(&arguments).await).expect("JSON");
    let mut events = list["items"].as_array().expect("a list").clone();
    events.retain(|event| {
        event["regarding"]["name"] == object && event["reason"] == "TrailingNewline"
    });
    events.sort_by_key(|event| event["eventTime"].as_str().map(str::to_owned));
    for event in &events {
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["action"], "Push");
    }
    let note = |event: &Value| event["note"].as_str().unwrap_or_default().to_owned();
    events.iter().map(note).collect()
}

/// An edit of the Secret's metadata.
async fn label(case: &TestCase<'_>) {
    let label = json!({"metadata": {"labels": {"note": "a"}}});
    let (secrets, parameters) = (case.secrets(), PatchParams::default());
    let patched = secrets
        .patch("source", &parameters, &Patch::Merge(&label))
        .await;
    patched.expect("a label is set");
}

async fn wait_warnings(case: &TestCase<'_>, object: &str, count: usize) -> Vec<String> {
    until("the warnings are there", async || {
        let warnings = warnings(case, object).await;
        if warnings.len() == count {
            Ok(warnings)
        } else {
            Err(format!("{warnings:#?}"))
        }
    })
    .await
}

/// Cases: C-12
#[test]
fn a_trailing_newline_is_sent_and_warned_of_once() {
    let warned = async |case: TestCase<'_>| {
        let line = |text: &str| format!("{}\n", case.value(text));
        let pem = format!(
            "-----BEGIN KEY-----\n{}\n-----END KEY-----\n",
            case.value("pem")
        );
        let plain = case.value("plain");
        let secret = async |a: &str, b: &str| {
            let data = [("a", a), ("b", b), ("pem", &*pem), ("plain", &*plain)];
            case.secret("source", &data).await;
        };
        let (one, two) = (line("one"), line("two"));
        secret(&one, &two).await;
        let data = [
            ("A_KEY", "source", "a"),
            ("B_KEY", "source", "b"),
            ("PEM", "source", "pem"),
            ("PLAIN", "source", "plain"),
        ];
        case.object("newline", &data).await;
        case.wait_ready("newline").await;
        let held = [
            ("A_KEY", &*one),
            ("B_KEY", &*two),
            ("PEM", &*pem),
            ("PLAIN", &*plain),
        ];
        case.wait_held(&held).await;
        let warnings = wait_warnings(&case, "newline", 1).await;
        for words in [
            "entry A_KEY from Secret source",
            "So does one more entry",
            "--from-literal",
            "printf",
        ] {
            assert!(
                warnings[0].contains(words),
                "{words:?} is not in {warnings:?}"
            );
        }
        // An edit of metadata, and news for another entry, bring no more.
        label(&case).await;
        case.secret("other", &[("a", &plain)]).await;
        let more = [data.as_slice(), &[("OTHER", "other", "a")]].concat();
        case.object("newline", &more).await;
        case.wait_ready("newline").await;
        // A new value of one entry is warned of, and the other warning is not repeated.
        let three = line("three");
        secret(&three, &two).await;
        let held = [held.as_slice(), &[("OTHER", &plain)]].concat();
        let held = [&[("A_KEY", &*three)], &held[1..]].concat();
        case.wait_held(&held).await;
        case.wait_ready("newline").await;
        let warnings = wait_warnings(&case, "newline", 2).await;
        assert!(!warnings[1].contains("more entr"), "{warnings:?}");
        case.finish().await;
    };
    // In a shared environment the operator drops some events.
    run(async { at_each_api_on(&TestEnv::fresh(&[]).await, warned).await });
}

/// Cases: C-12
#[test]
fn a_newline_of_a_bulk_source_or_a_template_is_warned_of_and_that_of_a_file_is_not() {
    run(async {
        // In a shared environment the operator drops some events.
        let env = TestEnv::fresh(&[]).await;
        let case = TestCase::new(&env, Target::PrimeIntellect).await;
        let line = format!("{}\n", case.value("a"));
        case.secret("bulk", &[("BULK", &line)]).await;
        case.secret("source", &[("a", &line)]).await;
        case.secret("file", &[("a", &line)]).await;
        let file = json!({"isFile": true});
        let spec = json!({
            "provider": case.provider(),
            "dataFrom": [{"secretRef": {"name": "bulk"}}],
            "data": [
                {"name": "MADE", "template": "is {{ a }}", "secretRef": {"name": "source"}},
                {"name": "TRIMMED", "template": "{{ a | trim }}", "secretRef": {"name": "source"}},
                {"name": "FILE", "secretKeyRef": {"name": "file", "key": "a"}, "primeIntellect": file},
            ],
        });
        case.apply("all", spec).await.expect("an object is applied");
        case.wait_ready("all").await;
        let warnings = wait_warnings(&case, "all", 2).await.concat();
        for words in [
            "entry BULK from Secret bulk",
            "entry MADE from Secret source",
        ] {
            assert!(warnings.contains(words), "{warnings}");
        }
        case.finish().await;
    });
}

/// Cases: C-12
#[test]
fn a_restart_reads_nothing_and_repeats_no_warning() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let targets = [Target::BasetenTeam, Target::Pipecat];
        let mut parked = Vec::new();
        for target in targets {
            let case = TestCase::new(&env, target).await;
            case.secret("source", &[("a", &format!("{}\n", case.value("a")))])
                .await;
            case.object("newline", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("newline").await;
            wait_warnings(&case, "newline", 1).await;
            parked.push((target, case.identity()));
        }
        assert!(env.operator.terminate().await.success());
        env.restart(&[]).await;
        let bystander = Bystander::new(&env).await;
        bystander.rotate().await;
        join_all(parked.into_iter().map(async |(target, identity)| {
            let env = &env;
            let case = TestCase::resume(env, target, &identity);
            let reads = calls(env, &case.namespace).await;
            let reads = reads
                .iter()
                .filter(|call| call.verb == "get" && call.name == "source");
            assert_eq!(reads.count(), 1, "the first operator's");
            assert_eq!(warnings(&case, "newline").await.len(), 1);
            // A label now: the Secret is read again and nothing is sent.
            label(&case).await;
            case.wait_ready("newline").await;
            case.finish().await;
        }))
        .await;
        bystander.rotate().await;
        let list = ["get", "events.events.k8s.io", "-A", "-o", "json"];
        let listed = env
            .cluster
            .kubectl_output(&list, None)
            .await
            .expect("kubectl runs");
        assert_eq!(
            listed.stdout.matches("\"TrailingNewline\"").count(),
            targets.len()
        );
        bystander.finish().await;
    });
}
