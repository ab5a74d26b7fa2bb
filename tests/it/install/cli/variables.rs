//! What comes by a variable, and what of it is said.

use super::{assert_refused, provider_secrets};

#[test]
fn a_wrong_variable_is_refused_like_a_wrong_flag() {
    let cases = [
        ("PROVIDER_SECRETS_LOG_FORMAT", "xml", "xml"),
        ("PROVIDER_SECRETS_METRICS_BIND_ADDRESS", "8080", ":PORT"),
        (
            "PROVIDER_SECRETS_ENDPOINT",
            "baseten=http://example.com",
            "loopback",
        ),
        ("PROVIDER_SECRETS_MAX_CONCURRENT_RECONCILES", "0", "0"),
        ("PROVIDER_SECRETS_LOG_LEVEL", "loud=very=x", "level"),
        (
            "RUST_LOG",
            "degub",
            "RUST_LOG: \"degub\" is no log level, did you mean debug?",
        ),
        ("PROVIDER_SECRETS_WATCH_NAMESPACES", "one two", "one two"),
    ];
    for (variable, value, part) in cases {
        let ended = provider_secrets(&["run"], &[(variable, value)]);
        assert_refused(&ended, &[part]);
    }
}

/// A URL that is refused may hold a password, and a log keeps what a process says.
#[test]
fn a_refused_value_is_not_repeated_where_it_may_hold_a_password() {
    let password = "c0rr3ct-h0rse";
    let proxy = format!("http://user:{password}@proxy.example:3128");
    let port = format!("http://user:{password}@proxy.example:99999");
    let endpoint = format!("baseten=http://user:{password}@example.com");
    for (flag, value) in [
        ("--https-proxy", &proxy),
        ("--https-proxy", &port),
        ("--endpoint", &endpoint),
    ] {
        let ended = provider_secrets(&["run", flag, value], &[]);
        assert!(!ended.stderr.contains(password), "{}", ended.stderr);
        assert_refused(&ended, &[flag]);
    }
    let variable = [("PROVIDER_SECRETS_HTTPS_PROXY", proxy.as_str())];
    let ended = provider_secrets(&["run"], &variable);
    assert!(!ended.stderr.contains(password), "{}", ended.stderr);
    assert_refused(&ended, &["--https-proxy"]);
}

#[test]
fn an_empty_variable_is_none() {
    let help = provider_secrets(&["run", "--help"], &[]).stdout;
    let variables = help.split("[env: ").skip(1);
    let variables: Vec<&str> = variables
        .filter_map(|rest| rest.split(['=', ']']).next())
        .collect();
    assert!(variables.len() > 20, "{variables:?}");
    for variable in variables {
        let ended = provider_secrets(&["run"], &[(variable, "")]);
        assert_refused(&ended, &["no cluster"]);
    }
}

#[test]
fn namespaces_are_listed_repeated_or_left_out() {
    for flags in [
        &["--watch-namespaces=one,two", "--watch-namespaces=three"][..],
        &["--watch-namespaces="],
        &["--watch-namespaces", "one"],
    ] {
        let ended = provider_secrets(&[&["run"], flags].concat(), &[]);
        assert_refused(&ended, &["no cluster"]);
    }
    let variable = "PROVIDER_SECRETS_WATCH_NAMESPACES";
    for value in ["", "one", "one,two"] {
        let ended = provider_secrets(&["run"], &[(variable, value)]);
        assert_refused(&ended, &["no cluster"]);
    }
}

#[test]
fn a_flag_wins_over_its_variable() {
    let wrong = [("PROVIDER_SECRETS_LOG_FORMAT", "xml")];
    let ended = provider_secrets(&["run", "--log-format=json"], &wrong);
    assert_refused(&ended, &["no cluster"]);
}
