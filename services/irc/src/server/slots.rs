//! Places for connections: in the process, and for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::metrics::Refused;

/// Counts open connections. There is one count for each address that has a connection.
#[derive(Debug)]
pub(super) struct Slots {
    all_max: usize,
    address_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    addresses: HashMap<IpAddr, usize>,
}

/// Place of one connection, which is freed on drop.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Slots {
    pub(super) fn new(all_max: usize, address_max: usize) -> Arc<Self> {
        Arc::new(Slots { all_max, address_max, counts: Mutex::default() })
    }

    /// Takes a place for a connection from `address`.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Refused> {
        let address = network(address);
        let mut counts = self.counts.lock();
        if counts.all >= self.all_max {
            return Err(Refused::Full);
        }
        let count = counts.addresses.entry(address).or_default();
        if *count >= self.address_max {
            return Err(Refused::Address);
        }
        *count += 1;
        counts.all += 1;
        drop(counts);
        Ok(Slot { slots: Arc::clone(self), address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.slots.counts.lock();
        counts.all -= 1;
        if let Some(count) = counts.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.addresses.remove(&self.address);
            }
        }
    }
}

/// Address by which a client is counted: the /64 of IPv6, which one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(slots: &Arc<Slots>, address: &str) -> Result<Slot, Refused> {
        slots.take(address.parse().unwrap())
    }

    #[test]
    fn places_are_bounded_by_address_and_in_all_and_freed_on_drop() {
        let slots = Slots::new(3, 2);
        let first = take(&slots, "2001:db8::1").unwrap();
        let _second = take(&slots, "2001:db8::ffff").unwrap();
        assert_eq!(take(&slots, "2001:db8::2").unwrap_err(), Refused::Address);
        let _third = take(&slots, "192.0.2.1").unwrap();
        assert_eq!(take(&slots, "192.0.2.2").unwrap_err(), Refused::Full);
        drop(first);
        take(&slots, "2001:db8::2").unwrap();
        assert_eq!(slots.counts.lock().addresses.len(), 2);
    }
}
