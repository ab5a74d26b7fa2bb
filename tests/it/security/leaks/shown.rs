//! What is shown of a value: nothing. Most of it is looked at after every test (harness/output.rs); here
//! is what only these tests bring about.

use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};
use simulator::{Action, Answer, Fault};

use crate::harness::{
    CANARY, TestCase, TestEnv, at_each_api, at_each_api_on, output::plain_digests, run, traces,
    until,
};

/// A length that nothing else here has, and its MD5 and CRC-32.
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

/// Waits for the end of the first reconcile: it would answer an earlier request.
async fn wait_reported(case: &TestCase<'_>, object: &str) {
    let is_reported = |object: &ProviderSecret| {
        let status = object.status.as_ref();
        status.is_some_and(|status| !status.conditions.is_empty())
    };
    case.wait(object, "reported", is_reported).await;
}

/// Cases: S-06, S-11
#[test]
fn no_length_digest_or_beginning_of_a_value_is_in_what_support_collects() {
    let reported = async |case: TestCase<'_>| {
        let value = format!("{CANARY}{}", "v".repeat(LENGTH - CANARY.len()));
        // Once refused and once written, so that there is something to report.
        case.account.add_fault(Fault::status(422).times(1));
        case.secret("source", &[("a", &value)]).await;
        case.object("reported", &[("A_KEY", "source", "a")]).await;
        wait_reported(&case, "reported").await;
        case.request_sync("reported").await;
        case.wait_ready("reported").await;
        case.wait_event("Synced").await;

        let bundle = [
            case.kubectl(&["get", "psec,events", "-o", "yaml"]).await,
            case.kubectl(&["get", "psec,events", "-o", "wide"]).await,
            case.kubectl(&["describe", "psec,events,secrets"]).await,
            case.env.operator.get("/metrics").await.1,
            case.env.operator.get("/readyz").await.1,
            case.log_lines().iter().map(Value::to_string).collect(),
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
        let object = serde_json::to_value(case.get("reported").await).expect("JSON");
        let events = case.kubectl(&["get", "events", "-o", "json"]).await;
        let events: Value = serde_json::from_str(&events).expect("JSON");
        let mut seen = 0;
        for shown in [object["status"].clone(), events]
            .iter()
            .chain(&case.log_lines())
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
        case.finish().await;
    };
    // In a shared environment the operator drops some events.
    run(async { at_each_api_on(&TestEnv::fresh(&[]).await, reported).await });
}

/// Cases: S-04, S-09
#[test]
fn hostile_texts_and_urls_stay_out_of_the_log() {
    run(at_each_api(async |case| {
        let hostile =
            "\u{1b}[31mred\u{1b}[0m\r\n{\"level\":\"error\",\"msg\":\"f0rged\"}\n\u{7}\u{9b}";
        let answer = Answer {
            status: 422,
            headers: [("x-request-id".to_owned(), "%1b[31m".to_owned())].into(),
            body: json!({"message": hostile, "detail": hostile}).to_string(),
        };
        case.account
            .add_fault(Fault::new(Action::Answer(answer)).times(1));
        case.secret("source", &[("a", hostile)]).await;
        let template = format!("{{{{ secret['{hostile}'] }}}}");
        let spec = json!({
            "provider": case.provider(),
            "data": [{"name": "A_KEY", "template": template, "secretRef": {"name": "source"}}],
        });
        // The API server takes it, or it never comes to the operator.
        let _ = case.apply("hostile", spec).await;
        case.object("hostile", &[("A_KEY", "source", "a")]).await;
        case.annotate("hostile", "example.com/note", hostile).await;
        wait_reported(&case, "hostile").await;
        case.request_sync("hostile").await;
        case.wait_ready("hostile").await;
        case.assert_held(&[("A_KEY", hostile)]);
        // The log names the calls to the provider in our own words, and has nothing else of them.
        let calls = until("a call is logged", async || {
            let log = case.env.operator.log();
            let lines = log
                .lines()
                .filter(|line| line.contains("provider answered"));
            let calls: Vec<Value> = lines
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            (!calls.is_empty())
                .then_some(calls)
                .ok_or_else(|| "none is".to_owned())
        })
        .await;
        for line in &calls {
            let fields = line.as_object().expect("an object");
            let known = [
                "ts",
                "level",
                "msg",
                "provider",
                "operation",
                "status",
                "duration_ms",
                "error.kind",
                // Whose reconcile made the call.
                "controller",
                "namespace",
                "name",
                "reconcileID",
            ];
            assert!(fields.keys().all(|name| known.contains(&&**name)), "{line}");
            let operation = line["operation"].as_str().expect("an operation");
            let class = line.get("error.kind").map(|class| class.as_str());
            let class = class.map_or("", |class| class.expect("a class"));
            let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(
                operation.bytes().chain(class.bytes()).all(is_word),
                "{line}"
            );
        }
        assert!(!case.env.operator.log().contains("f0rged"));
        // Every line of the log is looked at now.
        case.finish().await;
    }));
}
