//! A limit for each key: the subject of a limit, and the trait behind which an engine counts.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use async_trait::async_trait;
use barrage_flow::{Rule, Verdict};
use barrage_protocol::{RoomId, UserId};

/// Subject of a limit: those whose actions share one count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// All users of the platform together, under one count.
    Platform,
    /// One network address; make it with [`Subject::address`].
    Address(IpAddr),
    /// One user, with one count over all rooms.
    User(UserId),
    /// One user in one room; other rooms count apart.
    UserInRoom(UserId, RoomId),
    /// One text in one room, by a hash that all instances share.
    TextInRoom(u64, RoomId),
    /// Something else, by a hash that all instances share.
    Hashed(u64),
}

impl Subject {
    /// Returns the subject of an address. An IPv6 address is limited by its /64, which is one
    /// customer's network: its customer may use every address in it. An IPv4 address written as
    /// IPv6 is limited as IPv4.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        let IpAddr::V6(v6) = address.to_canonical() else {
            return Subject::Address(address.to_canonical());
        };
        let network = u128::from(v6) & !u128::from(u64::MAX);
        Subject::Address(IpAddr::V6(Ipv6Addr::from(network)))
    }
}

/// Key of one count: the limited action (a constant such as `"post"`) and its subject. Cloning it
/// does not allocate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuotaKey {
    /// Limited action. Use one rule for each purpose.
    pub purpose: &'static str,
    /// Subject of the count; each subject has its own count for the purpose.
    pub subject: Subject,
}

/// Keeps a count for each key. Callers check the cheapest and most local key first, and stop at the
/// first refusal.
#[async_trait]
pub trait Quota: Send + Sync {
    /// Takes `cost` units of `key`'s limit, all or none. `now` is monotonic time since an origin that
    /// never changes for one engine. A rule that differs from the key's last one takes effect at
    /// once and keeps the count; a rule of another kind starts with an empty count.
    async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict;

    /// Gives back units of a window that were taken `age` before `now`. Returns how many: none after they have left
    /// the window, none when the count is not known any more, and none of a rate, which refills by itself. Units that
    /// an engine cannot reach stay counted until they leave the window.
    async fn give_back(&self, key: &QuotaKey, units: u32, rule: &Rule, age: Duration, now: Duration) -> u32;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_customer_are_one_subject() {
        let address = |text: &str| Subject::address(text.parse().unwrap());
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:192.0.2.7"), address("192.0.2.7"));
        assert_ne!(address("192.0.2.7"), address("192.0.2.8"));
    }
}
