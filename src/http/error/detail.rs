//! What more is known of a failed call than its reason, in words that name hosts of the operator's own settings only.

use crate::http::{CertificateFault, WayFault};

/// What more is known of a failed call than its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The certificate of the endpoint was refused ([`CertificateNotTrusted`](crate::api::Reason::CertificateNotTrusted)).
    Certificate(RefusedCertificate),
    /// Something on the way to the endpoint is broken ([`NetworkError`](crate::api::Reason::NetworkError)), or shows a
    /// certificate that was refused ([`CertificateNotTrusted`](crate::api::Reason::CertificateNotTrusted)).
    Way(BrokenWay),
    /// A listing tells of more than it shows ([`UnexpectedResponse`](crate::api::Reason::UnexpectedResponse)).
    NotWhole,
    /// The answer, or all pages of a listing together, are larger than is read
    /// ([`UnexpectedResponse`](crate::api::Reason::UnexpectedResponse)).
    TooLarge,
    /// All pages of a listing together take longer than is waited ([`Timeout`](crate::api::Reason::Timeout)).
    TooSlow,
    /// The listing changed while its pages were read
    /// ([`ProviderUnavailable`](crate::api::Reason::ProviderUnavailable)).
    Moved,
    /// Nothing was sent, because another process leads or may soon
    /// ([`ProviderUnavailable`](crate::api::Reason::ProviderUnavailable)).
    NotLeading,
    /// The provider accepted a value and did not apply it
    /// ([`Rejected`](crate::api::Reason::Rejected), [`ProviderUnavailable`](crate::api::Reason::ProviderUnavailable)).
    NotApplied,
    /// A listing shows secrets of several teams or organizations, and the spec names none
    /// ([`InvalidSpec`](crate::api::Reason::InvalidSpec)).
    SeveralScopes,
    /// The answer is of another team or organization than the one that is meant
    /// ([`InvalidSpec`](crate::api::Reason::InvalidSpec)).
    OtherScope,
    /// The set is a reference to a store of the user's own
    /// ([`Unsupported`](crate::api::Reason::Unsupported)).
    Referenced,
    /// The body of the refusal is the one that [`Call::recognises`](crate::http::Call::recognises) looks for.
    Recognised,
}

impl Detail {
    /// Our own words for the failure, without a subject; none where its status or reason has them.
    pub(super) fn what(&self) -> Option<String> {
        let what = match self {
            Self::Certificate(certificate) => return Some(certificate.what()),
            Self::Way(way) => return Some(way.what()),
            Self::NotWhole => "gave a listing that is not whole: it tells of more than it shows",
            Self::TooLarge => "gave an answer that is larger than is read",
            Self::TooSlow => "takes longer for a listing than is waited",
            Self::Moved => "changed while it was listed",
            Self::NotLeading => "was not called: another process leads, or may soon",
            Self::NotApplied => "accepted the value and did not apply it",
            Self::SeveralScopes => {
                "shows secrets of several teams or organizations, and the spec names none"
            }
            Self::OtherScope => "took another team or organization than the one that is meant",
            Self::Referenced => "keeps the set as a reference to a store of your own",
            Self::Recognised => return None,
        };
        Some(what.to_owned())
    }
}

/// A certificate that the operator does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCertificate {
    /// The host of the endpoint, as the operator's own settings name it.
    pub host: String,
    /// What is wrong.
    pub fault: CertificateFault,
}

/// Something on the way to an endpoint that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenWay {
    /// The host of the endpoint, as the operator's own settings name it.
    pub host: String,
    /// What is broken.
    pub fault: WayFault,
}

impl BrokenWay {
    pub(super) fn what(&self) -> String {
        let host = &self.host;
        let why = match self.fault {
            WayFault::Name => format!("the name {host} does not resolve"),
            WayFault::ProxyName => {
                format!("the name of the proxy on the way to {host} does not resolve")
            }
            WayFault::ProxyUnreachable => {
                format!("there is no connection to the proxy on the way to {host}")
            }
            WayFault::ProxyCertificate(fault) => {
                let what = fault.what();
                format!("the certificate of the proxy on the way to {host} {what}")
            }
            WayFault::ProxyNotAuthorized => {
                format!("the proxy on the way to {host} wants other credentials")
            }
            WayFault::ProxyRefused => {
                format!("the proxy does not connect to {host}")
            }
        };
        format!("could not be reached: {why}")
    }

    /// What a user can do about it.
    pub fn advice(&self) -> &'static str {
        match self.fault {
            WayFault::Name => {
                "Check the URL of the operator's --endpoint flag, and the DNS of its pod."
            }
            WayFault::ProxyName => {
                "Check the operator's --https-proxy flag, and the DNS of its pod."
            }
            WayFault::ProxyUnreachable => {
                "Check the operator's --https-proxy flag, and whether a NetworkPolicy lets it out."
            }
            WayFault::ProxyCertificate(fault) => match fault {
                CertificateFault::NotTrusted => {
                    "To add the CA of the proxy, name a file with its certificate in the operator's --ca-bundle flag."
                }
                CertificateFault::OtherHost => {
                    "Check the operator's --https-proxy flag, and what answers under that name."
                }
                _ => "The proxy has to renew it, or the clock of the operator's node is wrong.",
            },
            WayFault::ProxyNotAuthorized => {
                "Check the file of the operator's --https-proxy-credentials flag."
            }
            WayFault::ProxyRefused => {
                "Check what the proxy allows and, because some refuse wrong ones so, its credentials; or name the host in the operator's --no-proxy flag."
            }
        }
    }
}

impl RefusedCertificate {
    pub(super) fn what(&self) -> String {
        let host = &self.host;
        match self.fault {
            CertificateFault::NotTrusted => {
                format!(
                    "shows a certificate at {host} that is not trusted: no CA that the operator knows has signed it"
                )
            }
            CertificateFault::Expired => {
                format!("shows a certificate at {host} that is not trusted: it has expired")
            }
            CertificateFault::NotYetValid => {
                format!("shows a certificate at {host} that is not trusted: it is not valid yet")
            }
            CertificateFault::OtherHost => {
                format!("shows a certificate at {host} that is not trusted: it is for another host")
            }
            CertificateFault::NotAccepted => {
                format!(
                    "shows a certificate at {host} that is not trusted: it is that of a CA, or for another use, revoked or malformed"
                )
            }
        }
    }

    /// What a user can do about it.
    pub fn advice(&self) -> &'static str {
        match self.fault {
            CertificateFault::NotTrusted => {
                "To add a CA, name a file with its certificate in the operator's --ca-bundle flag."
            }
            CertificateFault::Expired | CertificateFault::NotYetValid => {
                "It has to be renewed there, or the clock of the operator's node is wrong."
            }
            CertificateFault::OtherHost => {
                "Check the URL of the operator's --endpoint flag, and what answers under that name."
            }
            CertificateFault::NotAccepted => {
                "Have a CA sign one for this host, and name a file with the certificate of that CA in the operator's --ca-bundle flag."
            }
        }
    }
}
