//! The way to a provider through a real proxy: tinyproxy, which asks for credentials.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cluster::{
    Port,
    process::{Guarded, Program},
};
use provider_secrets::api::ProviderSecret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use simulator::Provider;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Target, TestCase, TestEnv, condition, run, setting, until};

/// The host of the provider, which no DNS knows: only the way through the proxy leads to it.
const HOST: &str = "provider.invalid";

/// A CA that no system trusts.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("a CA"))
    }

    fn pem(&self) -> String {
        let text = STANDARD.encode(self.0.der());
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// What a server of `HOST` shows.
    fn acceptor(&self) -> TlsAcceptor {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new([HOST.to_owned()]).expect("a name");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let server = ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![certificate.der().clone()], key.into());
        TlsAcceptor::from(Arc::new(server.expect("a server")))
    }
}

/// What lies behind the proxy: it lets every CONNECT lead to the provider, under TLS.
async fn internet(authority: &Authority, provider: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = authority.acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(forward(stream, acceptor.clone(), provider));
        }
    });
    address
}

/// One connection, until one of its ends closes it or does not take the certificate.
async fn forward(stream: TcpStream, acceptor: TlsAcceptor, provider: SocketAddr) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line.trim_end() != "" || line.is_empty() {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
    }
    let connected = b"HTTP/1.1 200 Connection established\r\n\r\n";
    stream.write_all(connected).await.ok()?;
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut provider = TcpStream::connect(provider).await.ok()?;
    copy_bidirectional(&mut stream, &mut provider).await.ok()?;
    Some(())
}

/// Where tinyproxy is: in the path, else where `make` puts it.
fn tinyproxy() -> PathBuf {
    let path = setting("PATH").unwrap_or_default();
    let home = setting("HOME").unwrap_or_default();
    let cache = setting("XDG_CACHE_HOME").unwrap_or_else(|| format!("{home}/.cache"));
    let kept = PathBuf::from(cache).join("provider-secrets/tools/tinyproxy/usr/bin");
    let folders = std::env::split_paths(&path).chain([kept]);
    let mut programs = folders.map(|folder| folder.join("tinyproxy"));
    let program = programs.find(|program| program.exists());
    program.expect("tinyproxy is missing: `make tinyproxy` fetches it")
}

/// A tinyproxy that reaches `HOST` over `internet`, until it is dropped.
struct Tinyproxy {
    port: Port,
    process: Guarded,
}

impl Tinyproxy {
    async fn start(directory: &Path, internet: SocketAddr) -> Self {
        let port = Port::reserve().expect("a port");
        let configuration = directory.join("tinyproxy.conf");
        let text = format!(
            "Port {}\nListen 127.0.0.1\nTimeout 60\nLogLevel Info\nMaxClients 50\n\
             BasicAuth user right\nConnectPort 443\nUpstream http {internet} \"{HOST}\"\n",
            port.number()
        );
        std::fs::write(&configuration, text).expect("a file");
        let program = Program::new(tinyproxy())
            .arg("-d")
            .arg("-c")
            .arg(configuration.display().to_string());
        let process = Guarded::spawn(program, &directory.join("log")).expect("tinyproxy starts");
        let waited = process
            .wait_for_log("Accepting connections", Duration::from_mins(1))
            .await;
        waited.expect("tinyproxy listens");
        Self { port, process }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file");
}

/// Waits until an object says why no provider was reached.
async fn wait_said(case: &TestCase<'_>, name: &str, what: &str) {
    let is_said = |object: &ProviderSecret| {
        let ready = condition(object, "Ready");
        ready.is_some_and(|ready| ready.reason == "NetworkError" && ready.message.contains(what))
    };
    case.wait(name, what, is_said).await;
}

#[test]
fn values_reach_a_provider_through_a_real_proxy_that_asks_for_credentials() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let (authority, directory) = (Authority::new(), tempfile::tempdir().expect("a directory"));
        let file = |name: &str| -> PathBuf { directory.path().join(name) };
        let internet = internet(&authority, env.served.address(Provider::Braintrust)).await;
        let proxy = Tinyproxy::start(directory.path(), internet).await;
        let (bundle, credentials) = (file("ca.pem"), file("credentials"));
        write(&bundle, &authority.pem());
        write(&credentials, "user:wrong\n");
        let flags = [
            format!("--endpoint=braintrust=https://{HOST}"),
            format!("--https-proxy=http://127.0.0.1:{}", proxy.port.number()),
            format!("--ca-bundle={}", bundle.display()),
            format!("--https-proxy-credentials={}", credentials.display()),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        // Without credentials it is told what is missing; of wrong ones tinyproxy says no more than that it refuses.
        env.operator.terminate().await;
        env.restart(&flags[..3]).await;
        let case = TestCase::new(&env, Target::Braintrust).await;
        case.source("one").await;
        case.object("proxied", &[("A_KEY", "source", "a")]).await;
        let asked = format!("the proxy on the way to {HOST} wants other credentials");
        wait_said(&case, "proxied", &asked).await;
        let identity = case.identity();
        drop(case);
        env.operator.terminate().await;
        env.restart(&flags).await;
        let case = TestCase::resume(&env, Target::Braintrust, &identity);
        let refused = format!("the proxy does not connect to {HOST}");
        wait_said(&case, "proxied", &refused).await;
        assert_eq!(case.account.requests().len(), 0);
        // The right ones are read without a restart.
        write(&credentials, "user:right\n");
        case.wait_ready("proxied").await;
        case.wait_held(&[("A_KEY", &case.value("one"))]).await;
        let log = proxy.process.log();
        assert!(log.contains(&format!("CONNECT {HOST}:443")), "{log}");
        // The invariants would ask for the simulator's own host.
        for log in [log, env.operator.log()] {
            let is_free = !log.contains(&case.value("one")) && !log.contains("user:right");
            assert!(is_free, "{log}");
        }
    });
}

#[test]
fn a_host_that_a_real_proxy_does_not_let_through_is_named() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let directory = tempfile::tempdir().expect("a directory");
        // Nothing is behind the proxy.
        let closed = Port::reserve().expect("a port");
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, closed.number()));
        let proxy = Tinyproxy::start(directory.path(), nowhere).await;
        let credentials = directory.path().join("credentials");
        write(&credentials, "user:right\n");
        env.operator.terminate().await;
        env.restart(&[
            // The proxy connects to no port but 443.
            &format!("--endpoint=braintrust=https://{HOST}:8443"),
            &format!("--https-proxy=http://127.0.0.1:{}", proxy.port.number()),
            &format!("--https-proxy-credentials={}", credentials.display()),
        ])
        .await;
        let case = TestCase::new(&env, Target::Braintrust).await;
        case.source("one").await;
        case.object("refused", &[("A_KEY", "source", "a")]).await;
        let said = format!("the proxy does not connect to {HOST}");
        wait_said(&case, "refused", &said).await;
        until("the proxy has logged it", async || {
            let log = proxy.process.log();
            log.contains("8443").then_some(()).ok_or(log)
        })
        .await;
        case.finish().await;
    });
}
