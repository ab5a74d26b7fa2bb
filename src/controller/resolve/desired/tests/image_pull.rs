//! The one entry of an image pull secret.

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

#[rstest]
#[case::a_pair(b"user:token", false)]
#[case::a_line(b"user:token\n", true)]
#[case::encoded(b"dXNlcjp0b2tlbg==\n", false)]
fn only_a_newline_that_is_sent_is_told(#[case] bytes: &[u8], #[case] is_line: bool) {
    let key = json!({"host": "ghcr.io", "secretKeyRef": {"name": "s", "key": "auth"}});
    let desired = image_pull(&key, &[("auth", bytes)]);
    assert!(desired.entries[0].value.is_ok());
    assert_eq!(desired.entries[0].marks.is_line, is_line);
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
