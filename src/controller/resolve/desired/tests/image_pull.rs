//! The one entry of an image pull secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::http::ErrorClass;

const PAIR: &str = "dXNlcjp0b2tlbg==";

fn image_pull(secret: &Value, data: Data<'_>) -> DesiredState {
    let reference = json!({"name": "api", "key": "k"});
    let pipecat = json!({"apiKeySecretRef": reference, "imagePullSecret": secret});
    let value = json!({"provider": {"pipecat": pipecat}});
    let secrets = sources(&[("s", data)]);
    desired(&value, &secrets, ProviderKind::Pipecat).unwrap()
}

fn refused(secret: &Value, data: Data<'_>) -> Failure {
    let desired = image_pull(secret, data);
    assert_eq!(desired.entries.len(), 1);
    assert_eq!(desired.entries[0].options, Options::default());
    desired.entries[0]
        .value
        .as_ref()
        .map(|_| ())
        .unwrap_err()
        .clone()
}

#[test]
fn it_has_the_name_of_the_set_and_the_host_as_an_option() {
    let file = json!({"auths": {"ghcr.io": {"auth": PAIR}}}).to_string();
    let data: Data<'_> = &[(".dockerconfigjson", file.as_bytes())];
    let desired = image_pull(&json!({"secretRef": {"name": "s"}}), data);
    assert_eq!(
        shown(&desired),
        [("object".to_owned(), Ok(PAIR.to_owned()))]
    );
    let entry = &desired.entries[0];
    assert_eq!(entry.options.host.as_deref(), Some("https://ghcr.io"));
    let form = provider::IMAGE_PULL_RULES.form_of(&entry.options);
    assert_eq!(form, provider::Form::ImagePull);
    assert_eq!(
        (entry.secret.as_str(), entry.marks),
        ("s", Marks::default())
    );
}

/// The marks of a credential in a key, and in the file of a `kubernetes.io/dockerconfigjson` Secret.
fn marks_of(desired: &DesiredState) -> (bool, bool) {
    let entry = &desired.entries[0];
    assert!(entry.value.is_ok());
    (entry.marks.is_line, entry.marks.has_byte_order_mark)
}

/// Cases: R-24
#[rstest]
#[case::a_pair("user:token", (false, false))]
#[case::a_line("user:token\n", (true, false))]
#[case::a_mark("\u{feff}user:token", (false, true))]
#[case::a_mark_before_the_token("user:\u{feff}token\n", (true, true))]
fn what_is_sent_and_hardly_meant_is_told_in_each_form(
    #[case] pair: &str,
    #[case] expected: (bool, bool),
) {
    let key = json!({"host": "ghcr.io", "secretKeyRef": {"name": "s", "key": "auth"}});
    let encoded = STANDARD.encode(pair);
    // The newline after the base64 is no part of what is sent.
    for stored in [pair.to_owned(), encoded.clone(), encoded.clone() + "\n"] {
        let desired = image_pull(&key, &[("auth", stored.as_bytes())]);
        assert_eq!(marks_of(&desired), expected, "{stored:?}");
    }
    let (user, token) = pair.split_once(':').unwrap();
    let forms = [
        json!({"auth": encoded}),
        json!({"username": user, "password": token}),
    ];
    for kept in forms {
        let file = json!({"auths": {"ghcr.io": kept}}).to_string();
        let data: Data<'_> = &[(".dockerconfigjson", file.as_bytes())];
        let desired = image_pull(&json!({"secretRef": {"name": "s"}}), data);
        assert_eq!(marks_of(&desired), expected, "{file}");
    }
}

#[rstest]
#[case::old(".dockercfg", "{}", Reason::Unsupported, "kubernetes.io/dockercfg")]
#[case::other("auth", "{}", Reason::Unsupported, "has no key .dockerconfigjson")]
#[case::garbage(
    ".dockerconfigjson",
    "canary",
    Reason::InvalidEncoding,
    "is not the JSON"
)]
#[case::helper(
    ".dockerconfigjson",
    r#"{"auths":{"ghcr.io":{}},"credsStore":"canary"}"#,
    Reason::InvalidEncoding,
    "credential helper"
)]
#[case::no_pair(
    ".dockerconfigjson",
    r#"{"auths":{"ghcr.io":{"auth":"canary"}}}"#,
    Reason::InvalidEncoding,
    "not the base64 of user:token"
)]
#[case::identity_token(
    ".dockerconfigjson",
    r#"{"auths":{"a.azurecr.io":{"auth":"MDAwMDo=","identitytoken":"canary"}}}"#,
    Reason::InvalidEncoding,
    "takes a user and a token"
)]
#[case::no_host(
    ".dockerconfigjson",
    r#"{"auths":{"user:canary@ghcr.io":{"auth":"dXNlcjp0b2tlbg=="}}}"#,
    Reason::InvalidEncoding,
    "is not a host"
)]
#[case::several(
    ".dockerconfigjson",
    r#"{"auths":{"b.io":{"auth":"canary"},"a.io":{}}}"#,
    Reason::InvalidSpec,
    "for a.io, b.io. Name one in spec.provider.pipecat.imagePullSecret.host"
)]
fn a_secret_that_does_not_do_is_told(
    #[case] key: &str,
    #[case] value: &str,
    #[case] reason: Reason,
    #[case] words: &str,
) {
    let data: Data<'_> = &[(key, value.as_bytes())];
    let failure = refused(&json!({"secretRef": {"name": "s"}}), data);
    assert_eq!(
        (failure.class, failure.reason),
        (ErrorClass::Config, reason)
    );
    assert!(failure.message.contains(words), "{}", failure.message);
    assert!(!failure.message.contains("canary"), "{}", failure.message);
}

/// Cases: R-11
#[rstest]
#[case::no_keys(None, Reason::KeyNotFound, "has no key .dockerconfigjson")]
#[case::no_bytes(Some(""), Reason::EmptyValue, "is empty")]
#[case::no_auths(Some("{}"), Reason::EmptyValue, "for any registry yet")]
#[case::no_registry(Some(r#"{"auths":{}}"#), Reason::EmptyValue, "for any registry yet")]
#[case::no_token(
    Some(r#"{"auths":{"ghcr.io":{"username":"canary","password":"","auth":"Y2FuYXJ5Og=="}}}"#),
    Reason::EmptyValue,
    "the user or the token is empty"
)]
fn a_secret_that_is_not_filled_yet_is_waited_for(
    #[case] file: Option<&str>,
    #[case] reason: Reason,
    #[case] words: &str,
) {
    let data: Vec<(&str, &[u8])> = file
        .iter()
        .map(|file| (".dockerconfigjson", file.as_bytes()))
        .collect();
    for secret in [
        json!({"secretRef": {"name": "s"}}),
        json!({"secretRef": {"name": "s"}, "host": "ghcr.io"}),
    ] {
        let failure = refused(&secret, &data);
        assert_eq!(
            (failure.class, failure.reason),
            (ErrorClass::Waiting, reason)
        );
        assert!(failure.message.contains(words), "{}", failure.message);
        assert!(!failure.message.contains("canary"), "{}", failure.message);
    }
}

/// Cases: R-11
#[rstest]
#[case(b"")]
#[case(b"\n")]
#[case(b"canary:")]
#[case(b"Og==")]
fn a_key_that_is_not_filled_yet_is_waited_for(#[case] bytes: &[u8]) {
    let key = json!({"host": "ghcr.io", "secretKeyRef": {"name": "s", "key": "auth"}});
    let failure = refused(&key, &[("auth", bytes)]);
    assert_eq!(
        (failure.class, failure.reason),
        (ErrorClass::Waiting, Reason::EmptyValue)
    );
    assert!(failure.message.contains("is empty"), "{}", failure.message);
    assert!(!failure.message.contains("canary"), "{}", failure.message);
}

#[test]
fn a_key_that_does_not_do_is_told_and_one_that_is_missing_is_waited_for() {
    let key = json!({"host": "ghcr.io", "secretKeyRef": {"name": "s", "key": "auth"}});
    let failure = refused(&key, &[("auth", b"canary")]);
    assert_eq!(failure.reason, Reason::InvalidEncoding);
    assert!(failure.message.contains("neither user:token nor"));
    assert!(!failure.message.contains("canary"));
    assert_eq!(refused(&key, &[]).reason, Reason::KeyNotFound);
    let named = json!({"host": "quay.io", "secretRef": {"name": "s"}});
    let file = json!({"auths": {"ghcr.io": {"auth": PAIR}}}).to_string();
    let failure = refused(&named, &[(".dockerconfigjson", file.as_bytes())]);
    assert_eq!(failure.reason, Reason::InvalidSpec);
    assert!(
        failure
            .message
            .contains("no credential for quay.io, but for ghcr.io")
    );
    let elsewhere = json!({"secretRef": {"name": "gone"}});
    assert_eq!(refused(&elsewhere, &[]).reason, Reason::SecretNotFound);
    assert_eq!(refused(&json!({}), &[]).reason, Reason::InvalidSpec);
}
