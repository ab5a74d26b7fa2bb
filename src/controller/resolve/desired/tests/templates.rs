//! Templates, entries that have no one source, and the newline at the end.

use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;

/// An entry with a template over the Secret `s`.
fn template(name: &str, text: &str) -> Value {
    json!({"name": name, "template": text, "secretRef": {"name": "s"}})
}

#[rstest]
#[case::made("a{{ k }}\n", Ok("avalue\n"))]
#[case::empty("{{ secret['empty'] }}", Err(Reason::EmptyValue))]
#[case::empty_in_a_text("postgres://{{ k }}:{{ empty }}@db", Err(Reason::EmptyValue))]
#[case::empty_with_a_default("a{{ empty | default('') }}", Ok("a"))]
#[case::missing("{{ absent }}", Err(Reason::KeyNotFound))]
#[case::binary("{{ binary }}", Err(Reason::InvalidEncoding))]
#[case::not_base64(
    "{{ secret['empty'] | default('%', true) | b64decode }}",
    Err(Reason::InvalidEncoding)
)]
#[case::invalid("{{ k * 2 }}", Err(Reason::InvalidTemplate))]
fn a_template_is_made_or_refused(#[case] text: &str, #[case] expected: Result<&str, Reason>) {
    let secrets = sources(&[("s", &[("k", b"value"), ("empty", b""), ("binary", b"\xff")])]);
    for kind in [ProviderKind::Baseten, ProviderKind::Pipecat] {
        let data = json!({"data": [template("NAME", text)]});
        let desired = desired(&data, &secrets, kind).unwrap();
        let expected = expected.map(str::to_owned);
        assert_eq!(shown(&desired), [("NAME".to_owned(), expected)]);
    }
}

#[test]
fn a_template_that_is_wrong_waits_for_no_secret() {
    let data = json!({"data": [template("BAD", "{{ k"), template("GOOD", "{{ k }}")]});
    let desired = desired(&data, &Sources::default(), ProviderKind::Baseten).unwrap();
    let expected = [
        ("BAD".to_owned(), Err(Reason::InvalidTemplate)),
        ("GOOD".to_owned(), Err(Reason::SecretNotFound)),
    ];
    assert_eq!(shown(&desired), expected);
}

#[test]
fn an_entry_without_exactly_one_source_is_refused() {
    let mut both = one("BOTH");
    both["template"] = "{{ k }}".into();
    let data = json!({"data": [both, {"name": "HALF", "template": "a"}, {"name": "NONE"}]});
    let desired = desired(&data, &Sources::default(), ProviderKind::Baseten).unwrap();
    for (name, value) in shown(&desired) {
        assert_eq!(value, Err(Reason::InvalidSpec), "{name}");
    }
}

/// Cases: C-12
#[rstest]
#[case("key\n", true)]
#[case("key\r\n", true)]
#[case("\n", true)]
#[case("key", false)]
#[case("", false)]
#[case("one\ntwo\n", false)]
#[case("key\n\n", false)]
#[case("-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n", false)]
fn one_line_with_a_newline_is_known_and_sent_as_it_is(#[case] value: &str, #[case] is_line: bool) {
    let secrets = sources(&[("s", &[("k", value.as_bytes())])]);
    let mut file = one("FILE");
    file["primeIntellect"] = json!({"isFile": true});
    let data = json!({
        "data": [one("NAME"), template("MADE", "{{ k }}"), file],
        "dataFrom": [{"secretRef": {"name": "s"}, "nameTransform": "UpperSnake"}],
    });
    let desired = desired(&data, &secrets, ProviderKind::PrimeIntellect).unwrap();
    assert_eq!(desired.entries.len(), 4);
    for entry in &desired.entries {
        assert_eq!(entry.secret, "s");
        assert_eq!(
            entry.marks.is_line,
            is_line && entry.name != "FILE",
            "{}",
            entry.name
        );
        if let (Ok(sent), false) = (&entry.value, entry.name == "FILE") {
            assert_eq!(sent.expose_secret(), value);
        }
    }
}
