//! How much a user and an address may upload in a day.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rule, RuleError, Verdict, Window};
use barrage_http::{ApiError, rate_limited};
use barrage_protocol::UserId;

use crate::config::MediaConfig;

/// Unit of the counts in bytes: a count is of 32 bits.
const UNIT_BYTES: u64 = 1_024;
const UNITS_PER_MIB: u32 = 1_024;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The quotas of a day, counted by stated lengths at the creation of an upload: its room was taken. An upload that
/// becomes no medium gives its bytes back.
pub(crate) struct Quotas {
    quota: Arc<dyn Quota>,
    user: Rule,
    address: Rule,
    origin: Instant,
}

/// Bytes that were counted for an upload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) user: &'a UserId,
    /// `None` for an upload of an older version, whose address was not kept.
    pub(crate) address: Option<IpAddr>,
    /// Stated length in bytes.
    pub(crate) bytes: u64,
    /// Bytes of it that have arrived.
    pub(crate) arrived_bytes: u64,
    /// Time since they were counted.
    pub(crate) age: Duration,
}

/// The count of one user or one address.
struct Count<'a> {
    purpose: &'static str,
    /// Count of bytes that arrived and were given back.
    returned: &'static str,
    subject: Subject,
    rule: &'a Rule,
    scope: &'static str,
}

impl Quotas {
    pub(crate) fn new(quota: Arc<dyn Quota>, config: &MediaConfig) -> Result<Self, RuleError> {
        let day = |mib: u32| Window::new(mib.saturating_mul(UNITS_PER_MIB), DAY).map(Rule::Window);
        Ok(Quotas {
            quota,
            user: day(config.user_mib_per_day)?,
            address: day(config.address_mib_per_day)?,
            origin: barrage_clock::now(),
        })
    }

    fn of_user(&self, user: &UserId) -> Count<'_> {
        Count {
            purpose: "user_mib_per_day",
            returned: "user_mib_returned",
            subject: Subject::User(user.clone()),
            rule: &self.user,
            scope: "user",
        }
    }

    fn of_address(&self, address: IpAddr) -> Count<'_> {
        Count {
            purpose: "address_mib_per_day",
            returned: "address_mib_returned",
            subject: Subject::address(address),
            rule: &self.address,
            scope: "address",
        }
    }

    /// Counts an upload of this length against the user, then against the address. A refusal counts nothing.
    pub(crate) async fn take(&self, user: &UserId, address: IpAddr, bytes: u64) -> Result<(), ApiError> {
        let units = units_of(bytes);
        let of_user = self.of_user(user);
        self.take_one(&of_user, units).await?;
        let taken = self.take_one(&self.of_address(address), units).await;
        if taken.is_err() {
            self.give_back_units(&of_user, units, Duration::ZERO).await;
        }
        taken
    }

    async fn take_one(&self, count: &Count<'_>, units: u32) -> Result<(), ApiError> {
        let key = QuotaKey { purpose: count.purpose, subject: count.subject.clone() };
        let verdict = self.quota.take(&key, units, count.rule, self.origin.elapsed()).await;
        if let Verdict::Refuse { .. } = verdict {
            let message = format!("the uploads of a day are used up: media.{}", count.purpose);
            let window_ms = u64::try_from(DAY.as_millis()).unwrap_or(u64::MAX);
            return Err(rate_limited(message, count.purpose, count.scope, &verdict, window_ms).into());
        }
        Ok(())
    }

    /// Gives back the bytes of an upload that becomes no medium. Bytes that never arrived come back in any case; of
    /// those that did, one quota of a day at most comes back, so that a client cannot send without an end.
    pub(crate) async fn give_back(&self, counted: Counted<'_>) {
        let arrived = units_of(counted.arrived_bytes.min(counted.bytes));
        let absent = units_of(counted.bytes).saturating_sub(arrived);
        let counts = [Some(self.of_user(counted.user)), counted.address.map(|it| self.of_address(it))];
        for count in counts.into_iter().flatten() {
            let key = QuotaKey { purpose: count.returned, subject: count.subject.clone() };
            let again = self.quota.take(&key, arrived, count.rule, self.origin.elapsed()).await;
            let units = if again.is_admit() { absent.saturating_add(arrived) } else { absent };
            self.give_back_units(&count, units, counted.age).await;
        }
    }

    /// Gives back the bytes of an upload that can never arrive: its client has stated a length below what was reserved.
    /// `arrived_bytes` is that length.
    pub(crate) async fn give_back_rest(&self, counted: Counted<'_>) {
        let rest = units_of(counted.bytes).saturating_sub(units_of(counted.arrived_bytes));
        let counts = [Some(self.of_user(counted.user)), counted.address.map(|it| self.of_address(it))];
        for count in counts.into_iter().flatten() {
            self.give_back_units(&count, rest, counted.age).await;
        }
    }

    async fn give_back_units(&self, count: &Count<'_>, units: u32, age: Duration) {
        let key = QuotaKey { purpose: count.purpose, subject: count.subject.clone() };
        self.quota.give_back(&key, units, count.rule, age, self.origin.elapsed()).await;
    }
}

/// Returns a length in units, rounded up.
fn units_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use barrage_counters::{LocalQuota, LocalQuotaConfig, LocalQuotaMetrics};

    use super::*;

    const MIB: u64 = 1 << 20;
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Ten MiB a day for a user, and twenty for an address.
    fn quotas() -> Quotas {
        let metrics = LocalQuotaMetrics::new(&prometheus::Registry::new()).unwrap();
        let quota = LocalQuota::new(&LocalQuotaConfig::default(), metrics);
        let config = MediaConfig { user_mib_per_day: 10, address_mib_per_day: 20, ..MediaConfig::default() };
        Quotas::new(Arc::new(quota), &config).unwrap()
    }

    fn counted(user: &UserId, bytes: u64, arrived_bytes: u64) -> Counted<'_> {
        Counted { user, address: Some(HOME), bytes, arrived_bytes, age: Duration::ZERO }
    }

    #[tokio::test]
    async fn bytes_that_never_arrived_come_back_and_others_once_a_day() {
        let (quotas, ann): (_, UserId) = (quotas(), "ann".parse().unwrap());
        for _ in 0..20 {
            quotas.take(&ann, HOME, 10 * MIB).await.unwrap();
            quotas.give_back(counted(&ann, 10 * MIB, 0)).await;
        }
        quotas.take(&ann, HOME, 10 * MIB).await.unwrap();
        quotas.give_back(counted(&ann, 10 * MIB, 10 * MIB)).await;
        quotas.take(&ann, HOME, 10 * MIB).await.unwrap();
        quotas.give_back(counted(&ann, 10 * MIB, 4 * MIB)).await;
        assert!(quotas.take(&ann, HOME, 7 * MIB).await.is_err(), "four have arrived");
        quotas.take(&ann, HOME, 6 * MIB).await.unwrap();
    }

    #[tokio::test]
    async fn users_of_an_address_share_its_quota_and_a_refusal_there_counts_nothing() {
        let quotas = quotas();
        let users: [UserId; 3] = ["ann", "bob", "carl"].map(|user| user.parse().unwrap());
        quotas.take(&users[0], HOME, 10 * MIB).await.unwrap();
        quotas.take(&users[1], HOME, 5 * MIB).await.unwrap();
        let refused = quotas.take(&users[2], HOME, 9 * MIB).await.unwrap_err();
        assert!(refused.0.message.contains("address_mib_per_day"), "{refused:?}");
        let elsewhere = "192.0.2.1".parse().unwrap();
        quotas.take(&users[2], elsewhere, 10 * MIB).await.unwrap();
    }
}
