//! Connection slots: the number of open connections of one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;

use crate::config::HttpConfig;

/// Counts open connections by address. There is one count for each IPv4 address, IPv6 /64 and IPv6
/// /48 that has a connection: at most two for each open connection.
#[derive(Debug)]
pub(crate) struct Slots {
    address_max: u32,
    site_max: u32,
    unlimited: Vec<IpNet>,
    counts: Mutex<HashMap<Network, u32>>,
}

/// A network whose addresses share one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    /// The network of one customer, an IPv6 /64, by its bits.
    V6Customer(u64),
    /// The network of one site, an IPv6 /48, by its bits.
    V6Site(u64),
}

/// A connection's slot, freed on drop. Boxed, because a viewer keeps the slot as long as its socket,
/// and most viewers behind a proxy or of a load test have none.
#[derive(Debug)]
pub(crate) struct Slot(Box<(Arc<Slots>, IpAddr)>);

impl Drop for Slot {
    fn drop(&mut self) {
        let (slots, address) = &*self.0;
        let mut counts = slots.counts.lock();
        for (network, _) in slots.bounds(*address) {
            if let Some(count) = counts.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&network);
                }
            }
        }
    }
}

impl Slots {
    pub(crate) fn new(config: &HttpConfig) -> Arc<Self> {
        let address_max = u32::try_from(config.address_connections_max).unwrap_or(u32::MAX);
        Arc::new(Slots {
            address_max,
            site_max: address_max.saturating_mul(config.ipv6_site_factor.max(1)),
            unlimited: config.unlimited_networks.iter().chain(&config.trusted_proxies).copied().collect(),
            counts: Mutex::default(),
        })
    }

    /// Takes a slot for a connection from `address`. Returns `None` for an unlimited network, which
    /// needs none.
    ///
    /// # Errors
    /// When the address or its IPv6 site has no free slot.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Option<Slot>, NoFreeSlot> {
        let address = address.to_canonical();
        if self.unlimited.iter().any(|network| network.contains(&address)) {
            return Ok(None);
        }
        let mut counts = self.counts.lock();
        let is_full =
            |(network, max): (Network, u32)| counts.get(&network).is_some_and(|count| *count >= max);
        if self.address_max == 0 || self.bounds(address).any(is_full) {
            return Err(NoFreeSlot);
        }
        for (network, _) in self.bounds(address) {
            *counts.entry(network).or_default() += 1;
        }
        drop(counts);
        Ok(Some(Slot(Box::new((Arc::clone(self), address)))))
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
}

fn high_bits(address: Ipv6Addr) -> u64 {
    u64::try_from(u128::from(address) >> 64).unwrap_or(u64::MAX)
}

/// The address has as many connections as its limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoFreeSlot;

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(address_connections_max: usize) -> Arc<Slots> {
        Slots::new(&HttpConfig { address_connections_max, ipv6_site_factor: 2, ..HttpConfig::default() })
    }

    fn take(slots: &Arc<Slots>, address: &str) -> Result<Option<Slot>, NoFreeSlot> {
        slots.take(address.parse().unwrap())
    }

    #[test]
    fn slots_of_an_address_are_limited_and_freed_on_drop() {
        let slots = slots(2);
        let first = take(&slots, "192.0.2.1").unwrap();
        let _second = take(&slots, "::ffff:192.0.2.1").unwrap();
        assert_eq!(take(&slots, "192.0.2.1").unwrap_err(), NoFreeSlot);
        let _other = take(&slots, "192.0.2.2").unwrap();
        drop(first);
        assert!(take(&slots, "192.0.2.1").unwrap().is_some());
    }

    #[test]
    fn ipv6_site_has_a_multiple_of_the_slots_of_a_customer() {
        let slots = slots(2);
        let mut kept = Vec::new();
        for address in ["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1", "2001:db8:1:3::1"] {
            kept.push(take(&slots, address).unwrap());
        }
        assert_eq!(take(&slots, "2001:db8:1:1::3").unwrap_err(), NoFreeSlot, "the /64");
        assert_eq!(take(&slots, "2001:db8:1:4::1").unwrap_err(), NoFreeSlot, "the /48");
        assert!(take(&slots, "2001:db8:2:1::1").is_ok());
    }

    #[test]
    fn loopback_has_no_limit_and_freed_slots_leave_no_count() {
        let slots = slots(0);
        assert!(take(&slots, "127.0.0.1").unwrap().is_none());
        assert!(take(&slots, "::1").unwrap().is_none());
        assert_eq!(take(&slots, "192.0.2.1").unwrap_err(), NoFreeSlot, "0 admits no other address");
        let slots = self::slots(5);
        drop(take(&slots, "2001:db8::1").unwrap());
        assert!(slots.counts.lock().is_empty());
    }
}
