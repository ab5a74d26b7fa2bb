//! Values that a template makes of several keys.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use provider_secrets::api::{EntryState, ProviderSecret};
use serde_json::{Value, json};

use super::sources::{assert_waits, entry, summary};
use crate::harness::{Bystander, Target, TestCase, TestEnv, at_each_api, condition, run};

/// An entry with a template over the Secret `source`.
fn template(name: &str, text: &str) -> Value {
    json!({"name": name, "template": text, "secretRef": {"name": "source"}})
}

async fn apply(case: &TestCase<'_>, data: &[Value]) {
    let spec = json!({"provider": case.provider(), "data": data});
    let applied = case.apply("templates", spec).await;
    applied.expect("an object is applied");
}

#[test]
fn a_template_is_rendered_sent_and_rendered_again_when_a_key_of_it_changes() {
    run(at_each_api(async |case| {
        let user = case.value("user");
        let secret = async |password: &str, other: &str| {
            let password = format!("{}/@{password}", case.value("p"));
            let data = [("user", &*user), ("pass-word", &password), ("other", other)];
            case.secret("source", &data).await;
            format!(
                "postgres://{user}:{}@db/app",
                password.replace('/', "%2F").replace('@', "%40")
            )
        };
        let url = secret("one", "a").await;
        let text = r#"postgres://{{ user }}:{{ secret["pass-word"] | urlencode }}@db/app"#;
        apply(&case, &[template("DATABASE_URL", text)]).await;
        case.wait_ready("templates").await;
        case.wait_held(&[("DATABASE_URL", &url)]).await;
        let url = secret("two", "a").await;
        case.wait_held(&[("DATABASE_URL", &url)]).await;
        case.wait_ready("templates").await;
        let writes = case.writes().len();
        // A key that is not in it changes nothing, and neither do other words for the same text.
        secret("two", "b").await;
        let same = format!("{text}{{# the same #}}");
        apply(&case, &[template("DATABASE_URL", &same)]).await;
        case.wait_ready("templates").await;
        assert_eq!(case.writes().len(), writes, "{:?}", case.target);
        // A template that changes is a change.
        apply(&case, &[template("DATABASE_URL", &format!("{text}?a"))]).await;
        case.wait_held(&[("DATABASE_URL", &format!("{url}?a"))])
            .await;
        case.wait_ready("templates").await;
        case.finish().await;
    }));
}

/// Cases: C-11, H-06
#[test]
fn template_like_text_in_values_and_around_them_is_literal() {
    run(at_each_api(async |case| {
        let odd = [
            "{{ other }}",
            "{% if x %}{% endif %}",
            "{# note #}",
            "{{",
            "}}",
            "${HOME} $(id) %s",
            "<&>\"'\\",
            "\u{1} and\r\nnewline\n",
        ];
        let values: Vec<String> = odd
            .iter()
            .map(|odd| format!("{odd}{}{odd}", case.value("a")))
            .collect();
        let keys: Vec<String> = (0..odd.len()).map(|index| format!("K{index}")).collect();
        let data: Vec<(&str, &str)> = keys
            .iter()
            .map(String::as_str)
            .zip(values.iter().map(String::as_str))
            .collect();
        case.secret("source", &data).await;
        let entries: Vec<Value> = keys
            .iter()
            .map(|key| template(key, &format!("  ${{X}} {{{{ {key} }}}}<'&'>\n\n")))
            .collect();
        apply(&case, &entries).await;
        case.wait_ready("templates").await;
        let made: Vec<String> = values
            .iter()
            .map(|value| format!("  ${{X}} {value}<'&'>\n\n"))
            .collect();
        let expected: Vec<(&str, &str)> = keys
            .iter()
            .map(String::as_str)
            .zip(made.iter().map(String::as_str))
            .collect();
        case.wait_held(&expected).await;
        case.finish().await;
    }));
}

#[test]
fn a_key_that_a_template_misses_is_waited_for() {
    run(at_each_api(async |case| {
        let (user, later) = (case.value("user"), case.value("later"));
        let entries = [
            template("WAITS", "{{ user }}:{{ later }}"),
            template("HAS_DEFAULT", "{{ user }}:{{ port | default('5432') }}"),
        ];
        apply(&case, &entries).await;
        assert_waits(&case.wait_reason("templates", "SecretNotFound").await);
        assert_eq!(case.account.requests().len(), 0, "{:?}", case.target);
        case.secret("source", &[("user", &user)]).await;
        let object = case.wait_reason("templates", "KeyNotFound").await;
        assert_waits(&object);
        let ready = condition(&object, "Ready").expect("Ready");
        let words = "Secret source has no key later. Entry WAITS waits for it.";
        assert_eq!(ready.message, words);
        assert_eq!(entry(&object, "HAS_DEFAULT"), (EntryState::Synced, None));
        let other = format!("{user}:5432");
        case.wait_held(&[("HAS_DEFAULT", &other)]).await;
        case.secret("source", &[("user", &user), ("later", &later)])
            .await;
        case.wait_ready("templates").await;
        let made = format!("{user}:{later}");
        case.wait_held(&[("HAS_DEFAULT", &other), ("WAITS", &made)])
            .await;
        // A key that goes away deletes nothing, and its return writes nothing.
        let writes = case.writes();
        case.secret("source", &[("user", &user)]).await;
        case.wait_reason("templates", "KeyNotFound").await;
        case.secret("source", &[("user", &user), ("later", &later)])
            .await;
        case.wait_ready("templates").await;
        case.wait_held(&[("HAS_DEFAULT", &other), ("WAITS", &made)])
            .await;
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        case.finish().await;
    }));
}

#[test]
fn what_a_template_may_not_hold_is_refused_before_any_call() {
    let refused = [
        (
            "{{ user",
            "a tag, a text or a word in it is not as it must be",
        ),
        (
            "{{ user * 9 }}",
            "the operators are ==, !=, and, or, not, and if with else",
        ),
        (
            "{% for x in user %}{% endfor %}",
            "the statements are if, elif, else, endif and raw",
        ),
        (
            "{{ user | shell }}",
            "the filters are b64decode, b64encode, default, lower, replace, tojson, trim, upper and urlencode",
        ),
        (
            "{{ secret }}",
            "a key is written as its name or as secret[\"name\"]",
        ),
        (
            "{{ range(9) }}",
            "there are texts and whole numbers only, and no calls",
        ),
    ];
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let case = TestCase::new(env, Target::PrimeIntellect).await;
        // The Secret is missing too: what a person must change comes first.
        for (text, words) in refused {
            apply(&case, &[template("BAD", &format!("line one\n{text}"))]).await;
            let said = format!("The template of entry BAD is not valid in line 2: {words}.");
            let is_said = |object: &ProviderSecret| {
                condition(object, "Stalled").is_some_and(|stalled| {
                    stalled.reason == "InvalidTemplate" && stalled.message == said
                })
            };
            let object = case.wait("templates", &said, is_said).await;
            assert_eq!(entry(&object, "BAD").1, Some("InvalidTemplate"));
        }
        bystander.rotate().await;
        assert_eq!(case.account.requests().len(), 0);
        // Others go on without it.
        let user = case.value("user");
        case.secret("source", &[("user", &user)]).await;
        apply(
            &case,
            &[template("BAD", "{{ user"), template("GOOD", "{{ user }}")],
        )
        .await;
        let is_half = |object: &ProviderSecret| summary(object) == Some("1/2");
        let object = case.wait("templates", "half synced", is_half).await;
        assert!(condition(&object, "Stalled").is_some());
        case.wait_held(&[("GOOD", &user)]).await;
        case.finish().await;
        bystander.finish().await;
    });
}

/// Cases: C-10
#[test]
fn what_a_template_cannot_send_names_the_key_and_not_the_bytes() {
    run(at_each_api(async |case| {
        let good = case.value("good");
        let bytes = [b"\xff\xfe", good.as_bytes()].concat();
        let data = BTreeMap::from([("good", good.as_bytes()), ("bin-ary", &*bytes)]);
        case.binary_secret("source", &data).await;
        let cases = [
            (
                "{{ secret['bin-ary'] }}",
                "InvalidEncoding",
                "Key bin-ary of Secret source is not UTF-8 text",
            ),
            (
                "{{ good | b64decode }}",
                "InvalidEncoding",
                "The template of entry BAD decodes what is not the base64 of UTF-8 text",
            ),
            (
                "{{ good | replace(good, '') }}",
                "EmptyValue",
                "The value of entry BAD is empty",
            ),
        ];
        for (text, reason, words) in cases {
            apply(
                &case,
                &[template("BAD", text), template("GOOD", "{{ good }}")],
            )
            .await;
            let expected = if reason == "EmptyValue" {
                "Reconciling"
            } else {
                "Stalled"
            };
            let is_said = |object: &ProviderSecret| {
                condition(object, expected).is_some()
                    && condition(object, "Ready")
                        .is_some_and(|it| it.reason == reason && it.message.starts_with(words))
            };
            let object = case.wait("templates", words, is_said).await;
            assert_eq!(entry(&object, "GOOD"), (EntryState::Synced, None));
        }
        case.wait_held(&[("GOOD", &good)]).await;
        case.finish().await;
    }));
}

/// Cases: C-08
#[test]
fn a_template_that_makes_too_much_is_refused() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::BasetenTeam).await;
        let mut large = case.value("large");
        large.extend(std::iter::repeat_n('x', 500 * 1024 - large.len()));
        case.secret("source", &[("large", &large)]).await;
        let whole = "{{ large }}{{ large }}";
        apply(
            &case,
            &[
                template("BAD", &format!("{whole}{whole}")),
                template("GOOD", whole),
            ],
        )
        .await;
        let object = case.wait_reason("templates", "ValueTooLarge").await;
        let stalled = condition(&object, "Stalled").expect("Stalled");
        let words = "The template of entry BAD makes a text of more than 1 MiB.";
        assert_eq!(stalled.message, words);
        case.wait_held(&[("GOOD", &large.repeat(2))]).await;
        case.finish().await;
    });
}

#[test]
fn a_template_makes_a_file() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::PrimeIntellect).await;
        let value = case.value("a");
        let large = "x".repeat(48 * 1024);
        case.secret("source", &[("a", &value), ("large", &large)])
            .await;
        let file = |name: &str, text: &str| {
            let mut entry = template(name, text);
            entry["primeIntellect"] = json!({"isFile": true});
            entry
        };
        let entries = [
            file("FILE", "[key]\nis = {{ a }}\n"),
            file("FULL", "{{ large }}"),
            file("OVER", "{{ large }}."),
        ];
        apply(&case, &entries).await;
        let object = case.wait_reason("templates", "ValueTooLarge").await;
        assert_eq!(entry(&object, "OVER").1, Some("ValueTooLarge"));
        let (made, full) = (
            STANDARD.encode(format!("[key]\nis = {value}\n")),
            STANDARD.encode(large),
        );
        case.wait_held(&[("FILE", &made), ("FULL", &full)]).await;
        case.finish().await;
    });
}
