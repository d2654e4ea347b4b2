//! Who is calling: the socket's peer, or what a trusted proxy says.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;

/// The client's address; a request extension set by the accept loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

impl ClientAddr {
    /// The network of the address, for logs: an IPv4 /24 or an IPv6 /48, in which no one
    /// person is known by it.
    #[must_use]
    pub fn shortened(self) -> IpNet {
        let address = self.0.to_canonical();
        let bits = if address.is_ipv4() { 24 } else { 48 };
        IpNet::new_assert(address, bits).trunc()
    }
}

/// Networks whose forwarding headers are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// Hops read from the header at most; a longer chain ends there, at the last
/// address read.
const HOPS_MAX: usize = 16;

impl TrustedProxies {
    /// From configuration.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        TrustedProxies(networks.into())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The right-most address that is not a trusted proxy, so that a client
    /// cannot choose its own by sending the header.
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

/// The address of one hop. Proxies write it in several forms: bare, with a port
/// (`192.0.2.1:443`), in brackets with or without a port (`[2001:db8::1]:443`), and any of
/// these in quotes.
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
    fn a_client_cannot_choose_its_address() {
        assert_eq!(client(&[], "9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(client(&["10.0.0.0/8"], "9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 2.2.2.2"), "2.2.2.2");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 2.2.2.2, 10.0.0.7"), "2.2.2.2");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn a_hop_may_have_a_port_quotes_and_brackets() {
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
        // The right-most hop outside of the proxies, whatever its form.
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", "6.6.6.6:1, 2.2.2.2:80, 10.0.0.7:9"), "2.2.2.2");
    }
}
