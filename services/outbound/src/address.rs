//! Which addresses requests may go to: the public internet, and what the configuration allows. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether a request to a receiver is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// The receiver proves its name by a certificate.
    Tls,
    /// Everybody on the way can read and change the request.
    None,
}

/// Addresses that one receiver may have.
#[derive(Debug, Clone)]
pub struct Reachable {
    /// Networks that are permitted beside the public internet.
    pub allowed: Vec<IpNet>,
    /// Without encryption, the allowed networks alone are permitted.
    pub encryption: Encryption,
}

impl Reachable {
    /// Returns whether a connection to this address may be made.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_allowed = self.allowed.iter().any(|network| network.contains(&address));
        is_allowed || (self.encryption == Encryption::Tls && is_public(address))
    }
}

/// Whether an address is one of the public internet: not private, loopback, link-local, reserved or
/// multicast, also when it is embedded in an IPv6 address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Shared by carriers (RFC 6598), protocol assignments, 6to4 relays, and benchmarks (RFC 2544).
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // 64:ff9b::/96 translates to IPv4, 2002::/16 is 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Global unicast without documentation, Teredo, ORCHID and benchmarks.
        [first, second, ..] => {
            (first & 0xe000) == 0x2000
                && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
                && !(first == 0x3fff && second < 0x1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(allowed: &[&str], encryption: Encryption, address: &str) -> bool {
        let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
        Reachable { allowed, encryption }.permits(address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_permitted_without_configuration() {
        for public in
            ["8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
        {
            assert!(permits(&[], Encryption::Tls, public), "{public}");
            assert!(!permits(&[], Encryption::None, public), "{public} without encryption");
        }
        for private in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
        ] {
            assert!(!permits(&[], Encryption::Tls, private), "{private}");
        }
    }

    #[test]
    fn allowed_networks_are_permitted_with_and_without_encryption() {
        for encryption in [Encryption::Tls, Encryption::None] {
            assert!(permits(&["10.1.0.0/16", "::1/128"], encryption, "10.1.2.3"));
            assert!(permits(&["10.1.0.0/16"], encryption, "::ffff:10.1.2.3"));
            assert!(!permits(&["10.1.0.0/16"], encryption, "10.2.0.1"));
        }
    }
}
