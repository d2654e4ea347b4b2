//! Limits of logins and registrations, counted where the limits of posts are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rate, Rule, RuleError, Verdict};
use barrage_http::{ClientAddr, rate_limited};
use barrage_protocol::UserId;
use barrage_protocol::code::Refusal;
use sha2::{Digest, Sha256};

use super::config::AccountsConfig;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Counts the attempts of addresses and names, and refuses what exceeds the configuration.
pub(super) struct AccountLimits {
    quota: Arc<dyn Quota>,
    logins_of_address: Rate,
    logins_of_name: Rate,
    registrations_of_address: Rate,
    origin: Instant,
}

impl AccountLimits {
    pub(super) fn new(config: &AccountsConfig, quota: Arc<dyn Quota>) -> Result<Self, RuleError> {
        let per = |count: u32, period| Rate::new(count, period, count);
        Ok(AccountLimits {
            quota,
            logins_of_address: per(config.logins_per_address_min, MINUTE)?,
            logins_of_name: per(config.logins_per_name_min, MINUTE)?,
            registrations_of_address: per(config.registrations_per_address_hour, HOUR)?,
            origin: barrage_clock::now(),
        })
    }

    /// Counts a login before its password is examined, against the address and the name.
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub(super) async fn login(&self, client: ClientAddr, name_key: &str) -> Result<(), Refusal> {
        let subject = Subject::address(client.0);
        self.take("logins_per_address_min", "address", subject, self.logins_of_address, MINUTE).await?;
        let subject = Subject::User(name_subject(name_key));
        self.take("logins_per_name_min", "user", subject, self.logins_of_name, MINUTE).await
    }

    /// Counts a registration against the address.
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub(super) async fn registration(&self, client: ClientAddr) -> Result<(), Refusal> {
        let subject = Subject::address(client.0);
        let rate = self.registrations_of_address;
        self.take("registrations_per_address_hour", "address", subject, rate, HOUR).await
    }

    async fn take(
        &self,
        rule: &'static str,
        scope: &str,
        subject: Subject,
        rate: Rate,
        period: Duration,
    ) -> Result<(), Refusal> {
        let key = QuotaKey { purpose: rule, subject };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(rate), self.origin.elapsed()).await;
        if let Verdict::Refuse { .. } = verdict {
            let message = format!("too many attempts: accounts.{rule} admits {}", rate.units());
            let window_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
            return Err(rate_limited(message, rule, scope, &verdict, window_ms));
        }
        Ok(())
    }
}

/// Returns the subject of a name. The quota's keys take ids, which a name is not.
fn name_subject(name_key: &str) -> UserId {
    let digest = Sha256::digest(name_key);
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    UserId::parse(&hex).expect("the alphabet and the length are those of ids")
}
