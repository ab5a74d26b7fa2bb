//! What carries requests: bounded in time and size, without redirects and without proxies from the
//! environment.

use std::{error::Error as _, io, time::Duration};

use bytes::Bytes;
use rustls::CertificateError;
use tower::{service_fn, util::BoxCloneSyncService};

/// Longest wait for a TCP and TLS connection. Vendors' own clients wait 10 s (docs/vendors.md#ba-12).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an HTTP/2 connection whose answer is awaited is asked whether it lives, and how long it
/// may take to say so. A call that is given up ends its stream only, so that all later calls would
/// wait on a connection whose other end is gone.
const PING: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes, unless the request has another bound.
const MAX_ANSWER: usize = 1024 * 1024;

/// The bound of a request's answer, in bytes: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerBound(pub(super) usize);

/// Why a request got no answer. It carries no text of a library or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: DNS, TCP or TLS. Nothing was sent.
    #[error("no connection")]
    Connect,
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
}

/// What carries a request to a provider and its answer back.
pub type Transport =
    BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, TransportError>;

/// The real transport: one connection pool for the process.
///
/// # Errors
/// When no CA certificates are found, because then no provider could be reached.
pub fn transport(user_agent: &str) -> Result<Transport, reqwest::Error> {
    bounded(reqwest::Client::builder().user_agent(user_agent))
}

/// What the real transport adds to a client, apart from it so that tests can give the client a CA
/// and names of their own.
fn bounded(client: reqwest::ClientBuilder) -> Result<Transport, reqwest::Error> {
    let client = client
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_mins(1))
        .tcp_keepalive(Duration::from_secs(30))
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .build()?;
    Ok(BoxCloneSyncService::new(service_fn(
        move |request: http::Request<Bytes>| {
            let client = client.clone();
            async move { exchange(&client, request).await }
        },
    )))
}

async fn exchange(
    client: &reqwest::Client,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, TransportError> {
    let bound = request.extensions().get().copied();
    let AnswerBound(bound) = bound.unwrap_or(AnswerBound(MAX_ANSWER));
    let request = reqwest::Request::try_from(request).map_err(|_| TransportError::Connect)?;
    let mut response = client.execute(request).await.map_err(|error| {
        if let Some(fault) = certificate_fault(&error) {
            TransportError::Certificate(fault)
        } else if error.is_connect() {
            TransportError::Connect
        } else {
            TransportError::Cut
        }
    })?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| TransportError::Cut)? {
        if body.len() + chunk.len() > bound {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = http::Response::new(Bytes::from(body));
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// What is wrong with the certificate of the server, if that is why there is no connection.
fn certificate_fault(error: &reqwest::Error) -> Option<CertificateFault> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(wrong)) = error.downcast_ref() {
            return Some(fault_of(wrong));
        }
        // The source of an I/O error is that of the error in it, and not the error itself.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn fault_of(wrong: &CertificateError) -> CertificateFault {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::OtherHost
        }
        _ => CertificateFault::NotTrusted,
    }
}

#[cfg(test)]
mod tests;
