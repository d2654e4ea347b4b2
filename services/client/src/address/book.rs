//! IP addresses of host names, as entry named them. Connections of a pool share one book.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// IP addresses by host name.
pub(crate) type Addresses = BTreeMap<String, Vec<IpAddr>>;

/// Maximum hosts in a book. At the bound the host that was learned first is forgotten.
const HOSTS_MAX: usize = 256;
/// Maximum addresses of one host; further ones are ignored.
const ADDRESSES_MAX: usize = 8;
/// Time for which an address is passed over after it failed or showed another name's certificate.
const FAILED_FOR: Duration = Duration::from_secs(600);

/// Addresses by host, with the failures of each. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Hosts>>);

#[derive(Debug, Default)]
struct Hosts {
    hosts: BTreeMap<String, Host>,
    learned: u64,
}

#[derive(Debug)]
struct Host {
    addresses: Vec<Address>,
    /// Number of the learning, for the bound of the book.
    learned: u64,
}

#[derive(Debug)]
struct Address {
    ip: IpAddr,
    failed_at: Option<Instant>,
}

impl Book {
    /// Replaces the addresses of the hosts in `found`. A failure of an address that stays is kept.
    pub(crate) fn learn(&self, found: &Addresses) {
        let mut book = self.0.lock();
        for (host, ips) in found {
            book.learned += 1;
            let learned = book.learned;
            let old = book.hosts.remove(host).map(|old| old.addresses).unwrap_or_default();
            let failed = |ip: IpAddr| old.iter().find(|known| known.ip == ip)?.failed_at;
            let addresses = ips
                .iter()
                .take(ADDRESSES_MAX)
                .map(|ip| Address { ip: *ip, failed_at: failed(*ip) })
                .collect();
            book.hosts.insert(host.clone(), Host { addresses, learned });
        }
        while book.hosts.len() > HOSTS_MAX {
            let oldest = book.hosts.iter().min_by_key(|(_, host)| host.learned).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| book.hosts.remove(&oldest));
        }
    }

    /// Whether the book has no host at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().hosts.is_empty()
    }

    /// Whether the book has addresses of a host, failed ones included.
    pub(crate) fn has(&self, host: &str) -> bool {
        self.0.lock().hosts.contains_key(host)
    }

    /// Returns the addresses to connect to before DNS is asked; none for an unknown host.
    pub(crate) fn candidates(&self, host: &str, now: Instant) -> Vec<IpAddr> {
        let book = self.0.lock();
        let Some(host) = book.hosts.get(host) else { return Vec::new() };
        let works = |address: &&Address| {
            address.failed_at.is_none_or(|at| now.saturating_duration_since(at) >= FAILED_FOR)
        };
        host.addresses.iter().filter(works).map(|address| address.ip).collect()
    }

    /// Passes an address over for a while, because its server did not answer or is not the host.
    pub(crate) fn failed(&self, host: &str, ip: IpAddr, now: Instant) {
        if let Some(host) = self.0.lock().hosts.get_mut(host) {
            host.addresses
                .iter_mut()
                .filter(|known| known.ip == ip)
                .for_each(|known| known.failed_at = Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(host: &str, ips: &[&str]) -> Addresses {
        Addresses::from([(host.to_owned(), ips.iter().map(|ip| ip.parse().unwrap()).collect())])
    }

    #[test]
    fn failed_address_is_passed_over_for_ten_minutes() {
        let (book, start) = (Book::default(), Instant::now());
        book.learn(&addresses("a", &["192.0.2.1", "192.0.2.2"]));
        let first: IpAddr = "192.0.2.1".parse().unwrap();
        book.failed("a", first, start);
        assert_eq!(book.candidates("a", start).len(), 1);
        book.learn(&addresses("a", &["192.0.2.1", "192.0.2.3"]));
        assert_eq!(book.candidates("a", start), ["192.0.2.3".parse::<IpAddr>().unwrap()]);
        assert_eq!(book.candidates("a", start + FAILED_FOR).len(), 2);
        assert!(book.candidates("b", start).is_empty());
    }

    #[test]
    fn book_is_bounded_and_forgets_the_host_that_was_learned_first() {
        let (book, now) = (Book::default(), Instant::now());
        for n in 0..=HOSTS_MAX {
            book.learn(&addresses(&format!("h{n}"), &["192.0.2.1"; 20]));
        }
        assert!(book.candidates("h0", now).is_empty());
        assert_eq!(book.candidates("h1", now).len(), ADDRESSES_MAX);
        assert_eq!(book.0.lock().hosts.len(), HOSTS_MAX);
    }
}
