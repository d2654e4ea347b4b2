//! The client's address: the socket's peer, or the address that a trusted proxy forwards.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;

/// The client's address. A request extension that the server sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

impl ClientAddr {
    /// Returns the network of the address, for logs: an IPv4 /24 or an IPv6 /48, which does not
    /// identify a person.
    #[must_use]
    pub fn shortened(self) -> IpNet {
        let address = self.0.to_canonical();
        let bits = if address.is_ipv4() { 24 } else { 48 };
        IpNet::new_assert(address, bits).trunc()
    }
}

/// Networks of proxies whose `X-Forwarded-For` is trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// Maximum hops read from the header. The last address read counts as the client of a longer chain.
const HOPS_MAX: usize = 16;

impl TrustedProxies {
    /// Trusts the networks that the configuration names.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        TrustedProxies(networks.into())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the right-most address that is not a trusted proxy. A client cannot choose its own
    /// address by sending the header.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        let mut client = peer.to_canonical();
        if self.0.is_empty() {
            return ClientAddr(client);
        }
        let hops = headers
            .get_all("x-forwarded-for")
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect::<Vec<_>>();
        for hop in hops.into_iter().rev().take(HOPS_MAX) {
            if !self.trusts(client) {
                break;
            }
            let Some(address) = hop_address(hop) else { break };
            client = address.to_canonical();
        }
        ClientAddr(client)
    }
}

/// Parses the address of one hop. Proxies write a bare address, one with a port (`192.0.2.1:443`),
/// one in brackets with or without a port (`[2001:db8::1]:443`), and any of these in quotes.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let hop = hop.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(hop).trim();
    if let Ok(address) = hop.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(rest) = hop.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        return (port.is_empty() || is_port(port.strip_prefix(':')?)).then(|| address.parse().ok())?;
    }
    let (address, port) = hop.rsplit_once(':')?;
    let address: Ipv4Addr = address.parse().ok()?;
    is_port(port).then_some(IpAddr::V4(address))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, header: &str) -> String {
        let networks: Vec<IpNet> = trusted.iter().map(|n| n.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", header.parse().unwrap());
        TrustedProxies::new(&networks).client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn client_cannot_choose_its_address() {
        assert_eq!(client(&[], "9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(client(&["10.0.0.0/8"], "9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 2.2.2.2"), "2.2.2.2");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 2.2.2.2, 10.0.0.7"), "2.2.2.2");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn hop_may_have_a_port_quotes_and_brackets() {
        for (hop, address) in [
            ("1.2.3.4:567", "1.2.3.4"),
            ("\"1.2.3.4:567\"", "1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("[::ffff:1.2.3.4]:1", "1.2.3.4"),
        ] {
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", hop), address, "{hop}");
        }
        for hop in
            ["1.2.3.4:", "1.2.3.4:99999", "[2001:db8::1", "[2001:db8::1]443", "[]:1", "\"1.2.3.4", "_hidden"]
        {
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", hop), "10.0.0.1", "{hop}");
        }
        // The right-most hop outside of the proxies counts.
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "6.6.6.6:1, 2.2.2.2:80, 10.0.0.7:9"), "2.2.2.2");
    }
}
