//! What holds for every template.

use proptest::prelude::*;

use super::*;

/// Pieces that mean something to the engine, and some that do not.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "-",
            "+",
            "*",
            "~",
            "**",
            "/",
            "|",
            "(",
            ")",
            "[",
            "]",
            ".",
            ",",
            ":",
            "'",
            "\"",
            "\\",
            "=",
            "==",
            "!=",
            "<",
            " ",
            "\n",
            "\r\n",
            "a",
            "b",
            "secret",
            "if",
            "elif",
            "else",
            "endif",
            "for",
            "in",
            "endfor",
            "set",
            "endset",
            "macro",
            "raw",
            "endraw",
            "not",
            "and",
            "or",
            "is",
            "defined",
            "default",
            "replace",
            "upper",
            "urlencode",
            "b64decode",
            "tojson",
            "none",
            "true",
            "1",
            "1.5",
            "{{ a }}",
            "{{ b | ",
            "{% if a %}",
            "{% endif %}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Filters and values that fit into `{{ … }}`.
fn chains() -> impl Strategy<Value = String> {
    let filter = prop::sample::select(vec![
        "upper",
        "lower",
        "trim",
        "urlencode",
        "tojson",
        "b64encode",
        "b64decode",
        "default('x')",
        "replace('a', 'bb')",
        "replace(b, a)",
        "replace('%', a)",
    ]);
    let subject = prop::sample::select(vec!["a", "b", "secret['a']", "missing", "'text'"]);
    (subject, prop::collection::vec(filter, 0..9))
        .prop_map(|(subject, filters)| [&[subject], filters.as_slice()].concat().join("|"))
}

proptest! {
    #[test]
    fn no_template_panics_and_what_it_makes_is_bounded_and_the_same_again(
        source in pieces(), value in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let data: Data<'_> = &[("a", &value), ("b", b"/ %")];
        let made = render(&source, data);
        if let Ok(text) = &made {
            prop_assert!(text.len() <= MAX_VALUE);
        }
        prop_assert_eq!(made, render(&source, data));
    }

    #[test]
    fn chains_of_filters_are_bounded(chain in chains(), value in "\\PC{0,100}") {
        let source = format!("{{{{ {chain} }}}}");
        match render(&source, &[("a", value.as_bytes()), ("b", b"a")]) {
            Ok(text) => prop_assert!(text.len() <= MAX_VALUE),
            Err(Fault::Missing(key)) => prop_assert_eq!(key, "missing"),
            Err(Fault::TooLarge | Fault::TooMuch | Fault::NotBase64 | Fault::HoldsNul) => {}
            Err(Fault::Empty(key)) => prop_assert_eq!((&*key, &*value), ("a", "")),
            // A value that became empty, replaced.
            Err(Fault::Invalid { what, .. }) => prop_assert_eq!(what, check::ARGUMENTS),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_text_without_marks_is_its_own(source in "[^{]{0,300}") {
        prop_assert_eq!(render(&source, &[]), Ok(source.clone()));
    }

    #[test]
    fn what_stands_in_a_value_is_literal(value in "([{%#}a-z \"'|*~\\\\]|\\PC){1,60}") {
        let data: Data<'_> = &[("a", value.as_bytes()), ("b", b"{{ a }}")];
        prop_assert_eq!(render("{{ a }}", data), Ok(value.clone()));
        prop_assert_eq!(render("[{{ secret['a'] }}]", data), Ok(format!("[{value}]")));
        let decoded = serde_json::from_str(&render("{{ a | tojson }}", data).unwrap());
        prop_assert_eq!(decoded.ok(), Some(value.clone()));
        prop_assert_eq!(render("{{ a | b64encode | b64decode }}", data), Ok(value));
    }

    #[test]
    fn a_password_survives_a_url(value in "\\PC{1,40}") {
        let url = render("https://u:{{ a | urlencode }}@host/path", &[("a", value.as_bytes())]).unwrap();
        let parsed = url::Url::parse(&url).unwrap();
        prop_assert_eq!(parsed.host_str(), Some("host"));
        let encoded = parsed.password().unwrap();
        let bytes: Vec<u8> = url::form_urlencoded::parse(format!("a={encoded}").as_bytes())
            .next().unwrap().1.into_owned().into_bytes();
        prop_assert_eq!(bytes, value.into_bytes());
    }

    /// Forbidden constructs never render, whatever stands around them.
    #[test]
    fn what_is_forbidden_never_renders(
        before in "[a-z {}]{0,5}", after in "[a-z {}]{0,5}",
        forbidden in prop::sample::select(vec![
            "{% for x in a %}{% endfor %}", "{% set x = 1 %}", "{{ a * 2 }}", "{{ a ~ a }}",
            "{% macro m() %}{% endmacro %}", "{% include 'a' %}", "{{ a | filters }}",
        ]),
    ) {
        // A brace before it may make another mark of its first.
        let source = format!("{before} {forbidden}{after}");
        prop_assert!(Template::new(&source).is_err(), "{}", source);
    }
}
