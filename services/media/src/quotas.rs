//! How much a user and an address may upload in a day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rule, RuleError, Verdict, Window};
use barrage_http::{ApiError, ClientAddr, rate_limited};
use barrage_protocol::UserId;

use crate::config::MediaConfig;

/// Unit of the counts in bytes: a count is of 32 bits.
const UNIT_BYTES: u64 = 1_024;
const UNITS_PER_MIB: u32 = 1_024;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The quotas of a day, counted by stated lengths at the creation of an upload. An upload that is not finished counts as
/// well: its room was taken.
pub(crate) struct Quotas {
    quota: Arc<dyn Quota>,
    user: Rule,
    address: Rule,
    origin: Instant,
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

    /// Counts an upload of this length against the user, then against the address.
    pub(crate) async fn take(&self, user: &UserId, client: ClientAddr, bytes: u64) -> Result<(), ApiError> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        for (purpose, subject, rule, scope) in [
            ("user_mib_per_day", Subject::User(user.clone()), &self.user, "user"),
            ("address_mib_per_day", Subject::address(client.0), &self.address, "address"),
        ] {
            let key = QuotaKey { purpose, subject };
            let verdict = self.quota.take(&key, units, rule, self.origin.elapsed()).await;
            if let Verdict::Refuse { .. } = verdict {
                let message = format!("the uploads of a day are used up: media.{purpose}");
                let window_ms = u64::try_from(DAY.as_millis()).unwrap_or(u64::MAX);
                return Err(rate_limited(message, purpose, scope, &verdict, window_ms).into());
            }
        }
        Ok(())
    }
}
