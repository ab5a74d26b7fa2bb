//! Loopback ports that no other process gets.
//!
//! Asking the kernel for a free port, closing it and starting a server on it
//! is a race, and an API server that restarts loses its port for a moment.
//! So the port stays bound, without listening, for as long as this value lives.
//! Linux lets a server with `SO_REUSEADDR` (all Go servers) listen beside it,
//! and gives the port to no process that asks for any free one.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::error::{Error, Result};

/// A reserved port of 127.0.0.1, for as long as the value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    #[cfg(target_os = "linux")]
    _reservation: std::os::fd::OwnedFd,
}

const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

impl Port {
    /// Reserves a port that the kernel chooses.
    ///
    /// # Errors
    ///
    /// The kernel has none.
    #[cfg(target_os = "linux")]
    pub fn reserve() -> Result<Self> {
        use rustix::net::{
            AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
        };

        let reserve = || -> rustix::io::Result<Self> {
            let socket = socket_with(
                AddressFamily::INET,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &ANY_PORT)?;
            let number = SocketAddrV4::try_from(getsockname(&socket)?)?.port();
            Ok(Self {
                number,
                _reservation: socket,
            })
        };
        reserve().map_err(|errno| Error::io("reserve a loopback port")(errno.into()))
    }

    /// Finds a port that is free now. Other systems do not let a server listen beside us.
    ///
    /// # Errors
    ///
    /// The kernel has none.
    #[cfg(not(target_os = "linux"))]
    pub fn reserve() -> Result<Self> {
        let address = std::net::TcpListener::bind(ANY_PORT).and_then(|socket| socket.local_addr());
        let number = address
            .map_err(Error::io("find a free loopback port"))?
            .port();
        Ok(Self { number })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_reserved_port_goes_to_no_other_process_but_can_be_listened_on() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
        for port in ports {
            // Twice, as the server behind it may restart.
            for _ in 0..2 {
                TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
            }
        }
    }
}
