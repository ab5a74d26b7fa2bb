//! Certificates and versions of TLS that are refused before a byte of a request is sent.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use reqwest::{Certificate, ClientBuilder};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    KEY, NAME, REFUSED, UNREACHED, VALUE, client, failure_of, over,
    peer::{self, LAST, Seen},
    read, session, write,
};
use crate::http::{
    ApiClient,
    CertificateFault::{Expired, NotAccepted, NotTrusted, NotYetValid, OtherHost},
    Detail, RefusedCertificate,
};

/// A CA.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
#[derive(Clone)]
pub(super) struct Identity(Arc<ServerConfig>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut parameters = parameters(&[NAME]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("a CA"))
    }

    /// A client that trusts this CA beside those of the system.
    pub(super) fn trusted(&self) -> ClientBuilder {
        let certificate = Certificate::from_der(self.0.der()).expect("a certificate");
        client().tls_certs_merge([certificate])
    }

    /// Its certificate, as a file has it.
    pub(super) fn pem(&self) -> String {
        let text = STANDARD.encode(self.0.der());
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// A certificate for these names.
    pub(super) fn issue(&self, names: &[&str]) -> Identity {
        self.issue_as(&parameters(names))
    }

    /// Its own certificate, as that of a server.
    fn itself(&self) -> Identity {
        Identity::new(self.0.der().clone(), self.0.key())
    }

    fn issue_as(&self, parameters: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        Identity::new(certificate.der().clone(), &key)
    }
}

fn parameters(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

impl Identity {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let _ = client();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let server = ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![certificate], key.into());
        Self(Arc::new(server.expect("a server")))
    }

    fn self_signed() -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters(&[NAME]).self_signed(&key).expect("signed");
        Self::new(certificate.der().clone(), &key)
    }

    /// The same server, which offers HTTP/2.
    pub(super) fn with_http2(self) -> Self {
        let mut server = Arc::unwrap_or_clone(self.0);
        server.alpn_protocols = vec![b"h2".to_vec()];
        Self(Arc::new(server))
    }

    /// A connection under this certificate; none where the client refuses it.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.0))
            .accept(stream)
            .await
            .ok()
    }

    /// A server that gives this answer to each request.
    pub(super) async fn serve(&self, answer: &'static str) -> (SocketAddr, Seen) {
        in_turn(vec![self.clone()], answer).await
    }
}

/// A server whose connections have these identities one after the other, the last for ever.
async fn in_turn(identities: Vec<Identity>, answer: &'static str) -> (SocketAddr, Seen) {
    peer::serve(move |number, stream, seen| {
        let identity = identities[number.min(identities.len() - 1)].clone();
        async move {
            let Some(mut stream) = identity.accept(stream).await else {
                return;
            };
            while seen.request(&mut stream).await.is_some() {
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// A session with the server at an address under the provider's name.
pub(super) fn named(client: ClientBuilder, address: SocketAddr) -> ApiClient {
    let client = client.resolve(NAME, address);
    session(&over(client), &format!("https://{NAME}"), KEY)
}

/// Cases: P-27, R-26
#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused_before_a_byte_is_sent() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut expired = parameters(&[NAME]);
    expired.not_after = date_time_ymd(2024, 1, 1);
    let mut early = parameters(&[NAME]);
    early.not_before = date_time_ymd(4000, 1, 1);
    let good = authority.issue(&[NAME]);
    let (other, part) = (
        authority.issue(&["other.invalid"]),
        authority.issue(&["invalid"]),
    );
    let table = [
        ("good", good, None),
        ("expired", authority.issue_as(&expired), Some(Expired)),
        (
            "not valid yet",
            authority.issue_as(&early),
            Some(NotYetValid),
        ),
        ("self-signed", Identity::self_signed(), Some(NotTrusted)),
        ("of another name", other, Some(OtherHost)),
        ("of a part of the name", part, Some(OtherHost)),
        (
            "of an unknown CA",
            stranger.issue(&[NAME]),
            Some(NotTrusted),
        ),
        ("of a CA itself", authority.itself(), Some(NotAccepted)),
    ];
    for (what, identity, fault) in table {
        let (address, seen) = identity.serve(LAST).await;
        let session = named(authority.trusted(), address);
        for outcome in [read(&session).await, write(&session).await] {
            let found = outcome.err();
            let class = found.as_ref().map(|error| (error.class, error.reason));
            assert_eq!(class, fault.and(REFUSED), "{what}");
            let refused = found.and_then(|error| error.detail);
            let expected = fault.map(|fault| {
                let host = NAME.to_owned();
                Box::new(Detail::Certificate(RefusedCertificate { host, fault }))
            });
            assert_eq!(refused, expected, "{what}");
        }
        let is_refused = fault.is_some();
        let requests = if is_refused { 0 } else { 2 };
        assert_eq!(seen.connections(), 2, "{what}");
        assert_eq!(seen.requests().len(), requests, "{what}");
        assert_eq!(seen.bytes().is_empty(), is_refused, "{what}");
    }
}

/// The answer of a server that speaks this version of TLS and no newer one (RFC 5246, 7.4.1.3).
fn hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session, a suite that all versions know, no compression.
    hello.extend([0, 0xc0, 0x13, 0]);
    let length = u8::try_from(hello.len()).expect("a short message");
    let record = [22, 3, minor, 0, length + 4, 2, 0, 0, length];
    [&record, &*hello].concat()
}

/// Cases: P-27
#[tokio::test]
async fn tls_1_0_and_1_1_are_refused_before_a_byte_is_sent() {
    for minor in [1, 2] {
        let (address, seen) = peer::serve(move |_, mut stream, seen| async move {
            // The client's hello, which is one record.
            let mut head = [0; 5];
            stream.read_exact(&mut head).await.expect("a record");
            let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            stream.read_exact(&mut body).await.expect("a record");
            assert_eq!((head[0], body[0]), (22, 1), "a hello");
            let text = String::from_utf8_lossy(&body);
            assert!(!text.contains(KEY) && !text.contains(VALUE));
            stream.write_all(&hello(minor)).await.expect("sent");
            seen.drain(&mut stream).await;
        })
        .await;
        let session = named(client(), address);
        assert_eq!(failure_of(write(&session).await), UNREACHED);
        while seen.bytes().is_empty() {
            tokio::task::yield_now().await;
        }
        // An alert, fatal, for the version of the protocol, and nothing after it.
        let bytes = seen.bytes();
        assert_eq!(
            (bytes[0], &bytes[5..]),
            (21, &[2, 70][..]),
            "1.{}",
            minor - 1
        );
    }
}

/// Cases: P-28
#[tokio::test]
async fn a_certificate_that_turns_bad_is_refused_on_the_next_connection() {
    let authority = Authority::new();
    let mut expired = parameters(&[NAME]);
    expired.not_after = date_time_ymd(2024, 1, 1);
    for bad in [
        authority.issue_as(&expired),
        authority.issue(&["other.invalid"]),
        Authority::new().issue(&[NAME]),
    ] {
        let good = authority.issue(&[NAME]);
        let (address, seen) = in_turn(vec![good.clone(), bad, good], LAST).await;
        let session = named(authority.trusted(), address);
        read(&session).await.expect("a good certificate");
        let known = seen.bytes().len();
        assert_eq!(failure_of(write(&session).await), REFUSED);
        assert_eq!((seen.connections(), seen.requests().len()), (2, 1));
        assert_eq!(seen.bytes().len(), known, "not a byte");
        write(&session).await.expect("a good certificate again");
        assert_eq!((seen.connections(), seen.requests().len()), (3, 2));
    }
}
