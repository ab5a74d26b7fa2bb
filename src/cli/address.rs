//! Addresses to listen on, as controller-runtime's flags spell them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// `HOST:PORT`, or `:PORT` for every address of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(pub(super) SocketAddr);

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "want HOST:PORT with an IP address as host, or :PORT";
        if let Some(port) = text.strip_prefix(':') {
            let port = port.parse().map_err(|_| wrong)?;
            return Ok(Self(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
        }
        text.parse().map(Self).map_err(|_| wrong)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(":8080", Some("0.0.0.0:8080"))]
    #[case("127.0.0.1:0", Some("127.0.0.1:0"))]
    #[case("[::]:9", Some("[::]:9"))]
    #[case("8080", None)]
    #[case(":http", None)]
    fn an_address_may_leave_out_its_host(#[case] text: &str, #[case] expected: Option<&str>) {
        let parsed = text
            .parse::<Address>()
            .ok()
            .map(|address| address.0.to_string());
        assert_eq!(parsed.as_deref(), expected);
    }
}
