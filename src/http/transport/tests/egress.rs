//! A proxy on the way, and CAs and credentials that come from files.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use super::{
    KEY, NAME, REFUSED, Transport, UNREACHED, VALUE, changing, client, failure_of,
    peer::{self, LAST, Seen},
    read, session,
    tls::Authority,
    write,
};
use crate::http::{Egress, EgressError, ProviderError, Proxy};

/// `Basic` of `user:pass`.
const BASIC: &str = "proxy-authorization: basic dxnlcjpwyxnz";

/// A proxy on loopback that connects to one server, whatever it is asked for, if the credentials are right.
async fn proxy(server: SocketAddr, refuses: Option<&'static str>) -> (SocketAddr, Seen) {
    peer::serve(move |_, mut stream, seen| async move {
        let Some(head) = seen.request(&mut stream).await else {
            return;
        };
        let answer = match refuses {
            Some(status) => status,
            None if !head.to_ascii_lowercase().contains(BASIC) => {
                "407 Proxy Authentication Required"
            }
            None => "200 Connection established",
        };
        let sent = peer::send(&mut stream, &format!("HTTP/1.1 {answer}\r\n\r\n")).await;
        if sent.is_ok() && answer.starts_with("200") {
            let mut server = TcpStream::connect(server).await.expect("the server");
            // It ends as the client ends it.
            let _ = copy_bidirectional(&mut stream, &mut server).await;
        }
    })
    .await
}

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

fn through(address: SocketAddr, no_proxy: &str, credentials: Option<PathBuf>) -> Egress {
    Egress {
        proxy: Some(Proxy {
            url: format!("http://{address}").parse().expect("a URL"),
            credentials,
            no_proxy: no_proxy.to_owned(),
        }),
        ca_bundle: None,
    }
}

async fn asked(transport: &Transport, host: &str, port: u16) -> Result<(), ProviderError> {
    let session = session(transport, &format!("https://{host}:{port}"), KEY);
    read(&session).await.map(|_| ())
}

fn transport(egress: Egress) -> Transport {
    changing(client, egress).expect("it is made")
}

#[tokio::test]
async fn a_request_goes_through_the_proxy_which_sees_the_host_alone() {
    let (authority, files) = (Authority::new(), Files::new());
    let (server, seen) = authority.issue(&[NAME]).serve(LAST).await;
    let (proxy, at_the_proxy) = proxy(server, None).await;
    let egress = Egress {
        ca_bundle: Some(files.write("ca.pem", &authority.pem())),
        ..through(proxy, "", Some(files.write("credentials", "user:pass\n")))
    };
    let transport = transport(egress);
    let session = session(&transport, &format!("https://{NAME}:8443"), KEY);
    write(&session).await.expect("it is written");
    assert!(seen.requests().concat().contains(VALUE));
    let head = at_the_proxy.requests().concat().to_ascii_lowercase();
    assert!(head.starts_with(&format!("connect {NAME}:8443 ")), "{head}");
    assert!(head.contains(BASIC), "{head}");
    assert!(!head.contains(KEY) && !head.contains(VALUE), "{head}");
}

/// Of hosts that are addresses the client knows networks alone: `*` of `--no-proxy` comes with those of all addresses.
#[tokio::test]
async fn a_host_that_is_an_address_is_reached_by_itself_if_no_proxy_is_all() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = nobody.local_addr().expect("an address").port();
    drop(nobody);
    for (no_proxy, is_seen) in [("", true), ("*,0.0.0.0/0,::/0", false)] {
        for host in ["127.0.0.1", "[::1]"] {
            let (proxy, seen) = peer::answering("HTTP/1.1 403 Forbidden\r\n\r\n").await;
            let transport = transport(through(proxy, no_proxy, None));
            assert!(asked(&transport, host, port).await.is_err(), "{host}");
            assert_eq!(!seen.requests().is_empty(), is_seen, "{no_proxy} {host}");
        }
    }
}

#[tokio::test]
async fn each_way_that_is_broken_has_its_own_words() {
    let files = Files::new();
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = nobody.local_addr().expect("an address");
    drop(nobody);
    let (refusing, _) = proxy(closed, Some("403 Forbidden")).await;
    let (asking, _) = proxy(closed, None).await;
    let wrong = files.write("credentials", "user:wrong");
    let unknown = Egress {
        proxy: Some(Proxy {
            url: "http://proxy.invalid:3128".parse().expect("a URL"),
            credentials: None,
            no_proxy: String::new(),
        }),
        ca_bundle: None,
    };
    for (egress, what, advice) in [
        (
            Egress::default(),
            "the name provider.invalid does not resolve",
            "DNS",
        ),
        (
            unknown,
            "the name of the proxy on the way to provider.invalid does not",
            "--https-proxy",
        ),
        (
            through(closed, "", None),
            "no connection to the proxy",
            "NetworkPolicy",
        ),
        (
            through(refusing, "", None),
            "the proxy does not connect to provider.invalid",
            "--no-proxy",
        ),
        (
            through(asking, "", None),
            "wants other credentials",
            "--https-proxy-credentials",
        ),
        (
            through(asking, "", Some(wrong)),
            "wants other credentials",
            "--https-proxy-credentials",
        ),
        // Not through the proxy, so it is the name again.
        (
            through(refusing, "invalid", None),
            "does not resolve",
            "--endpoint",
        ),
    ] {
        let outcome = asked(&transport(egress), NAME, 443).await;
        let error = outcome.clone().expect_err("it is not reached");
        assert!(error.what().contains(what), "{}", error.what());
        let crate::http::Detail::Way(way) = error.detail().expect("why") else {
            panic!("{error:?}");
        };
        assert!(way.advice().contains(advice), "{}", way.advice());
        assert_eq!(failure_of(outcome), UNREACHED);
    }
}

/// Cases: R-26
#[tokio::test]
async fn a_proxy_whose_certificate_is_not_trusted_is_told_as_such() {
    let (server, seen) = Authority::new().issue(&["localhost"]).serve(LAST).await;
    let url = format!("https://localhost:{}", server.port());
    let egress = Egress {
        proxy: Some(Proxy {
            url: url.parse().expect("a URL"),
            credentials: None,
            no_proxy: String::new(),
        }),
        ca_bundle: None,
    };
    let outcome = asked(&transport(egress), NAME, 443).await;
    let error = outcome.clone().expect_err("it is refused");
    let what = "the certificate of the proxy on the way to provider.invalid is not trusted";
    assert!(error.what().contains(what), "{}", error.what());
    assert_eq!(failure_of(outcome), REFUSED);
    assert!(seen.requests().is_empty());
}

/// The clock goes on, and what waits for the kernel does not.
async fn after_a_while() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_bundle_that_changes_is_used_within_seconds() {
    let (before, after, files) = (Authority::new(), Authority::new(), Files::new());
    let (server, _) = after.issue(&["localhost"]).serve(LAST).await;
    let path = files.write("ca.pem", &before.pem());
    let transport = transport(Egress {
        ca_bundle: Some(path),
        ..Egress::default()
    });
    let ask = async || asked(&transport, "localhost", server.port()).await;
    assert!(ask().await.is_err());
    let both = before.pem() + &after.pem();
    files.write("ca.pem", &both);
    // What is broken in between does no harm, and neither does a file that is away.
    after_a_while().await;
    assert_eq!(ask().await, Ok(()));
    for broken in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        files.write("ca.pem", broken);
        after_a_while().await;
        assert_eq!(ask().await, Ok(()), "{broken}");
    }
    std::fs::remove_file(files.directory.path().join("ca.pem")).expect("it was there");
    after_a_while().await;
    assert_eq!(ask().await, Ok(()));
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let files = Files::new();
    let made = |egress| changing(client, egress).err();
    let bundle = |path| Egress {
        ca_bundle: Some(path),
        ..Egress::default()
    };
    let missing = files.directory.path().join("missing");
    assert_eq!(made(bundle(missing.clone())), Some(EgressError::Bundle));
    for text in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let path = files.write("ca.pem", text);
        assert_eq!(made(bundle(path)), Some(EgressError::Bundle), "{text}");
    }
    let address = "127.0.0.1:1".parse().expect("an address");
    assert_eq!(
        made(through(address, "", Some(missing))),
        Some(EgressError::Credentials)
    );
    for text in ["", "user", ":password"] {
        let path = files.write("credentials", text);
        let refused = made(through(address, "", Some(path)));
        assert_eq!(refused, Some(EgressError::Credentials), "{text}");
    }
}
