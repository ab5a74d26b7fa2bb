//! Why there is no connection, told from the errors below that of the client. The operator repeats none of their
//! texts.

use std::{error::Error, io};

use rustls::CertificateError;

use super::{CertificateFault, TransportError, WayFault};

/// What the client says when it has no connection to the proxy.
const PROXY_UNREACHED: &str = "tunnel error: failed to create underlying connection";

/// What is wrong with the certificate of the server, if that is why there is no connection: to a provider, to a proxy or
/// to the API server.
pub(crate) fn certificate_fault(error: &(dyn Error + 'static)) -> Option<CertificateFault> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.to_string() == PROXY_UNREACHED {
            // A certificate below is the proxy's.
            return None;
        }
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
        // A CA that has the name of a known one has another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            CertificateFault::NotTrusted
        }
        _ => CertificateFault::NotAccepted,
    }
}

/// Why there is no connection, the certificate of the server apart. The crates below name neither cause by a type that is
/// public, so the tests of the transport hold their words.
pub(super) fn not_connected(error: &reqwest::Error) -> TransportError {
    let mut cause = error.source();
    while let Some(error) = cause {
        match error.to_string().as_str() {
            // The proxy resolves the name of the endpoint, so this one is not on the way through it.
            "dns error" => return TransportError::Way(WayFault::Name),
            "tunnel error: proxy authorization required" => {
                return TransportError::Way(WayFault::ProxyNotAuthorized);
            }
            PROXY_UNREACHED => {
                let is_name = error.source().is_some_and(is_unknown_name);
                let fault = if is_name {
                    WayFault::ProxyName
                } else {
                    let fault = certificate_fault(error).map(WayFault::ProxyCertificate);
                    fault.unwrap_or(WayFault::ProxyUnreachable)
                };
                return TransportError::Way(fault);
            }
            words if words.starts_with("tunnel error: ") => {
                return TransportError::Way(WayFault::ProxyRefused);
            }
            _ => cause = error.source(),
        }
    }
    TransportError::Connect
}

fn is_unknown_name(error: &(dyn Error + 'static)) -> bool {
    error.to_string() == "dns error" || error.source().is_some_and(is_unknown_name)
}
