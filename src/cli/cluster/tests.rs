use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ListParams};
use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, timeout},
};

use super::*;

/// Cases: A-06
#[tokio::test(start_paused = true)]
async fn a_list_that_is_never_answered_is_given_up() {
    // Another test may have done so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let _silent = listener.accept().await;
        std::future::pending::<()>().await;
    });
    let config = Config::new(format!("http://{address}").parse().unwrap());
    let client = connection::client(&bounded(config), None).unwrap();
    assert!((205..=296).contains(&patience_of(client).await));
}

/// How many seconds a list that is never answered takes to fail.
async fn patience_of(client: Client) -> u64 {
    let secrets: Api<Secret> = Api::all(client);
    let began = Instant::now();
    let parameters = ListParams::default();
    let listed = timeout(Duration::from_hours(1), secrets.list(&parameters));
    assert!(listed.await.expect("it is given up").is_err());
    began.elapsed().as_secs()
}

/// A kubeconfig with two clusters, of which the second is not the current one.
fn kubeconfig(proxies: [Option<&str>; 2]) -> Kubeconfig {
    let cluster = |name: &str, proxy: Option<&str>| serde_json::json!({"name": name, "cluster": {"server": "http://api.invalid", "proxy-url": proxy}});
    let config = serde_json::json!({
        "clusters": [cluster("one", proxies[0]), cluster("two", proxies[1])],
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "none"}}],
        "current-context": "here",
    });
    serde_json::from_value(config).unwrap()
}

/// Cases: R-14
#[tokio::test]
async fn the_proxy_is_that_of_the_current_cluster() {
    let (one, two) = (Some("http://one.invalid:1"), Some("http://two.invalid:2"));
    for (proxies, expected) in [
        ([None, None], None),
        ([None, two], None),
        ([Some(""), two], None),
        ([one, two], one),
    ] {
        let (config, proxy) = of_kubeconfig(kubeconfig(proxies)).await.unwrap();
        assert_eq!(proxy.as_deref(), expected);
        assert_eq!(bounded(config).proxy_url, None);
    }
}

/// A file of another cluster may come and go.
#[rstest]
#[case::first_is_missing(&["missing", "one", "two"], Some("one"))]
#[case::last_is_missing(&["two", "one", "missing"], Some("two"))]
#[case::without_a_context(&["none", "two"], Some("two"))]
#[case::damaged(&["one", "damaged"], None)]
fn of_a_list_of_kubeconfigs_those_that_are_there_are_merged(
    #[case] names: &[&str],
    #[case] current: Option<&str>,
) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "one",
            r#"{"current-context": "one", "contexts": [{"name": "one"}]}"#,
        ),
        (
            "two",
            r#"{"current-context": "two", "contexts": [{"name": "two"}]}"#,
        ),
        ("none", r#"{"current-context": "", "contexts": []}"#),
        ("damaged", r#"{"contexts": 7}"#),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let list = std::env::join_paths(names.iter().map(|name| folder.path().join(name)));
    let list = format!("{}:", list.unwrap().to_str().unwrap());
    let merged = merged(&existing(OsStr::new(&list)));
    let found = merged.as_ref().map(|merged| merged.contexts.len());
    let there = names.iter().filter(|name| ["one", "two"].contains(name));
    assert_eq!(found, current.map(|_| there.count()));
    let found = merged.and_then(|merged| merged.current_context);
    assert_eq!(found.as_deref(), current);
}

#[test]
fn of_a_list_of_which_no_file_is_there_nothing_is_left() {
    assert!(existing(OsStr::new("/missing/one::/missing/two")).is_empty());
}

/// `suspend --all` in it must not be meant for all namespaces.
#[rstest]
#[case::none(None, "default")]
#[case::empty(Some(""), "default")]
#[case::named(Some("ml"), "ml")]
#[tokio::test]
async fn a_context_without_a_namespace_is_of_the_default_one(
    #[case] namespace: Option<&str>,
    #[case] expected: &str,
) {
    let mut kubeconfig = kubeconfig([None, None]);
    let context = kubeconfig.contexts[0].context.as_mut().unwrap();
    context.namespace = namespace.map(str::to_owned);
    let (config, _) = of_kubeconfig(kubeconfig).await.unwrap();
    assert_eq!(config.default_namespace, expected);
}

/// The token that is sent, and whether kube reads it from its file. kube panics over one that fits no header.
#[rstest]
#[case::with_a_line_end(json!({"token": "one\n"}), None, Ok((Some("one"), false)))]
#[case::of_a_file(json!({}), Some("two"), Ok((None, true)))]
#[case::of_a_file_with_a_line_end(json!({}), Some("two\n"), Ok((Some("two"), false)))]
#[case::the_file_wins(json!({"token": "one"}), Some("two"), Ok((None, true)))]
#[case::the_file_is_empty(json!({"token": "one"}), Some("\n"), Ok((Some("one"), false)))]
#[case::the_file_is_missing(json!({"token": "one", "tokenFile": "/missing"}), None, Ok((Some("one"), false)))]
#[case::empty(json!({"token": "", "tokenFile": ""}), None, Ok((None, false)))]
#[case::two_lines(json!({"token": "one\ntwo"}), None, Err("fits no header"))]
#[case::two_lines_of_a_file(json!({}), Some("one\ntwo"), Err("fits no header"))]
#[tokio::test]
async fn a_token_is_that_of_kubectl(
    #[case] user: Value,
    #[case] file: Option<&str>,
    #[case] expected: Result<(Option<&str>, bool), &str>,
) {
    let (folder, mut user) = (tempfile::tempdir().unwrap(), user);
    if let Some(text) = file {
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        user["tokenFile"] = path.to_str().unwrap().into();
    }
    let mut kubeconfig = kubeconfig([None, None]);
    let users = json!([{"name": "none", "user": user}]);
    kubeconfig.auth_infos = serde_json::from_value(users).unwrap();
    let (config, _) = of_kubeconfig(kubeconfig).await.unwrap();
    let found = kubectl::with_token(config).map(|config| config.auth_info);
    let found = found.map(|user| {
        let token = user.token.map(|token| token.expose_secret().to_owned());
        (token, user.token_file.is_some())
    });
    let expected = expected.map(|(token, is_file)| (token.map(str::to_owned), is_file));
    assert_eq!(found.map_err(|_| "fits no header"), expected);
}

#[rstest]
#[case("127.0.0.1:6443", false)]
#[case("ftp://127.0.0.1", false)]
#[case("http://127.0.0.1:6443", true)]
#[case("https://127.0.0.1:6443/path", true)]
fn a_server_has_a_scheme(#[case] server: &str, #[case] is_taken: bool) {
    let config = Config::new(server.parse().unwrap());
    assert_eq!(kubectl::with_token(config).is_ok(), is_taken);
}

/// Before an empty path kube puts the folder of the file.
#[tokio::test]
async fn an_empty_text_of_a_kubeconfig_is_none() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let cluster = json!({
        "server": "https://api.invalid", "tls-server-name": "",
        "certificate-authority": "", "certificate-authority-data": "",
    });
    let user = json!({
        "username": "", "password": "", "token": "one", "as": "", "client-certificate": "",
        "client-certificate-data": "", "client-key": "", "client-key-data": "",
    });
    let text = json!({
        "clusters": [{"name": "one", "cluster": cluster}], "users": [{"name": "one", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "one"}}],
        "current-context": "here",
    });
    std::fs::write(&file, text.to_string()).unwrap();
    let read = Kubeconfig::read_from(&file).unwrap();
    let (config, _) = of_kubeconfig(read).await.unwrap();
    assert_eq!((&config.tls_server_name, &config.root_cert), (&None, &None));
    let user = &config.auth_info;
    assert_eq!((&user.username, &user.impersonate), (&None, &None));
    assert!(user.token.is_some());
    assert!(connection::client(&bounded(config), None).is_ok());
}

/// As of `base64 ca.crt` below a `|`.
#[test]
fn base64_of_a_kubeconfig_may_have_several_lines() {
    const LINES: &str = "b25l\r\nIHR3\nbw==\n";
    let mut kubeconfig = kubeconfig([None, None]);
    let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
    cluster.certificate_authority_data = Some(LINES.to_owned());
    let user = json!({"client-certificate-data": LINES, "client-key-data": LINES});
    let users = json!([{"name": "none", "user": user}]);
    kubeconfig.auth_infos = serde_json::from_value(users).unwrap();
    kubectl::without_empty(&mut kubeconfig);
    let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
    let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
    let whole = Some("b25lIHR3bw==");
    assert_eq!(cluster.certificate_authority_data.as_deref(), whole);
    assert_eq!(user.client_certificate_data.as_deref(), whole);
    let key = user.client_key_data.as_ref();
    assert_eq!(key.map(secrecy::ExposeSecret::expose_secret), whole);
}

#[rstest]
#[case::none_was_read(false, "there is neither a usable kubeconfig nor a ServiceAccount")]
#[case::one_was_read(true, "the kubeconfig, or a file that it names, cannot be used")]
fn a_kubeconfig_that_is_there_is_not_said_to_be_missing(
    #[case] is_read: bool,
    #[case] expected: &str,
) {
    assert_eq!(Named::default().missing(is_read), expected);
}

/// Cases: R-14
#[tokio::test]
async fn a_proxy_that_the_kubeconfig_names_is_asked_for_the_api_server() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            .await
            .unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    let proxy = format!("http://us%40er:pa%3Ass@{address}").parse().unwrap();
    let config = bounded(Config::new("https://api.invalid:6443".parse().unwrap()));
    let secrets: Api<Secret> = Api::all(connection::client(&config, Some(&proxy)).unwrap());
    assert!(secrets.list(&ListParams::default()).await.is_err());
    let asked = asked.await.unwrap();
    assert!(
        asked.starts_with("CONNECT api.invalid:6443 HTTP/1.1\r\n"),
        "{asked}"
    );
    let encoded = STANDARD.encode("us@er:pa:ss");
    assert!(asked.contains(&format!("Basic {encoded}\r\n")), "{asked}");
}

/// Cases: A-06
#[tokio::test(start_paused = true)]
async fn a_list_through_a_proxy_that_says_nothing_is_given_up() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let _silent = listener.accept().await;
        std::future::pending::<()>().await;
    });
    let config = bounded(Config::new("https://api.invalid".parse().unwrap()));
    let client = connection::client(&config, Some(&proxy.parse().unwrap())).unwrap();
    assert!(patience_of(client).await <= 296);
}
