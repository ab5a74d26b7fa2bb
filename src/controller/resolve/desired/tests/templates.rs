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

/// Cases: R-24
#[rstest]
#[case::as_it_is("{{ k }}")]
#[case::in_a_url("postgres://{{ k | urlencode }}@db")]
#[case::in_json("{{ k | tojson }}")]
#[case::in_base64("{{ k | b64encode }}")]
#[case::decoded("{{ encoded | b64decode | tojson }}")]
fn a_template_of_a_key_with_nul_is_refused_like_the_key(#[case] text: &str) {
    let data = |key: &'static [u8], encoded: &'static [u8]| {
        sources(&[(
            "s",
            &[("k", key), ("encoded", encoded), ("unused", b"\0\xff")],
        )])
    };
    let entries = json!({"data": [one("NAME"), template("NAMED", text)]});
    for kind in ProviderKind::ALL {
        let utf16 = desired(&entries, &data(b"k\0e\0y\0", b"awBlAHkA"), kind).unwrap();
        let messages = utf16.entries.iter().map(|entry| {
            let failure = entry.value.as_ref().map(|_| ()).unwrap_err();
            assert_eq!(failure.reason, Reason::InvalidEncoding);
            failure.message.replace("NAMED", "NAME")
        });
        let messages: Vec<String> = messages.collect();
        assert_eq!(messages[0], messages[1]);
        let utf8 = desired(&entries, &data(b"key", b"a2V5"), kind).unwrap();
        assert!(utf8.entries.iter().all(|entry| entry.value.is_ok()));
    }
}

/// Cases: R-24
#[rstest]
#[case::at_the_beginning("{{ k }}", true)]
#[case::in_the_middle("postgres://{{ k }}@db", true)]
#[case::encoded("x{{ k | urlencode }}", true)]
#[case::made_by_a_filter("{{ encoded | b64decode }}", true)]
#[case::of_a_key_that_is_not_used("{{ other }}", false)]
fn a_byte_order_mark_is_known_behind_a_template(#[case] text: &str, #[case] expected: bool) {
    let secrets = sources(&[(
        "s",
        &[
            ("k", b"\xef\xbb\xbfkey"),
            ("other", b"key"),
            ("encoded", b"77u/a2V5"),
        ],
    )]);
    let mut file = template("FILE", text);
    file["primeIntellect"] = json!({"isFile": true});
    let data = json!({"data": [template("NAME", text), file]});
    let desired = desired(&data, &secrets, ProviderKind::PrimeIntellect).unwrap();
    for entry in &desired.entries {
        assert!(entry.value.is_ok());
        let is_told = expected && entry.name == "NAME";
        assert_eq!(entry.marks.has_byte_order_mark, is_told, "{}", entry.name);
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
