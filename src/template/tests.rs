//! What templates make, what they may not, and how little they can do.

mod bounds;
mod properties;

use rstest::rstest;

use super::*;

type Data<'a> = &'a [(&'a str, &'a [u8])];

fn render(source: &str, data: Data<'_>) -> Result<String, Fault> {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Zeroizing::new(value.to_vec())))
        .collect();
    let made = Renderer::new().render(&Template::new(source)?, &data)?;
    Ok(utf8(&made.text))
}

fn utf8(text: &[u8]) -> String {
    String::from_utf8(text.to_vec()).unwrap()
}

fn invalid(source: &str) -> &'static str {
    match Template::new(source).err() {
        Some(Fault::Invalid { what, .. }) => what,
        other => panic!("{source:?}: {other:?}"),
    }
}

#[rstest]
#[case(
    "postgres://{{ user }}:{{ password | urlencode }}@db/app",
    "postgres://ann:p%2Fw%40%20%25%C3%A9@db/app"
)]
#[case(
    "{{ secret[\"api-key\"] }} {{ secret['tls.crt'] }} {{ secret.user }}",
    "key\u{1} pem\n ann"
)]
#[case("{{ secret['secret'] }}", "inner")]
#[case("{{ user | upper | lower | b64encode | b64decode }}", "ann")]
#[case(
    "{{ '-._~09azAZ!$&+,/:;=?@[]^`{|}' | urlencode }}",
    "-._~09azAZ%21%24%26%2B%2C%2F%3A%3B%3D%3F%40%5B%5D%5E%60%7B%7C%7D"
)]
#[case("{{ spaces | trim }}", "x")]
#[case("{{ user | replace('n', \"{{x}}\") }}", "a{{x}}{{x}}")]
#[case(
    "{\"key\": {{ secret['api-key'] | tojson }}}",
    "{\"key\": \"key\\u0001\"}"
)]
#[case("{{ missing | default('5432') }}{{ missing | default }}", "5432")]
#[case("{{ empty | default('x', true) }}{{ empty | default('y') }}", "x")]
#[case("{{ missing | default(user) }}", "ann")]
#[case("{{ empty | default('') }}{{ user | default(empty) }}", "ann")]
#[case("{% if empty %}{{ empty }}{% else %}no{% endif %}", "no")]
#[case("{% if empty is defined %}[{{ empty }}]{% endif %}", "[]")]
#[case("{{ empty or user }}{{ empty if empty else 'x' }}", "annx")]
#[case("{{ 'x' if empty == '' else 'y' }}", "x")]
#[case("{{ 'x' if user else empty }}", "x")]
#[case(
    "{% if missing is defined %}a{% elif user == 'ann' and not empty %}b{% else %}c{% endif %}",
    "b"
)]
#[case("{{ 'a' if missing is not defined else missing }}", "a")]
#[case(
    "{{ user or 'x' }}{{ 'y' if user != 'ann' else 1 }}{{ 12 | tojson }}",
    "ann1\"12\""
)]
#[case("{# no words #}{% raw %}{{ user }}{% endraw %}\n\n", "{{ user }}\n\n")]
#[case("  {{- user -}}  \r\n", "ann")]
#[case("  {{ user }}  \r\n", "  ann  \r\n")]
#[case("{{ '*~{% for %}' }}", "*~{% for %}")]
#[case("<&>{{ '<&>' }}", "<&><&>")]
#[case("{{ like }}", "{{ user }}{% if %}{#")]
fn a_template_makes_a_text(#[case] source: &str, #[case] expected: &str) {
    let data: Data<'_> = &[
        ("user", b"ann"),
        ("password", "p/w@ %é".as_bytes()),
        ("api-key", b"key\x01"),
        ("tls.crt", b"pem\n"),
        ("secret", b"inner"),
        ("spaces", b" \tx\r\n"),
        ("empty", b""),
        ("like", b"{{ user }}{% if %}{#"),
        ("binary", b"\xff"),
    ];
    assert_eq!(render(source, data), Ok(expected.to_owned()));
}

#[rstest]
#[case::missing("{{ a }}{{ b }}", Fault::Missing("b".to_owned()))]
#[case::missing_of_secret("{{ secret['b-c'] }}", Fault::Missing("b-c".to_owned()))]
#[case::missing_beside_default("{{ c | default('') }}{{ b }}", Fault::Missing("b".to_owned()))]
#[case::missing_before_default("{{ b | replace(c | default('x'), 'y') }}", Fault::Missing("b".to_owned()))]
#[case::missing_in_default("{{ b | default(c) }}", Fault::Missing("c".to_owned()))]
#[case::missing_in_branch("{% if b %}x{% endif %}", Fault::Missing("b".to_owned()))]
#[case::missing_in_comparison("{{ 'x' if b == 'y' else 'z' }}", Fault::Missing("b".to_owned()))]
#[case::missing_in_not("{{ not b }}", Fault::Missing("b".to_owned()))]
#[case::missing_in_filter("{{ b | trim }}", Fault::Missing("b".to_owned()))]
#[case::missing_after_empty("{{ empty }}{{ b }}", Fault::Missing("b".to_owned()))]
#[case::empty("x{{ empty }}y", Fault::Empty("empty".to_owned()))]
#[case::empty_in_filter("{{ empty | upper }}", Fault::Empty("empty".to_owned()))]
#[case::empty_of_secret("x{{ secret['empty'] | b64encode }}", Fault::Empty("empty".to_owned()))]
#[case::empty_argument("{{ a | replace('v', empty) }}", Fault::Empty("empty".to_owned()))]
#[case::empty_that_a_filter_refuses("{{ a | replace(empty, 'v') }}", Fault::Empty("empty".to_owned()))]
#[case::empty_in_branch("{% if a %}{{ empty }}{% endif %}", Fault::Empty("empty".to_owned()))]
#[case::empty_in_choice("{{ a if a == 'x' else empty }}", Fault::Empty("empty".to_owned()))]
#[case::empty_after_branch("{% if empty %}x{% endif %}{{ empty }}", Fault::Empty("empty".to_owned()))]
#[case::empty_in_and("{{ a and empty }}", Fault::Empty("empty".to_owned()))]
#[case::not_text("{{ binary }}", Fault::NotText("binary".to_owned()))]
#[case::not_text_unreached("{{ 'x' if true else binary }}", Fault::NotText("binary".to_owned()))]
#[case::nul("{{ nul | urlencode }}", Fault::HoldsNul)]
#[case::nul_in_json("{{ secret['nul'] | tojson }}", Fault::HoldsNul)]
#[case::nul_in_base64("{{ nul | b64encode }}", Fault::HoldsNul)]
#[case::nul_unreached("{{ 'x' if true else nul }}", Fault::HoldsNul)]
#[case::nul_that_is_decoded("{{ encoded | b64decode | urlencode }}", Fault::HoldsNul)]
#[case::not_base64("{{ a | b64decode }}", Fault::NotBase64)]
#[case::not_text_in_base64("{{ '//8=' | b64decode }}", Fault::NotBase64)]
#[case::replace_nothing("\n{{ a | replace('', 'x') }}", Fault::Invalid { what: check::ARGUMENTS, line: Some(2) })]
#[case::bool("{{ true | upper }}", Fault::Invalid { what: check::ARGUMENTS, line: Some(1) })]
fn a_text_that_cannot_be_made_is_told_of(#[case] source: &str, #[case] expected: Fault) {
    let data: Data<'_> = &[
        ("a", b"value"),
        ("binary", b"\xff"),
        ("empty", b""),
        ("nul", b"k\0e\0y\0"),
        ("encoded", b"awBlAHkA"),
    ];
    assert_eq!(render(source, data), Err(expected));
}

/// Cases: R-24
#[rstest]
#[case::alone("{{ a }}", true)]
#[case::inside("x{{ a }}", true)]
#[case::encoded("{{ a | urlencode }}", true)]
#[case::of_secret("{{ secret['a'] | b64encode }}", true)]
#[case::in_a_branch("{% if a %}x{{ a }}{% endif %}", true)]
#[case::another_key("{{ b }}", false)]
#[case::a_branch_that_is_not_taken("{{ b if b else a }}", false)]
#[case::not_at_the_beginning("{{ c }}", false)]
fn a_byte_order_mark_of_a_key_that_is_used_is_told_of(
    #[case] source: &str,
    #[case] expected: bool,
) {
    let value = |value: &str| Zeroizing::new(value.as_bytes().to_vec());
    let data = BTreeMap::from([
        ("a".to_owned(), value("\u{feff}key")),
        ("b".to_owned(), value("key")),
        ("c".to_owned(), value("key\u{feff}")),
    ]);
    let template = Template::new(source).unwrap();
    let made = Renderer::new().render(&template, &data).ok().unwrap();
    assert_eq!(made.has_byte_order_mark, expected);
}

#[rstest]
#[case("{% for x in a %}{% endfor %}")]
#[case("{% set x = a %}")]
#[case("{% set x %}a{% endset %}")]
#[case("{% with x = a %}{% endwith %}")]
#[case("{% macro m() %}{% endmacro %}")]
#[case("{% call m() %}{% endcall %}")]
#[case("{% include 'a' %}")]
#[case("{% import 'a' as b %}")]
#[case("{% from 'a' import b %}")]
#[case("{% extends 'a' %}")]
#[case("{% block a %}{% endblock %}")]
#[case("{% filter upper %}{% endfilter %}")]
#[case("{% autoescape true %}{% endautoescape %}")]
#[case("{% do a() %}")]
#[case("{%- for x in a -%}{%- endfor -%}")]
#[case("{{ a * 9 }}")]
#[case("{{ 'a' * 1000000000000 }}")]
#[case("{{ a ~ a }}")]
#[case("{{ a + a }}")]
#[case("{{ -1 }}")]
#[case("{{ 2 ** 9 }}")]
#[case("{{ a[0:1] }}")]
#[case("{{ a < a }}")]
#[case("{{ a == a == a }}")]
#[case("{{ 'a' in a }}")]
#[case("{{ 'a' not in a }}")]
#[case("{{ a() }}")]
#[case("{{ a.upper() }}")]
#[case("{{ range(9) }}")]
#[case("{{ [a] }}")]
#[case("{{ (a, a) }}")]
#[case("{{ {'a': a} }}")]
#[case("{{ none }}")]
#[case("{{ 1.5 }}")]
#[case("{{ 99999999999999999999 }}")]
#[case("{{ a.b }}")]
#[case("{{ a['b'] }}")]
#[case("{{ secret }}")]
#[case("{{ secret | tojson }}")]
#[case("{{ secret[a] }}")]
#[case("{{ secret[0] }}")]
#[case("{{ secret.a.b }}")]
#[case("{{ secret.tls.crt }}")]
#[case("{{ a | safe }}")]
#[case("{{ a | upper('x') }}")]
#[case("{{ a | replace('x') }}")]
#[case("{{ a | default(*a) }}")]
#[case("{{ a | default(**a) }}")]
#[case("{{ a | default(value=a) }}")]
#[case("{{ a is string }}")]
#[case("{{ a is defined(a) }}")]
#[case("{{ 'x' if a }}")]
#[case("{{ a")]
#[case("{{ a }")]
#[case("{{ }}")]
#[case("{% if a %}")]
#[case("{% endif %}")]
#[case("{% else %}")]
#[case("{% if a %}{% else %}{% else %}{% endif %}")]
#[case("{# open")]
#[case("{{ 'open }}")]
#[case("{{ 'a' 'b' | c }}")]
fn what_is_not_listed_is_refused(#[case] source: &str) {
    invalid(source);
    // Neither does it help to hide it behind or in something else.
    invalid(&format!("{{# {{{{ #}}{{{{ '{{% raw %}}' }}}}{source}"));
}

#[test]
fn a_fault_names_its_line() {
    let fault = Template::new("a\nb {{ a }}\n{{ a + 1 }}").err();
    assert!(
        matches!(fault, Some(Fault::Invalid { line: Some(3), .. })),
        "{fault:?}"
    );
    let fault = Template::new("a\n{{ a").err();
    assert!(
        matches!(fault, Some(Fault::Invalid { line: Some(2), .. })),
        "{fault:?}"
    );
}

#[test]
fn a_template_has_4_kibibytes_at_most() {
    let just = "a".repeat(MAX_TEMPLATE);
    assert_eq!(render(&just, &[]), Ok(just.clone()));
    invalid(&format!("{just}a"));
}

/// The engine's parser recurses for each of these; unchecked, some end the process.
#[test]
fn no_nesting_overflows_the_stack() {
    let deep = |open: &str, middle: &str, close: &str| {
        let count = (MAX_TEMPLATE - 20) / (open.len() + close.len());
        format!("{}{middle}{}", open.repeat(count), close.repeat(count))
    };
    let tags = [
        deep("-", "1", ""),
        deep("not ", "a", ""),
        deep("(", "a", ")"),
        deep("[", "a", "]"),
        deep("{1:", "a", "}"),
        deep("", "a", ".a"),
        deep("", "a", "[0]"),
        deep("", "a", "|trim"),
        deep("", "a", " or a"),
        deep("", "a", " == a"),
        deep("", "a", " is defined"),
        deep("", "a", " if a else a"),
        deep("", "a", "()"),
        deep("a|default(", "a", ")"),
    ];
    let statements = [
        deep("{%if a%}", "a", "{%endif%}"),
        format!("{{%if a%}}{}{{%endif%}}", deep("{%elif a%}", "", "")),
        format!("{{%for {}", deep("(", "a", "")),
        format!("{{%set {}", deep("(", "a", "")),
        deep("{%", "", ""),
        deep("{{", "", ""),
        deep("{#", "", "#}"),
    ];
    let all = tags.iter().map(|tag| format!("{{{{ {tag} }}}}"));
    // As large as that of a worker of the runtime, less what a reconcile uses of it.
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    let all: Vec<String> = all.chain(statements).collect();
    let test = thread.spawn(move || {
        for source in all {
            assert!(source.len() <= MAX_TEMPLATE);
            let _ = render(&source, &[("a", b"x")]);
        }
    });
    test.unwrap().join().unwrap();
}

/// What is allowed at most, on the same stack.
#[test]
fn the_deepest_allowed_template_renders() {
    let test = || {
        let or = format!("{{{{ {}a }}}}", "not ".repeat(90));
        let brackets = format!("{{{{ {}a{} }}}}", "a|default(".repeat(8), ")".repeat(8));
        let branches = format!("{}a{}", "{%if a%}".repeat(16), "{%endif%}".repeat(16));
        let filters = format!("{{{{ a{} }}}}", "|trim".repeat(45));
        let choices = format!("{{{{ a{} }}}}", " if a else a".repeat(20));
        for source in [or, brackets, branches, filters, choices] {
            assert!(render(&source, &[("a", b"x")]).is_ok(), "{source}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

#[test]
fn nothing_that_holds_a_value_shows_it() {
    let data = BTreeMap::from([("a".to_owned(), Zeroizing::new(b"C4n4ry".to_vec()))]);
    let keys = Keys::new(
        &Template::new("{{ a }}").unwrap().used,
        &data,
        &Renderer::new().budget,
    )
    .unwrap();
    let root = Value::from_object(Root(Arc::new(keys)));
    assert!(!format!("{root:?} {root:#?} {root}").contains("C4n4ry"));
}
