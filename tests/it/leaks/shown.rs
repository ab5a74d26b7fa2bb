//! What is shown of a value: nothing. Most of it is looked at after every test (support/shown.rs); here
//! is what only these tests bring about.

use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};
use simulator::{Action, Answer, Fault};

use crate::support::{
    CANARY, Scene, Stage, at_each_api, at_each_api_on, run, shown::plain_digests, traces, until,
};

/// Of a length that nothing else here has, and its MD5 and CRC-32.
const LENGTH: usize = 4801;
const DIGESTS: [&str; 2] = ["3b9ed525c8c624aaa24867cf44b4ceec", "f2fc861e"];

/// Every number in what is shown, and every text that is not made at random.
fn walk(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Number(number) => see(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text)
                        if ["message", "msg", "note", "summary"].contains(&&**name) =>
                    {
                        see(text);
                    }
                    Value::String(_) => {}
                    field => walk(field, see),
                }
            }
        }
        _ => {}
    }
}

/// The lines of the log about this scene.
fn lines(scene: &Scene<'_>) -> Vec<Value> {
    let log = scene.stage.operator.log();
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let lines = whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    lines
        .filter(|line: &Value| line["namespace"] == *scene.namespace)
        .collect()
}

/// Waits until the first pass has come to its end: a request before that would be answered by it.
async fn wait_told(scene: &Scene<'_>, object: &str) {
    let is_told = |object: &ProviderSecret| {
        let status = object.status.as_ref();
        status.is_some_and(|status| !status.conditions.is_empty())
    };
    scene.wait(object, "told of", is_told).await;
}

/// Cases: S-06, S-11
#[test]
fn no_length_digest_or_beginning_of_a_value_is_in_what_support_collects() {
    let told = async |scene: Scene<'_>| {
        let value = format!("{CANARY}{}", "v".repeat(LENGTH - CANARY.len()));
        // Once refused and once written, so that there is something to tell.
        scene.account.add_fault(Fault::status(422).times(1));
        scene.secret("source", &[("a", &value)]).await;
        scene.object("told", &[("A_KEY", "source", "a")]).await;
        wait_told(&scene, "told").await;
        scene.request_sync("told").await;
        scene.wait_ready("told").await;
        scene.wait_event("Synced").await;

        let bundle = [
            scene.kubectl(&["get", "psec,events", "-o", "yaml"]).await,
            scene.kubectl(&["get", "psec,events", "-o", "wide"]).await,
            scene.kubectl(&["describe", "psec,events,secrets"]).await,
            scene.stage.operator.get("/metrics").await.1,
            scene.stage.operator.get("/readyz").await.1,
            lines(&scene).iter().map(Value::to_string).collect(),
        ];
        for text in &bundle {
            assert_eq!(traces(text), Vec::<String>::new(), "{text}");
            assert!(!text.contains("C4n4") && !text.contains("QzRuNH"), "{text}");
            for digest in DIGESTS
                .map(str::to_owned)
                .into_iter()
                .chain(plain_digests(value.as_bytes()))
            {
                assert!(!text.contains(&digest), "{digest} is in {text}");
            }
        }
        let object = serde_json::to_value(scene.get("told").await).expect("JSON");
        let events = scene.kubectl(&["get", "events", "-o", "json"]).await;
        let events: Value = serde_json::from_str(&events).expect("JSON");
        let mut seen = 0;
        for shown in [object["status"].clone(), events]
            .iter()
            .chain(&lines(&scene))
        {
            walk(shown, &mut |text| {
                seen += 1;
                let text = text.replace(',', "");
                assert!(!text.contains(&LENGTH.to_string()), "{text}");
                let encoded = LENGTH.div_ceil(3) * 4;
                assert!(!text.contains(&encoded.to_string()), "{text}");
            });
        }
        assert!(seen >= 5, "{seen} texts and numbers");
        scene.finish().await;
    };
    // Of the events on a stage that many share, some are dropped.
    run(async { at_each_api_on(&Stage::fresh(&[]).await, told).await });
}

/// Cases: S-04, S-09
#[test]
fn hostile_texts_and_urls_stay_out_of_the_log() {
    run(at_each_api(async |scene| {
        let hostile =
            "\u{1b}[31mred\u{1b}[0m\r\n{\"level\":\"error\",\"msg\":\"f0rged\"}\n\u{7}\u{9b}";
        let answer = Answer {
            status: 422,
            headers: [("x-request-id".to_owned(), "%1b[31m".to_owned())].into(),
            body: json!({"message": hostile, "detail": hostile}).to_string(),
        };
        scene
            .account
            .add_fault(Fault::new(Action::Answer(answer)).times(1));
        scene.secret("source", &[("a", hostile)]).await;
        let template = format!("{{{{ secret['{hostile}'] }}}}");
        let spec = json!({
            "provider": scene.provider(),
            "data": [{"name": "A_KEY", "template": template, "secretRef": {"name": "source"}}],
        });
        // The API server takes it, or it never comes to the operator.
        let _ = scene.apply("hostile", spec).await;
        scene.object("hostile", &[("A_KEY", "source", "a")]).await;
        scene.annotate("hostile", "example.com/note", hostile).await;
        wait_told(&scene, "hostile").await;
        scene.request_sync("hostile").await;
        scene.wait_ready("hostile").await;
        scene.assert_held(&[("A_KEY", hostile)]);
        // What was asked of the provider is told in our own words, and that is all.
        let told = until("a call is told", async || {
            let log = scene.stage.operator.log();
            let told = log
                .lines()
                .filter(|line| line.contains("provider answered"));
            let told: Vec<Value> = told
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            (!told.is_empty())
                .then_some(told)
                .ok_or_else(|| "none is".to_owned())
        })
        .await;
        for line in &told {
            let fields = line.as_object().expect("an object");
            let known = [
                "ts",
                "level",
                "msg",
                "provider",
                "operation",
                "status",
                "duration_ms",
            ];
            assert!(fields.keys().all(|name| known.contains(&&**name)), "{line}");
            let operation = line["operation"].as_str().expect("an operation");
            assert!(
                operation
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{line}"
            );
        }
        assert!(!scene.stage.operator.log().contains("f0rged"));
        // Every line of the log is looked at now.
        scene.finish().await;
    }));
}
