//! What DNS may say: the TLS name is the provider's whatever the address is.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{FutureExt as _, future};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{io::AsyncWriteExt as _, time::Instant};

use super::{
    KEY, NAME, REFUSED, UNREACHED, VALUE, client, failure_of, over,
    peer::{self, FINE, LAST},
    read, session,
    tls::{Authority, Identity},
    write,
};
use crate::http::{Call, transport::CONNECT_TIMEOUT};

/// What the DNS of a test answers.
#[derive(Clone, Default)]
struct Answers {
    /// No server has the name where this is none.
    address: Arc<Mutex<Option<SocketAddr>>>,
    /// The names that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    fn are(&self, address: SocketAddr) {
        *self.address.lock().expect("nobody panicked") = Some(address);
    }
}

impl Resolve for Answers {
    fn resolve(&self, name: Name) -> Resolving {
        let mut asked = self.asked.lock().expect("nobody panicked");
        asked.push(name.as_str().to_owned());
        let address = *self.address.lock().expect("nobody panicked");
        let addresses = address.map(|address| -> Addrs { Box::new([address].into_iter()) });
        future::ready(addresses.ok_or_else(|| io::Error::other("no such name").into())).boxed()
    }
}

/// DNS that never answers.
struct Silent(Arc<AtomicUsize>);

impl Resolve for Silent {
    fn resolve(&self, _name: Name) -> Resolving {
        self.0.fetch_add(1, Ordering::SeqCst);
        future::pending().boxed()
    }
}

/// Cases: P-17
#[tokio::test(start_paused = true)]
async fn dns_that_does_not_answer_is_given_up_at_the_deadline_of_a_connection() {
    let asked = Arc::new(AtomicUsize::new(0));
    let transport = over(client().dns_resolver(Silent(Arc::clone(&asked))));
    let session = session(&transport, &format!("https://{NAME}"), KEY);
    let since = Instant::now();
    assert_eq!(failure_of(write(&session).await), UNREACHED);
    assert_eq!(since.elapsed().as_secs(), CONNECT_TIMEOUT.as_secs());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Cases: P-17
#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_an_error_at_once() {
    let dns = Answers::default();
    let transport = over(client().dns_resolver(dns.clone()));
    let session = session(&transport, &format!("https://{NAME}"), KEY);
    let since = Instant::now();
    assert_eq!(failure_of(write(&session).await), UNREACHED);
    assert_eq!(since.elapsed().as_secs(), 0);
    assert_eq!(*dns.asked.lock().expect("nobody panicked"), [NAME]);
}

/// Cases: H-07
#[tokio::test]
async fn whatever_a_call_holds_nobody_but_the_provider_is_looked_for() {
    let dns = Answers::default();
    let transport = over(client().dns_resolver(dns.clone()));
    let session = session(&transport, &format!("https://{NAME}"), KEY);
    let hostile = [
        "http://other.invalid/",
        "//other.invalid",
        "@other.invalid",
        "user:password@other.invalid:80",
        "\\\\other.invalid",
        "..//other.invalid",
        "%2f%2fother.invalid",
        "\r\nHost: other.invalid\r\n",
        "?host=other.invalid",
        "#other.invalid",
        ":80@other.invalid",
    ];
    for text in hostile {
        for path in [&[text][..], &["secrets", text], &["", text]] {
            let call = Call {
                operation: "read",
                path,
                query: &[(text, text)],
                ..Call::default()
            };
            let outcome = session.call(call).await;
            assert_eq!(failure_of(outcome), UNREACHED, "{text}");
        }
    }
    let names = dns.asked.lock().expect("nobody panicked").clone();
    assert_eq!(names, vec![NAME; hostile.len() * 3]);
}

/// Cases: P-40
#[tokio::test]
async fn a_name_that_comes_to_mean_another_server_is_not_told_a_byte() {
    let authority = Authority::new();
    let (provider, sent) = authority.issue(&[NAME]).serve(LAST).await;
    // Another server, which the CA knows by another name.
    let (other, other_sent) = authority.issue(&["other.invalid"]).serve(LAST).await;
    // And one that does not speak TLS.
    let (bare, bare_sent) = peer::serve(|_, mut stream, seen| async move {
        stream.write_all(LAST.as_bytes()).await.expect("sent");
        seen.drain(&mut stream).await;
    })
    .await;
    let dns = Answers::default();
    let transport = over(authority.trusted().dns_resolver(dns.clone()));
    let session = session(&transport, &format!("https://{NAME}"), KEY);
    dns.are(provider);
    read(&session).await.expect("the provider");
    for (address, failure) in [(other, REFUSED), (bare, UNREACHED)] {
        dns.are(address);
        assert_eq!(failure_of(write(&session).await), failure);
        assert_eq!(failure_of(read(&session).await), failure);
    }
    assert_eq!(sent.requests().len(), 1);
    assert_eq!((other_sent.connections(), bare_sent.connections()), (2, 2));
    assert_eq!(other_sent.bytes(), Vec::<u8>::new());
    let bare = String::from_utf8_lossy(&bare_sent.bytes()).into_owned();
    assert!(!bare.contains(KEY) && !bare.contains(VALUE));
    // The provider is asked again as soon as its name means it again.
    dns.are(provider);
    read(&session).await.expect("the provider");
    let names = dns.asked.lock().expect("nobody panicked").clone();
    assert_eq!(names, [NAME; 6]);
}

/// Cases: P-40
#[tokio::test]
async fn a_kept_connection_is_not_used_for_another_name() {
    // One server with both names in its certificate: the name of a request decides, not who could
    // answer it.
    let authority = Authority::new();
    let identity: Identity = authority.issue(&[NAME, "other.invalid"]);
    let (address, sent) = identity.serve(FINE).await;
    let dns = Answers::default();
    dns.are(address);
    let transport = over(authority.trusted().dns_resolver(dns));
    for name in [NAME, "other.invalid", NAME] {
        let session = session(&transport, &format!("https://{name}"), KEY);
        read(&session).await.expect("an answer");
    }
    assert_eq!(sent.connections(), 2);
}
