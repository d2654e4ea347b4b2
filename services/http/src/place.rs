//! Places of connections: how many one address may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::config::HttpConfig;

/// Open connections by address. Holds one count for each address that has a connection, and
/// for IPv6 one for each /64 and each /48: at most two for each open connection.
#[derive(Debug)]
pub(crate) struct Places {
    address_max: u32,
    site_max: u32,
    unlimited: Vec<IpNet>,
    counts: Mutex<HashMap<Network, u32>>,
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    /// A /64 by its bits.
    V6Customer(u64),
    /// A /48 by its bits.
    V6Site(u64),
}

/// A connection's place; given back when dropped. Boxed, because a viewer keeps it as long as
/// its socket, and most viewers of a load test or behind a proxy have none.
#[derive(Debug)]
pub(crate) struct Place(Box<(Arc<Places>, IpAddr)>);

impl Drop for Place {
    fn drop(&mut self) {
        let (places, address) = &*self.0;
        let mut counts = places.counts();
        for (network, _) in places.bounds(*address) {
            if let Some(count) = counts.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&network);
                }
            }
        }
    }
}

impl Places {
    pub(crate) fn new(config: &HttpConfig) -> Arc<Self> {
        let address_max = u32::try_from(config.address_connections_max).unwrap_or(u32::MAX);
        Arc::new(Places {
            address_max,
            site_max: address_max.saturating_mul(config.ipv6_site_factor.max(1)),
            unlimited: config.unlimited_networks.iter().chain(&config.trusted_proxies).copied().collect(),
            counts: Mutex::default(),
        })
    }

    /// A place for a connection from `address`: none is needed from an unlimited network.
    /// An error when the address or its IPv6 site has all of its places.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Option<Place>, AllTaken> {
        let address = address.to_canonical();
        if self.unlimited.iter().any(|network| network.contains(&address)) {
            return Ok(None);
        }
        let mut counts = self.counts();
        let is_full =
            |(network, max): (Network, u32)| counts.get(&network).is_some_and(|count| *count >= max);
        if self.address_max == 0 || self.bounds(address).any(is_full) {
            return Err(AllTaken);
        }
        for (network, _) in self.bounds(address) {
            *counts.entry(network).or_default() += 1;
        }
        drop(counts);
        Ok(Some(Place(Box::new((Arc::clone(self), address)))))
    }

    fn bounds(&self, address: IpAddr) -> impl Iterator<Item = (Network, u32)> + use<> {
        let (first, second) = match address {
            IpAddr::V4(address) => ((Network::V4(address.octets()), self.address_max), None),
            IpAddr::V6(address) => {
                let bits = high_bits(address);
                let site = (Network::V6Site(bits >> 16), self.site_max);
                ((Network::V6Customer(bits), self.address_max), Some(site))
            }
        };
        std::iter::once(first).chain(second)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Network, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn high_bits(address: Ipv6Addr) -> u64 {
    u64::try_from(u128::from(address) >> 64).unwrap_or(u64::MAX)
}

/// The address has as many connections as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AllTaken;

#[cfg(test)]
mod tests {
    use super::*;

    fn places(address_connections_max: usize) -> Arc<Places> {
        Places::new(&HttpConfig { address_connections_max, ipv6_site_factor: 2, ..HttpConfig::default() })
    }

    fn take(places: &Arc<Places>, address: &str) -> Result<Option<Place>, AllTaken> {
        places.take(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_places_and_a_dropped_one_is_free_again() {
        let places = places(2);
        let first = take(&places, "192.0.2.1").unwrap();
        let _second = take(&places, "::ffff:192.0.2.1").unwrap();
        assert_eq!(take(&places, "192.0.2.1").unwrap_err(), AllTaken);
        let _other = take(&places, "192.0.2.2").unwrap();
        drop(first);
        assert!(take(&places, "192.0.2.1").unwrap().is_some());
    }

    #[test]
    fn an_ipv6_site_has_a_multiple_of_what_a_customer_has() {
        let places = places(2);
        let mut kept = Vec::new();
        for address in ["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1", "2001:db8:1:3::1"] {
            kept.push(take(&places, address).unwrap());
        }
        assert_eq!(take(&places, "2001:db8:1:1::3").unwrap_err(), AllTaken, "the /64");
        assert_eq!(take(&places, "2001:db8:1:4::1").unwrap_err(), AllTaken, "the /48");
        assert!(take(&places, "2001:db8:2:1::1").is_ok());
    }

    #[test]
    fn loopback_has_no_limit_and_nothing_is_kept_of_the_gone() {
        let places = places(0);
        assert!(take(&places, "127.0.0.1").unwrap().is_none());
        assert!(take(&places, "::1").unwrap().is_none());
        assert_eq!(take(&places, "192.0.2.1").unwrap_err(), AllTaken, "0 admits nobody else");
        let places = self::places(5);
        drop(take(&places, "2001:db8::1").unwrap());
        assert!(places.counts().is_empty());
    }
}
