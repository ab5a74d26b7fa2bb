//! Every form a credential comes in, and every form it must not.

use proptest::prelude::*;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

/// `user:token`.
const PAIR: &str = "dXNlcjp0b2tlbg==";

fn config(json: &Value, host: Option<&str>) -> Result<(String, String), Fault> {
    shown(from_config(json.to_string().as_bytes(), host))
}

fn shown(login: Result<Login, Fault>) -> Result<(String, String), Fault> {
    login.map(|login| (login.host, login.credential.expose_secret().to_owned()))
}

fn auths(hosts: &[&str]) -> Value {
    let auths = hosts.iter().map(|host| (*host, json!({"auth": PAIR})));
    json!({"auths": auths.collect::<BTreeMap<_, _>>()})
}

#[rstest]
#[case::auth(json!({"auth": PAIR}), Ok(PAIR))]
#[case::auth_without_padding(json!({"auth": "dXNlcjp0b2tlbg"}), Ok(PAIR))]
#[case::auth_with_a_newline(json!({"auth": "dXNlcjp0b2tlbg==\n"}), Ok(PAIR))]
#[case::auth_wins(json!({"auth": PAIR, "username": "other", "password": "other"}), Ok(PAIR))]
#[case::pair(json!({"username": "user", "password": "token"}), Ok(PAIR))]
#[case::empty_auth(json!({"auth": "", "username": "user", "password": "token"}), Ok(PAIR))]
#[case::more(json!({"auth": PAIR, "email": "a@example.com", "x": [1]}), Ok(PAIR))]
#[case::user_only(json!({"username": "user"}), Err(Fault::NoCredential))]
#[case::nothing(json!({}), Err(Fault::NoCredential))]
#[case::nulls(json!({"auth": null, "username": null}), Err(Fault::NoCredential))]
#[case::not_base64(json!({"auth": "user:token"}), Err(Fault::NotUserToken))]
#[case::no_colon(json!({"auth": "dXNlcg=="}), Err(Fault::NotUserToken))]
#[case::no_token(json!({"auth": "dXNlcjo="}), Err(Fault::Blank))]
#[case::no_user(json!({"auth": "OnRva2Vu"}), Err(Fault::Blank))]
#[case::colon(json!({"auth": "Og==", "username": "", "password": ""}), Err(Fault::Blank))]
#[case::blank_auth(json!({"auth": ""}), Err(Fault::Blank))]
#[case::blank_password(json!({"username": "user", "password": ""}), Err(Fault::Blank))]
#[case::a_number(json!({"auth": 5}), Err(Fault::NotJson))]
#[case::wrapped(json!({"auth": "dXNl\r\ncjp0\n b2tlbg==\n"}), Ok(PAIR))]
#[case::of_azure(json!({"auth": "MDAwMDo=", "identitytoken": "token"}), Err(Fault::LoneToken))]
#[case::identity_token(json!({"identitytoken": "token"}), Err(Fault::LoneToken))]
#[case::registry_token(json!({"auth": "", "registrytoken": "token"}), Err(Fault::LoneToken))]
#[case::blank_token(json!({"auth": "", "identitytoken": ""}), Err(Fault::Blank))]
#[case::a_token_beside(json!({"auth": PAIR, "identitytoken": "token"}), Ok(PAIR))]
fn what_docker_keeps_for_a_registry(#[case] auth: Value, #[case] expected: Result<&str, Fault>) {
    let login = config(&json!({"auths": {"ghcr.io": auth}}), None);
    let expected = expected.map(|credential| ("https://ghcr.io".to_owned(), credential.to_owned()));
    assert_eq!(login, expected);
}

#[rstest]
#[case::no_json(b"{")]
#[case::no_object(b"[]")]
#[case::no_auths(b"{\"token\": 5}")]
#[case::not_utf_8(b"{\"auths\": {\"\xff\": {}}}")]
fn what_is_not_such_a_file(#[case] bytes: &[u8]) {
    assert_eq!(shown(from_config(bytes, None)), Err(Fault::NotJson));
}

#[rstest]
#[case::no_bytes(b"", Fault::Blank)]
#[case::a_line(b"\n", Fault::Blank)]
#[case::no_auths(b"{}", Fault::Empty)]
#[case::no_registry(b"{\"auths\": {}}", Fault::Empty)]
fn what_another_controller_may_yet_fill(#[case] bytes: &[u8], #[case] expected: Fault) {
    assert_eq!(shown(from_config(bytes, None)), Err(expected.clone()));
    assert_eq!(shown(from_config(bytes, Some("ghcr.io"))), Err(expected));
}

#[rstest]
#[case("ghcr.io", "ghcr.io", "https://ghcr.io")]
#[case("https://ghcr.io/", "GHCR.io", "https://ghcr.io/")]
#[case("ghcr.io", "https://ghcr.io/", "https://ghcr.io")]
#[case("http://localhost:5000", "localhost:5000", "http://localhost:5000")]
#[case(
    "https://index.docker.io/v1/",
    "index.docker.io",
    "https://index.docker.io/v1/"
)]
#[case("quay.io/team", "quay.io/team/", "https://quay.io/team")]
#[case("HTTPS://ghcr.io", "ghcr.io", "https://ghcr.io")]
#[case("Http://localhost:5000", "localhost:5000", "http://localhost:5000")]
fn a_host_is_found_whatever_its_spelling(
    #[case] kept: &str,
    #[case] named: &str,
    #[case] sent: &str,
) {
    let file = auths(&["example.com", kept]);
    let expected = Ok((sent.to_owned(), PAIR.to_owned()));
    assert_eq!(config(&file, Some(named)), expected);
    let others = Registries::Named(vec!["example.com".to_owned()]);
    assert_eq!(
        config(&auths(&["example.com"]), Some(named)),
        Err(Fault::NoSuchHost(others))
    );
}

/// Cases: R-23
#[test]
fn docker_hub_is_one_registry_under_each_of_its_names() {
    let names = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    let spellings = names.iter().flat_map(|name| {
        ["", "https://", "http://"].iter().flat_map(move |scheme| {
            ["", "/", "/v1", "/v1/", "/v2", "/v2/"].map(|path| format!("{scheme}{name}{path}"))
        })
    });
    let spellings: Vec<String> = spellings.collect();
    for kept in &spellings {
        let file = auths(&["ghcr.io", kept]);
        for named in &spellings {
            let (host, credential) = config(&file, Some(named)).unwrap();
            assert!(host.ends_with(kept.as_str()), "{kept} {named}: {host}");
            assert_eq!(credential, PAIR);
        }
    }
    for other in [
        "docker.io.example.com",
        "my.docker.io",
        "docker.io/team",
        "docker.com",
    ] {
        assert!(
            config(&auths(&[other]), Some("docker.io")).is_err(),
            "{other}"
        );
    }
}

#[test]
fn one_registry_is_taken_and_several_are_not() {
    assert_eq!(config(&json!({"auths": {}}), None), Err(Fault::Empty));
    let named =
        |hosts: &[&str]| Registries::Named(hosts.iter().map(|host| (*host).to_owned()).collect());
    let two = auths(&["https://quay.io", "ghcr.io"]);
    let several = Fault::Several(named(&["ghcr.io", "quay.io"]));
    assert_eq!(config(&two, None), Err(several));
    let many = auths(&["a.io", "b.io", "c.io", "d.io", "e.io", "f.io"]);
    let several = Fault::Several(Registries::Counted(6));
    assert_eq!(config(&many, None), Err(several));
    let odd = auths(&["user:token@ghcr.io", "quay.io"]);
    let several = Fault::Several(Registries::Counted(2));
    assert_eq!(config(&odd, None), Err(several));
}

/// Cases: R-23
#[test]
fn several_names_of_one_registry_are_one_credential_and_never_a_guess() {
    let hub = ["docker.io", "https://index.docker.io/v1/"];
    let sent = Ok(("https://docker.io".to_owned(), PAIR.to_owned()));
    assert_eq!(config(&auths(&hub), None), sent);
    // Another credential under each of them.
    let (other, mut file) = ("dXNlcjpvdGhlcg==", auths(&hub));
    file["auths"][hub[1]]["auth"] = json!(other);
    assert!(matches!(config(&file, None), Err(Fault::Several(_))));
    for (named, credential) in [("docker.io", PAIR), ("index.docker.io", other)] {
        let (_, sent) = config(&file, Some(named)).unwrap();
        assert_eq!(sent, credential, "{named}");
    }
}

#[rstest]
#[case("user:token@ghcr.io")]
#[case("ghcr.io?a=b")]
#[case("ghcr.io#a")]
#[case("two words")]
#[case("")]
#[case("ghcr.io\n")]
#[case("oci://ghcr.io")]
#[case("https://oci://ghcr.io")]
#[case("//ghcr.io")]
#[case("https:/ghcr.io")]
#[case("*.ghcr.io")]
#[case("ghcr.io:")]
#[case("ghcr.io:99999")]
#[case("-ghcr.io")]
#[case("https://")]
fn a_registry_is_a_host(#[case] name: &str) {
    assert_eq!(config(&auths(&[name]), None), Err(Fault::InvalidHost));
}

#[rstest]
#[case("http://ghcr.io")]
#[case("HTTP://ghcr.io")]
#[case("http://localhost:5000")]
fn a_key_goes_to_no_registry_in_the_clear(#[case] host: &str) {
    let login = shown(from_key(b"user:token", host));
    assert_eq!(login, Err(Fault::InvalidHost));
}

#[rstest]
#[case::pair("user:token", Ok(PAIR))]
#[case::encoded(PAIR, Ok(PAIR))]
#[case::encoded_line("dXNlcjp0b2tlbg==\n", Ok(PAIR))]
#[case::unpadded("dXNlcjp0b2tlbg", Ok(PAIR))]
#[case::wrapped("dXNlcjp0\nb2tlbg==\n", Ok(PAIR))]
#[case::colons("user:to:ken", Ok("dXNlcjp0bzprZW4="))]
#[case::a_line("user:token\n", Ok("dXNlcjp0b2tlbgo="))]
#[case::token_only("token", Err(Fault::NotUserToken))]
#[case::no_user(":token", Err(Fault::Blank))]
#[case::no_token("user:", Err(Fault::Blank))]
#[case::empty("", Err(Fault::Blank))]
#[case::encoded_colon("Og==", Err(Fault::Blank))]
#[case::utf_16("u\0s\0:\0t\0", Err(Fault::NotUserToken))]
fn a_key_holds_a_pair_or_its_base64(#[case] text: &str, #[case] expected: Result<&str, Fault>) {
    let expected = expected.map(|credential| ("https://ghcr.io".to_owned(), credential.to_owned()));
    assert_eq!(shown(from_key(text.as_bytes(), "ghcr.io")), expected);
}

/// As `printf 'AWS:<token>' | base64` writes it.
#[test]
fn base64_of_many_lines_is_read_as_one() {
    let pair = format!("AWS:{}", "token".repeat(400));
    let encoded = STANDARD.encode(&pair);
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(76)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    let wrapped = format!("{}\n", lines.join("\n"));
    let expected = Ok(("https://ghcr.io".to_owned(), encoded.clone()));
    assert_eq!(shown(from_key(wrapped.as_bytes(), "ghcr.io")), expected);
    let file = json!({"auths": {"ghcr.io": {"auth": wrapped}}});
    assert_eq!(config(&file, None), expected);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, host in ".*") {
        let _ = from_config(&bytes, None);
        let _ = from_config(&bytes, Some(&host));
        let _ = from_key(&bytes, &host);
    }

    #[test]
    fn any_file_is_read_without_a_panic(name in ".*", auth in ".*", host in proptest::option::of(".*")) {
        let file = json!({"auths": {name: {"auth": auth}}}).to_string();
        let _ = from_config(file.as_bytes(), host.as_deref());
    }

    #[test]
    fn what_is_sent_is_what_was_stored(user in "[^:\\x00]{1,20}", token in "[^\n\\x00]{1,40}") {
        let pair = format!("{user}:{token}");
        let plain = from_key(pair.as_bytes(), "ghcr.io").unwrap();
        let stored = json!({"auths": {"ghcr.io": {"username": user, "password": token}}}).to_string();
        let read = from_config(stored.as_bytes(), None).unwrap();
        let sent = plain.credential.expose_secret();
        prop_assert_eq!(sent, read.credential.expose_secret());
        prop_assert_eq!(STANDARD.decode(sent).unwrap(), pair.into_bytes());
        let again = from_key(sent.as_bytes(), "ghcr.io").unwrap();
        prop_assert_eq!(sent, again.credential.expose_secret());
    }
}
