//! A partition: no packet passes to or from an address, and no side learns of it.

use std::net::Ipv4Addr;

use crate::works::works;

/// A partition between the processes that use an address of loopback and the server that listens on it.
#[derive(Debug)]
pub struct Partition {
    address: String,
}

impl Partition {
    /// Drops all packets to and from an address until the value is dropped.
    #[must_use]
    pub fn of(address: Ipv4Addr) -> Partition {
        let partition = Partition { address: address.to_string() };
        partition.rules("-A");
        partition
    }

    fn rules(&self, action: &str) {
        for direction in ["-d", "-s"] {
            let rule = [action, "INPUT", direction, &self.address, "-j", "DROP"];
            assert!(works("iptables", &rule), "iptables {rule:?} failed");
        }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.rules("-D");
    }
}
