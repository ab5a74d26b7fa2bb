//! Templates, and entries that have no one source.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// An entry with a template over the Secret `s`.
fn template(name: &str, text: &str) -> Value {
    json!({"name": name, "template": text, "secretRef": {"name": "s"}})
}

#[rstest]
#[case::made("a{{ k }}\n", Ok("avalue\n"))]
#[case::empty("{{ secret['empty'] }}", Err(Reason::EmptyValue))]
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
        let wanted = wanted(&data, &secrets, kind).unwrap();
        let expected = expected.map(str::to_owned);
        assert_eq!(shown(&wanted), [("NAME".to_owned(), expected)]);
    }
}

#[test]
fn a_template_that_is_wrong_waits_for_no_secret() {
    let data = json!({"data": [template("BAD", "{{ k"), template("GOOD", "{{ k }}")]});
    let wanted = wanted(&data, &Sources::default(), ProviderKind::Baseten).unwrap();
    let expected = [
        ("BAD".to_owned(), Err(Reason::InvalidTemplate)),
        ("GOOD".to_owned(), Err(Reason::SecretNotFound)),
    ];
    assert_eq!(shown(&wanted), expected);
}

#[test]
fn an_entry_without_exactly_one_source_is_refused() {
    let mut both = one("BOTH");
    both["template"] = "{{ k }}".into();
    let data = json!({"data": [both, {"name": "HALF", "template": "a"}, {"name": "NONE"}]});
    let wanted = wanted(&data, &Sources::default(), ProviderKind::Baseten).unwrap();
    for (name, value) in shown(&wanted) {
        assert_eq!(value, Err(Reason::InvalidSpec), "{name}");
    }
}
