//! Addresses to listen on, as controller-runtime's flags spell them.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// `HOST:PORT`, or `:PORT` for every address of the pod, IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// One address.
    One(SocketAddr),
    /// Every address of both families.
    Every(u16),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "want HOST:PORT with an IP address as host, or :PORT";
        if let Some(port) = text.strip_prefix(':') {
            return port.parse().map(Self::Every).map_err(|_| wrong);
        }
        text.parse().map(Self::One).map_err(|_| wrong)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(address) => address.fmt(formatter),
            Self::Every(port) => write!(formatter, ":{port}"),
        }
    }
}

impl Address {
    /// Listens on it.
    ///
    /// # Errors
    /// What the machine says, such as that the port is taken.
    pub(super) fn listen(self) -> io::Result<TcpListener> {
        self.listen_by(bind)
    }

    /// One socket of IPv6 serves IPv4 as well. A machine without IPv6 refuses it, and there is no
    /// address of that family to listen on; a port that is taken in either family is an error.
    fn listen_by<L>(self, bind: impl Fn(SocketAddr) -> io::Result<L>) -> io::Result<L> {
        let port = match self {
            Self::One(address) => return bind(address),
            Self::Every(port) => port,
        };
        match bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
            Err(error) if is_without_family(&error) => {
                bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
            }
            bound => bound,
        }
    }
}

/// Whether an error says nothing of the port, so that IPv6 itself is missing: switched off in the
/// kernel, in the network namespace, or by a sandbox.
fn is_without_family(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // The machine's default, net.ipv6.bindv6only, may be another.
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A pod that is started again need not wait for the connections of the one before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rstest::rstest;
    use tokio::net::TcpStream;

    use super::*;

    #[rstest]
    #[case(":8080", Some(":8080"))]
    #[case("127.0.0.1:0", Some("127.0.0.1:0"))]
    #[case("0.0.0.0:7", Some("0.0.0.0:7"))]
    #[case("[::]:9", Some("[::]:9"))]
    #[case("8080", None)]
    #[case(":http", None)]
    #[case(":", None)]
    fn an_address_may_leave_out_its_host(#[case] text: &str, #[case] expected: Option<&str>) {
        let parsed = text.parse::<Address>().ok();
        let shown = parsed.map(|address| address.to_string());
        assert_eq!(shown.as_deref(), expected);
    }

    /// Cases: R-04
    #[tokio::test]
    async fn a_port_alone_is_every_address_of_both_families() {
        let listener = Address::Every(0).listen().unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("IPv4");
        // A machine without IPv6 cannot show it; the next test is about that one.
        if bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port))
                .await
                .expect("IPv6");
        }
    }

    /// Cases: R-04
    #[rstest]
    #[case(97, true)] // EAFNOSUPPORT: IPv6 is not in the kernel.
    #[case(99, true)] // EADDRNOTAVAIL: the network namespace has none.
    #[case(92, true)] // ENOPROTOOPT: a sandbox without dual sockets.
    #[case(98, false)] // EADDRINUSE
    #[case(13, false)] // EACCES
    fn without_ipv6_a_port_alone_is_every_ipv4_address(
        #[case] code: i32,
        #[case] falls_back: bool,
    ) {
        let tried = RefCell::new(Vec::new());
        let bound = Address::Every(8081).listen_by(|address| {
            tried.borrow_mut().push(address.to_string());
            if address.is_ipv6() {
                Err(io::Error::from_raw_os_error(code))
            } else {
                Ok(address)
            }
        });
        assert_eq!(bound.is_ok(), falls_back);
        let expected = ["[::]:8081", "0.0.0.0:8081"];
        assert_eq!(*tried.borrow(), expected[..=usize::from(falls_back)]);
    }
}
