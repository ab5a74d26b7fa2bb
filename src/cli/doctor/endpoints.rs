//! Whether the endpoints of the providers are reached from here, and show a certificate that is trusted. No credential is
//! sent, and any answer is one.

use std::time::Duration;

use bytes::Bytes;
use tower::ServiceExt as _;

use crate::{
    account::{EndpointFlag, Endpoints},
    cli::{USER_AGENT, answer::Refusal},
    http::{self, CertificateFault, Egress, TransportError, WayFault},
};

/// Longest wait for an answer.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of a look at each endpoint, by provider and name.
///
/// # Errors
/// The flags of the way there cannot be used.
pub(super) async fn reached(
    flags: &[EndpointFlag],
    egress: Egress,
) -> Result<Vec<(String, Result<(), String>)>, Refusal> {
    let transport = http::transport(USER_AGENT, egress);
    let transport = transport.map_err(|what| Refusal::usage(what.to_string()))?;
    let endpoints = Endpoints::new(flags.iter().cloned());
    let mut all = Vec::new();
    for (kind, name, url) in endpoints.all() {
        let request = ::http::Request::get(url.as_str()).body(Bytes::new());
        let answered = match request {
            Ok(request) => {
                let call = transport.clone().oneshot(request);
                match tokio::time::timeout(ENDPOINT_TIMEOUT, call).await {
                    Ok(answered) => answered.map(|_| ()).or_else(told),
                    Err(_) => Err("no answer in time"),
                }
            }
            Err(_) => Err("the URL cannot be used"),
        };
        let host = url.host_str().unwrap_or_default();
        let endpoint = format!("{}/{name} ({host})", kind.flag());
        all.push((endpoint, answered.map_err(str::to_owned)));
    }
    Ok(all)
}

/// What a failure tells; an answer that is too large is one.
fn told(error: TransportError) -> Result<(), &'static str> {
    Err(match error {
        TransportError::TooLarge => return Ok(()),
        TransportError::Connect => "no connection",
        TransportError::Cut => "the connection was cut before an answer",
        TransportError::Certificate(fault) => match fault {
            CertificateFault::NotTrusted => {
                "its certificate is signed by no CA that is trusted here"
            }
            CertificateFault::Expired => "its certificate has expired",
            CertificateFault::NotYetValid => "its certificate is not valid yet",
            CertificateFault::OtherHost => "its certificate is for another host",
            CertificateFault::NotAccepted => {
                "its certificate is that of a CA, or for another use, revoked or malformed"
            }
        },
        TransportError::Way(fault) => match fault {
            WayFault::Name => "the name does not resolve",
            WayFault::ProxyName => "the name of the proxy does not resolve",
            WayFault::ProxyUnreachable => "there is no connection to the proxy",
            WayFault::ProxyCertificate(_) => "the certificate of the proxy is not trusted here",
            WayFault::ProxyNotAuthorized => "the proxy wants other credentials",
            WayFault::ProxyRefused => "the proxy does not connect to it",
        },
    })
}
