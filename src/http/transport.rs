//! What carries requests: bounded in time and size, without redirects and without proxies from the
//! environment.

mod faults;

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, ClientBuilder, Response};
use tokio::time::timeout;
use tower::{service_fn, util::BoxCloneSyncService};

pub(crate) use self::faults::certificate_fault;
use self::faults::not_connected;
use super::egress::{Clients, Egress, EgressError};
use crate::leadership::Leadership;

/// Longest wait for a TCP and TLS connection. Vendors' own clients wait 10 s (docs/vendors.md#ba-12).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an HTTP/2 connection whose answer is awaited is asked whether it lives, and how long it
/// may take to say so. A call that is given up ends its stream only, so that all later calls would
/// wait on a connection whose other end is gone.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes, unless the request has another bound.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long the body of an answer without success is awaited. Its status and headers say what is acted on, and
/// they must not be lost with a body that is cut, drips or has no end; what came of it is looked at, if at all,
/// for the words of one refusal (docs/vendors.md#pc-6).
const REFUSAL_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// The bound of a request's answer, in bytes: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerBound(pub(super) usize);

/// Why a request got no answer. It carries no text of a library or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: TCP or TLS. Nothing was sent.
    #[error("no connection")]
    Connect,
    /// No connection, because of something on the way. Nothing was sent to the provider.
    #[error("no way to the provider")]
    Way(WayFault),
    /// No connection, because of the certificate that the server shows. Nothing was sent.
    #[error("certificate refused")]
    Certificate(CertificateFault),
    /// The connection ended, or timed out, after the request may have left.
    #[error("connection cut")]
    Cut,
    /// The answer is larger than is read.
    #[error("answer too large")]
    TooLarge,
}

/// What is broken on the way to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayFault {
    /// The endpoint's name does not resolve.
    Name,
    /// The proxy's name does not resolve.
    ProxyName,
    /// The proxy cannot be reached.
    ProxyUnreachable,
    /// The certificate that the proxy shows is refused.
    ProxyCertificate(CertificateFault),
    /// The proxy wants other credentials, or any (407).
    ProxyNotAuthorized,
    /// The proxy does not connect to this host, or could not.
    ProxyRefused,
}

/// Why a certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// No CA that the operator trusts has signed it.
    NotTrusted,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is for another host.
    OtherHost,
    /// It is not taken whoever has signed it: it is that of a CA, or for another use, revoked or malformed.
    NotAccepted,
}

impl CertificateFault {
    /// What is said of the certificate.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::NotTrusted => "is not trusted",
            Self::Expired => "has expired",
            Self::NotYetValid => "is not valid yet",
            Self::OtherHost => "is for another host",
            Self::NotAccepted => "is not accepted",
        }
    }
}

/// What carries a request to a provider and its answer back.
pub type Transport =
    BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, TransportError>;

/// The real transport: one connection pool for the process.
///
/// # Errors
/// When no CA certificates are found, or a setting of `egress` cannot be used.
pub fn transport(user_agent: &'static str, egress: Egress) -> Result<Transport, EgressError> {
    changing(move || Client::builder().user_agent(user_agent), egress)
}

/// The real transport over clients that `builder` begins, apart from it so that tests can give them a CA and names
/// of their own.
fn changing(
    builder: impl Fn() -> ClientBuilder + Send + 'static,
    egress: Egress,
) -> Result<Transport, EgressError> {
    let clients = Clients::new(Box::new(move || bounded(builder())), egress)?;
    Ok(over(move || clients.current()))
}

/// What the real transport adds to a client.
fn bounded(client: ClientBuilder) -> ClientBuilder {
    client
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_mins(1))
        .tcp_keepalive(Duration::from_secs(30))
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_INTERVAL)
}

/// The transport over the client that there is at each request.
fn over(client: impl Fn() -> Client + Clone + Send + Sync + 'static) -> Transport {
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let client = client();
        async move { exchange(&client, request).await }
    }))
}

async fn exchange(
    client: &Client,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, TransportError> {
    let bound = request.extensions().get().copied();
    let AnswerBound(bound) = bound.unwrap_or(AnswerBound(MAX_ANSWER));
    let leadership = request.extensions().get::<Leadership>().cloned();
    let request = reqwest::Request::try_from(request).map_err(|_| TransportError::Connect)?;
    // Before its first byte leaves come DNS, TCP and TLS, and a process that was stopped meanwhile goes on in the
    // middle of them.
    let response = match leadership {
        Some(leadership) => leadership.led(client.execute(request)).await,
        None => client.execute(request).await,
    };
    let mut response = response.map_err(|error| without_answer(&error))?;
    let mut body = Vec::new();
    if response.status().is_success() {
        read_body(&mut response, bound, &mut body).await?;
    } else {
        let _ = timeout(
            REFUSAL_BODY_TIMEOUT,
            read_body(&mut response, bound, &mut body),
        )
        .await;
    }
    let mut answer = http::Response::new(Bytes::from(body));
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// Reads a body of at most `bound` bytes to its end.
async fn read_body(
    response: &mut Response,
    bound: usize,
    body: &mut Vec<u8>,
) -> Result<(), TransportError> {
    while let Some(chunk) = response.chunk().await.map_err(|_| TransportError::Cut)? {
        if body.len() + chunk.len() > bound {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// Why a request got no answer.
fn without_answer(error: &reqwest::Error) -> TransportError {
    if let Some(fault) = certificate_fault(error) {
        TransportError::Certificate(fault)
    } else if error.is_connect() {
        not_connected(error)
    } else {
        TransportError::Cut
    }
}

#[cfg(test)]
mod tests;
