//! Outstanding grants, counted by address. Pure: time is an argument.
//!
//! Entry does not see joins, so a grant counts against its address until it lapses: with its ticket,
//! or a few seconds after a grant without one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Maximum networks that are counted, some 100 bytes each. At the bound further networks get grants
/// that are not counted, because viewers from so many networks must not be refused for memory.
const NETWORKS_MAX: usize = 100_000;
/// Period of removing lapsed grants of all networks.
const SWEEP_PERIOD: Duration = Duration::from_secs(5);
/// Prefix length of a customer's IPv6 network: the customer may use every address in it.
const V6_CUSTOMER_BITS: u8 = 64;
/// Prefix length of a site's IPv6 network, which holds 65,536 networks of customers.
const V6_SITE_BITS: u8 = 48;

/// Maximum grants that are outstanding at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrantLimits {
    /// For an IPv4 address or an IPv6 /64.
    pub(crate) address_max: u32,
    /// For an IPv6 /48, the network of a site.
    pub(crate) site_max: u32,
}

/// A network by its prefix: the first `length` bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network {
    bits: u128,
    length: u8,
}

impl Network {
    fn v6(address: u128, length: u8) -> Self {
        Network { bits: address >> (128 - u32::from(length)), length }
    }
}

/// Outstanding grants of one network: seconds in rising order, and the grants that lapse in each.
/// There are as many seconds as the longest ticket has, at most.
#[derive(Debug, Default)]
struct Outstanding(Vec<(u64, u32)>);

impl Outstanding {
    fn forget(&mut self, now_secs: u64) {
        self.0.retain(|(lapse, _)| *lapse > now_secs);
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn add(&mut self, lapse: u64) {
        let at = self.0.partition_point(|(earlier, _)| *earlier < lapse);
        match self.0.get_mut(at) {
            Some((known, count)) if *known == lapse => *count += 1,
            _ => self.0.insert(at, (lapse, 1)),
        }
    }
}

/// An address has as many outstanding grants as its limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Limit that was reached, in outstanding grants.
    pub(crate) max: u32,
    /// Whether the limit is that of the IPv6 /48.
    pub(crate) is_site: bool,
    /// Time until the first of the grants lapses.
    pub(crate) retry_after: Duration,
}

/// Counts outstanding grants by network, for at most [`NETWORKS_MAX`] networks.
#[derive(Debug)]
pub(crate) struct Grants {
    limits: GrantLimits,
    networks: HashMap<Network, Outstanding>,
    swept: Duration,
}

impl Grants {
    pub(crate) fn new(limits: GrantLimits) -> Self {
        Grants { limits, networks: HashMap::new(), swept: Duration::ZERO }
    }

    /// Checks that an address may have one more grant. Loopback addresses have no limit: they belong
    /// to an operator, or to a proxy that is not configured as trusted and has all clients behind it.
    pub(crate) fn check(&mut self, address: IpAddr, now: Duration) -> Result<(), TooMany> {
        for (network, max) in self.bounds(address) {
            let Some(known) = self.networks.get_mut(&network) else { continue };
            known.forget(now.as_secs());
            if known.count() >= max {
                let first = known.0.first().map_or(0, |(lapse, _)| *lapse);
                let retry_after =
                    Duration::from_secs(first).saturating_sub(now).max(Duration::from_millis(1));
                return Err(TooMany { max, is_site: network.length == V6_SITE_BITS, retry_after });
            }
        }
        Ok(())
    }

    /// Counts a grant until it lapses. At the bound, a network that is not yet counted is left out.
    pub(crate) fn granted(&mut self, address: IpAddr, now: Duration, lapses: Duration) {
        if now >= self.swept + SWEEP_PERIOD {
            self.swept = now;
            self.networks.retain(|_, known| {
                known.forget(now.as_secs());
                !known.0.is_empty()
            });
        }
        // Rounded up to a second: a grant counts for at least its life.
        let lapse = lapses.as_secs() + 1;
        for (network, _) in self.bounds(address) {
            let is_full = self.networks.len() >= NETWORKS_MAX;
            match self.networks.get_mut(&network) {
                Some(known) => known.add(lapse),
                None if is_full => {}
                None => self.networks.entry(network).or_default().add(lapse),
            }
        }
    }

    /// Returns the networks with outstanding grants at the last sweep.
    pub(crate) fn networks(&self) -> usize {
        self.networks.len()
    }

    /// Returns the networks that an address counts against, each with its limit.
    fn bounds(&self, address: IpAddr) -> impl Iterator<Item = (Network, u32)> + use<> {
        let (address_max, site_max) = (self.limits.address_max, self.limits.site_max);
        let bounds = match address.to_canonical() {
            address if address.is_loopback() => [None, None],
            IpAddr::V4(v4) => {
                let network = Network { bits: u128::from(u32::from(v4)), length: 32 };
                [Some((network, address_max)), None]
            }
            IpAddr::V6(v6) => [
                Some((Network::v6(v6.into(), V6_CUSTOMER_BITS), address_max)),
                Some((Network::v6(v6.into(), V6_SITE_BITS), site_max)),
            ],
        };
        bounds.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: GrantLimits = GrantLimits { address_max: 3, site_max: 7 };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn ask(grants: &mut Grants, address: &str, now: Duration) -> Result<(), TooMany> {
        let address = address.parse().unwrap();
        grants.check(address, now)?;
        grants.granted(address, now, now + secs(5));
        Ok(())
    }

    #[test]
    fn grant_is_given_back_when_it_lapses() {
        let mut grants = Grants::new(LIMITS);
        for at in [0, 2, 2] {
            ask(&mut grants, "192.0.2.1", secs(at)).unwrap();
        }
        let refused = ask(&mut grants, "192.0.2.1", secs(3)).unwrap_err();
        assert_eq!(refused, TooMany { max: 3, is_site: false, retry_after: secs(3) });
        ask(&mut grants, "::ffff:192.0.2.1", secs(3)).unwrap_err();
        ask(&mut grants, "192.0.2.2", secs(3)).unwrap();
        ask(&mut grants, "192.0.2.1", secs(3) + refused.retry_after).unwrap();
        ask(&mut grants, "192.0.2.1", secs(7)).unwrap_err();
        for _ in 0..3 {
            ask(&mut grants, "192.0.2.1", secs(100)).unwrap();
        }
    }

    #[test]
    fn ipv6_site_has_a_limit_above_its_networks() {
        let mut grants = Grants::new(LIMITS);
        for host in 1..=3 {
            ask(&mut grants, &format!("2001:db8:1:1::{host}"), secs(0)).unwrap();
        }
        assert!(!ask(&mut grants, "2001:db8:1:1::9", secs(0)).unwrap_err().is_site);
        for network in 2..=5 {
            ask(&mut grants, &format!("2001:db8:1:{network}::1"), secs(0)).unwrap();
        }
        let refused = ask(&mut grants, "2001:db8:1:6::1", secs(0)).unwrap_err();
        assert_eq!((refused.max, refused.is_site), (7, true));
        ask(&mut grants, "2001:db8:2:6::1", secs(0)).unwrap();
    }

    #[test]
    fn loopback_has_no_limit() {
        let mut grants = Grants::new(LIMITS);
        for address in ["127.0.0.1", "::1", "127.8.8.8"].into_iter().cycle().take(100) {
            ask(&mut grants, address, secs(0)).unwrap();
        }
        assert_eq!(grants.networks(), 0);
    }

    #[test]
    fn networks_are_bounded_and_none_is_refused_at_the_bound() {
        let mut grants = Grants::new(LIMITS);
        for n in 0..u32::try_from(NETWORKS_MAX).unwrap() + 1_000 {
            let address = IpAddr::from(n.wrapping_add(0x0a00_0000).to_be_bytes());
            grants.check(address, secs(0)).unwrap();
            grants.granted(address, secs(0), secs(5));
        }
        assert_eq!(grants.networks(), NETWORKS_MAX);
        ask(&mut grants, "10.0.0.0", secs(100)).unwrap();
        assert_eq!(grants.networks(), 1, "lapsed grants are removed");
    }

    proptest! {
        /// No address has more outstanding grants than its limit, and no retry time is longer than the
        /// life of a grant.
        #[test]
        fn outstanding_grants_are_bounded(asks in prop::collection::vec((0_u64..900, 0_u8..4), 1..300)) {
            let mut grants = Grants::new(LIMITS);
            let (mut now, mut live) = (Duration::ZERO, vec![Vec::new(); 4]);
            for (gap_ms, host) in asks {
                now += Duration::from_millis(gap_ms);
                let live = &mut live[usize::from(host)];
                live.retain(|lapses| *lapses > now);
                match ask(&mut grants, &format!("192.0.2.{host}"), now) {
                    Ok(()) => live.push(now + secs(5)),
                    Err(refused) => prop_assert!(refused.retry_after <= secs(6)),
                }
                prop_assert!(live.len() <= 3, "{live:?}");
            }
        }
    }
}
