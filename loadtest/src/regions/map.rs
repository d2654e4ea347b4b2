//! The map of the simulated regions: their names, their addresses, and the distances between them.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Second byte of the addresses of the first region: 127.101.0.0/16.
const FIRST: u8 = 101;
/// Regions at most, so that the second byte does not overflow.
pub(crate) const REGIONS_MAX: u8 = 16;
/// Viewers that share a /24 of their region; hosts 0 and 255 stay free.
const HOSTS: u32 = 250;

/// Regions at equal distances from each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegionMap {
    pub(crate) regions: u8,
    /// Time from a viewer to a gateway of its own region, one way.
    pub(crate) inside: Duration,
    /// Time from a viewer to a gateway of another region, one way.
    pub(crate) between: Duration,
}

impl RegionMap {
    /// Returns the name of a region, as the region file and the gateways have it.
    pub(crate) fn name(region: u8) -> String {
        format!("region-{}", region + 1)
    }

    /// Returns the source address of viewer `n` of a region.
    pub(crate) fn source(region: u8, n: u32) -> Ipv4Addr {
        let [.., third] = (n / HOSTS).to_be_bytes();
        let [.., host] = (1 + n % HOSTS).to_be_bytes();
        Ipv4Addr::new(127, FIRST + region, third, host)
    }

    /// Returns the region of a source address; `None` for an address of no region.
    pub(crate) fn region_of(&self, source: Ipv4Addr) -> Option<u8> {
        let [_, second, ..] = source.octets();
        second.checked_sub(FIRST).filter(|region| *region < self.regions)
    }

    /// Returns the time from a viewer to a gateway, one way.
    pub(crate) fn one_way(&self, viewer: Option<u8>, gateway: u8) -> Duration {
        if viewer == Some(gateway) { self.inside } else { self.between }
    }

    /// Returns the region file for entry.
    pub(crate) fn region_file(&self) -> String {
        let line = |region: u8| format!("127.{}.0.0/16,{},\n", FIRST + region, RegionMap::name(region));
        (0..self.regions).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_viewer_shows_its_region_and_the_distance() {
        let map =
            RegionMap { regions: 3, inside: Duration::from_millis(2), between: Duration::from_millis(60) };
        for (region, n) in [(0, 0), (1, 249), (2, 50_000)] {
            let source = RegionMap::source(region, n);
            assert_eq!(map.region_of(source), Some(region), "{source}");
            assert!(source.is_loopback() && source.octets()[3] != 0 && source.octets()[3] != 255);
        }
        assert_eq!(map.region_of(Ipv4Addr::LOCALHOST), None);
        assert_eq!(map.one_way(Some(1), 1), Duration::from_millis(2));
        assert_eq!(map.one_way(Some(1), 2), Duration::from_millis(60));
        assert_eq!(map.region_file().lines().next(), Some("127.101.0.0/16,region-1,"));
    }
}
