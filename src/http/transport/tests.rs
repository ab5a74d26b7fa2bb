//! The real transport against servers on loopback that do what a network and a provider may do to
//! it. Each is asked through a [`ApiClient`], so that the deadline of a call and the class of what
//! went wrong are the product's.

mod egress; // proxies, and CAs that change
mod http2; // connections that the server ends, streams that it resets
mod kept; // connections that are used again
mod leading; // a lease that ends before anything is sent
mod lengths; // bodies that are shorter or longer than they say, or have no end
mod names; // DNS: none, no answer, another server
mod peer; // the servers
mod silence; // what takes its time, or for ever
mod tenants; // what is sent, and with whose key
mod tls; // certificates and versions that are refused

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::Method;
use reqwest::{Client, ClientBuilder};
use secrecy::SecretString;

use super::{Transport, bounded, changing};
use crate::{
    api::{ProviderKind, Reason},
    http::{ApiClient, Body, Call, ErrorClass, Http, ProviderError, Scheme, Unmonitored},
    leadership::Leadership,
    telemetry::Metrics,
};

/// The key and the value of the tests, which must reach the provider only.
const KEY: &str = "key-of-the-tests";
const VALUE: &str = "value-of-the-tests";
/// A name that no DNS knows.
const NAME: &str = "provider.invalid";

/// A client as the product makes it.
fn client() -> ClientBuilder {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().user_agent("tests")
}

/// The product's transport over a client.
fn over(client: ClientBuilder) -> Transport {
    let client = bounded(client);
    let client = client.build().expect("there are CA certificates");
    super::over(move || client.clone())
}

/// A session of an account whose provider has this base URL.
fn session(transport: &Transport, base: &str, key: &str) -> ApiClient {
    session_under(Leadership::unopposed(), transport, base, key)
}

/// The same of a process that leads as this says.
fn session_under(
    leadership: Leadership,
    transport: &Transport,
    base: &str,
    key: &str,
) -> ApiClient {
    ApiClient::new(
        Http::new(transport.clone(), Metrics::default(), leadership),
        ProviderKind::Baseten,
        base.parse().expect("a URL"),
        Scheme::Bearer,
        &SecretString::from(key),
        Arc::new(Unmonitored),
    )
    .expect("a header can hold the key")
}

/// A session over plain HTTP.
fn plain(address: SocketAddr) -> ApiClient {
    session(&over(client()), &format!("http://{address}"), KEY)
}

async fn read(session: &ApiClient) -> Result<serde_json::Value, ProviderError> {
    let call = Call {
        operation: "read",
        path: &["secrets"],
        ..Call::default()
    };
    session.call(call).await?.json()
}

async fn write(session: &ApiClient) -> Result<serde_json::Value, ProviderError> {
    let call = Call {
        operation: "write",
        method: Method::POST,
        path: &["secrets"],
        body: Some(Body::json(&serde_json::json!({"value": VALUE}))?),
        ..Call::default()
    };
    session.call(call).await?.json()
}

/// What went wrong, as far as it decides anything.
fn failure_of<T>(outcome: Result<T, ProviderError>) -> Option<(ErrorClass, Reason)> {
    outcome.err().map(|error| (error.class, error.reason))
}

/// The beginning of a refusal, and what it says whatever becomes of its body.
type Refusal = (&'static str, (ErrorClass, Reason, Option<Duration>));
const REFUSALS: [Refusal; 2] = [
    (
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\n",
        (
            ErrorClass::Throttled,
            Reason::RateLimited,
            Some(Duration::from_secs(7)),
        ),
    ),
    (
        "HTTP/1.1 401 Unauthorized\r\n",
        (ErrorClass::Auth, Reason::AuthenticationFailed, None),
    ),
];

/// What a write was refused with.
async fn refusal(session: &ApiClient) -> (ErrorClass, Reason, Option<Duration>) {
    let error = write(session).await.expect_err("it is refused");
    (error.class, error.reason, error.retry_after)
}

/// No server was reached, so nothing was sent.
const UNREACHED: Option<(ErrorClass, Reason)> = Some((ErrorClass::Transient, Reason::NetworkError));
/// The certificate is why nothing was sent.
const REFUSED: Option<(ErrorClass, Reason)> =
    Some((ErrorClass::Transient, Reason::CertificateNotTrusted));
/// No answer came in time to a write that may have left.
const UNANSWERED: Option<(ErrorClass, Reason)> =
    Some((ErrorClass::UnknownOutcome, Reason::Timeout));
/// The connection ended after a write may have left.
const UNSURE: Option<(ErrorClass, Reason)> =
    Some((ErrorClass::UnknownOutcome, Reason::NetworkError));
