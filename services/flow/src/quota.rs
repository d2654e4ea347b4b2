//! A limit per key: who is limited, by which rule, and the trait behind which an
//! engine keeps the counts.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use async_trait::async_trait;
use barrage_protocol::{RoomId, UserId};

use crate::rate::{Rate, Window};
use crate::verdict::Verdict;

/// Who or what is limited.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Everybody together.
    Platform,
    /// One network address; make it with [`Subject::address`].
    Address(IpAddr),
    /// One user, in all rooms.
    User(UserId),
    /// One room, all users.
    Room(RoomId),
    /// One user in one room.
    UserInRoom(UserId, RoomId),
}

impl Subject {
    /// An address as it should be limited: IPv6 by its /64, which is one
    /// customer's network (every address in it is free to take), and IPv4
    /// written as IPv6 as the IPv4 address that it is.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        let IpAddr::V6(v6) = address.to_canonical() else {
            return Subject::Address(address.to_canonical());
        };
        let network = u128::from(v6) & !u128::from(u64::MAX);
        Subject::Address(IpAddr::V6(Ipv6Addr::from(network)))
    }
}

/// One count: what is limited (a word of the program, such as `"post"`) and who.
/// Cloning it allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuotaKey {
    /// Which of the limits on the same subject. Use one rule per purpose.
    pub purpose: &'static str,
    /// Whose count.
    pub subject: Subject,
}

/// By what a key is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// An average with bursts: [`crate::TokenBucket`].
    Rate(Rate),
    /// A hard bound on every window: [`crate::SlidingWindow`].
    Window(Window),
}

/// Keeps a count per key. The caller checks the cheapest and most local key
/// first, and stops at the first refusal.
#[async_trait]
pub trait Quota: Send + Sync {
    /// Takes `cost` units of `key`'s limit, all or none. `now` is the caller's
    /// monotonic time since an origin that never changes for one engine. A rule
    /// that differs from the last one for this key takes effect at once and
    /// keeps what was counted; one that changes its kind starts anew.
    async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_subject() {
        let address = |text: &str| Subject::address(text.parse().unwrap());
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:192.0.2.7"), address("192.0.2.7"));
        assert_ne!(address("192.0.2.7"), address("192.0.2.8"));
    }
}
