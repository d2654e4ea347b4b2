//! Addresses of listeners: parsing, and the addresses at which clients reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use serde::{Deserialize, Deserializer, de};

/// Address for documentation (RFC 5737; of IPv6, RFC 3849). It finds this machine's own address; no packet
/// goes there.
const FAR_V4: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
const FAR_V6: (Ipv6Addr, u16) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9);

/// Parses an address and port, or a name and port. Of several addresses of a name, the result is the first
/// IPv4 address. The error has an example.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let wrong = |why: String| {
        format!("{text:?} is not an address ({why}); write it as 127.0.0.1:8080 or localhost:8080")
    };
    let found: Vec<_> = text.to_socket_addrs().map_err(|error| wrong(error.to_string()))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| wrong("the name has no address".into()))
}

pub(super) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

pub(super) fn several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parse(text).map_err(de::Error::custom)).collect()
}

/// Returns each `HOST:PORT` at which a browser reaches a listener. For a listener on all addresses
/// (`0.0.0.0`) these are `localhost` and the machine's address in its network.
pub(crate) fn reachable(address: SocketAddr) -> Vec<String> {
    if !address.ip().is_unspecified() {
        return vec![address.to_string()];
    }
    let outward = match address.ip() {
        IpAddr::V4(_) => outward(FAR_V4.into(), (Ipv4Addr::UNSPECIFIED, 0).into()),
        IpAddr::V6(_) => outward(FAR_V6.into(), (Ipv6Addr::UNSPECIFIED, 0).into())
            .or_else(|| outward(FAR_V4.into(), (Ipv4Addr::UNSPECIFIED, 0).into())),
    };
    let outward = outward.map(|ip| SocketAddr::new(ip, address.port()).to_string());
    std::iter::once(format!("localhost:{}", address.port())).chain(outward).collect()
}

/// Base URL under which a client on this machine reaches a public listener. With TLS, loopback is
/// `localhost`: a certificate rarely has its address.
pub(crate) fn base_url(address: SocketAddr, is_encrypted: bool) -> String {
    match (is_encrypted, address.ip().is_loopback()) {
        (true, true) => format!("https://localhost:{}", address.port()),
        (true, false) => format!("https://{}", reachable(address).remove(0)),
        (false, _) => format!("http://{}", reachable(address).remove(0)),
    }
}

/// Returns the address from which this machine would send to `far`. Sends no packet.
fn outward(far: SocketAddr, any: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_or_address_without_a_port_is_refused_with_an_example() {
        assert_eq!(parse("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert!(parse("localhost:8080").unwrap().ip().is_loopback());
        for bad in ["8080", "localhost", "127.0.0.1", "127.0.0.1:99999", ""] {
            assert!(parse(bad).unwrap_err().contains("localhost:8080"), "{bad}");
        }
    }

    #[test]
    fn listener_on_all_addresses_is_reached_at_localhost() {
        let named = reachable("0.0.0.0:8080".parse().unwrap());
        assert_eq!(named[0], "localhost:8080");
        assert!(named.iter().all(|host| !host.starts_with("0.0.0.0")), "{named:?}");
        assert_eq!(reachable("127.0.0.1:1".parse().unwrap()), ["127.0.0.1:1"]);
    }
}
