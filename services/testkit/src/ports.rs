//! Ports of loopback for servers that a test starts, kills and starts again.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};

use parking_lot::Mutex;

/// Ports that the kernel gives to no outgoing connection. One of its own range can be taken while a killed server
/// is down.
const PORTS: Range<u16> = 10_000..32_768;

/// Reservations of this process, by port.
static RESERVED: Mutex<Option<HashMap<u16, UnixDatagram>>> = Mutex::new(None);

/// Returns an address of loopback that is this test's alone until its process ends, also while no server listens
/// there.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, reserve(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())).into()
}

/// Returns a port of this test alone for which `is_free` holds, such as a port that is free on several addresses.
///
/// # Panics
/// When there is none.
pub fn reserve(is_free: impl Fn(u16) -> bool) -> u16 {
    let count = usize::from(PORTS.end - PORTS.start);
    let mut reserved = RESERVED.lock();
    let reserved = reserved.get_or_insert_default();
    // Processes that run at a time begin at different places.
    let first = std::process::id() as usize * 37 + reserved.len();
    for nth in 0..count {
        let port = PORTS.start + u16::try_from((first + nth) % count).expect("below 65,536");
        if let Some(reservation) = reservation(port).filter(|_| is_free(port)) {
            reserved.insert(port, reservation);
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// Binds a socket with a name in place of a file: the kernel lets one process have it, and frees it when that ends.
fn reservation(port: u16) -> Option<UnixDatagram> {
    let name = UnixAddress::from_abstract_name(format!("barrage-test-port-{port}")).ok()?;
    UnixDatagram::bind_addr(&name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_port_is_given_once_and_not_to_outgoing_connections() {
        let addresses: Vec<_> = (0..50).map(|_| free_address()).collect();
        let ports: std::collections::HashSet<_> = addresses.iter().map(SocketAddr::port).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| PORTS.contains(port)));
        assert!(ports.iter().all(|port| reservation(*port).is_none()), "each is held");
    }

    #[test]
    fn port_that_a_server_has_is_not_given() {
        let taken = reserve(|port| port % 2 == 0);
        assert_eq!(taken % 2, 0);
    }
}
