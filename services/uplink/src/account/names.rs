//! Names of accounts: no other sender is shown under one of them, or under one that looks like it.

use std::sync::Arc;
use std::time::Duration;

use barrage_cache::Cache;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::{Code, UserId};
use barrage_store::Store;
use prometheus::IntCounter;

use super::config::AccountsConfig;
use super::form;
use crate::metrics::UplinkMetrics;

/// Time for which an answer of the store is used. A name that was registered at another uplink may be used by
/// others for so long.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// Names that are remembered. Beyond, those that are used least are looked up again.
const KNOWN_MAX: u64 = 10_000;
/// Longest wait of a post for the store. Then the name passes without a comparison.
const READ_MAX: Duration = Duration::from_millis(250);
/// Rule that a refusal names.
const RULE: &str = "account_name";

/// Compares the names of senders with those of accounts, as registration compares names with each other.
pub struct AccountNames {
    store: Arc<dyn Store>,
    known: Cache<String, Owner>,
    unchecked: IntCounter,
}

/// Whose name a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// No account has it, or one that looks like it.
    Nobody,
    Account(UserId),
    /// The store did not answer in time.
    Unknown,
}

impl AccountNames {
    /// Returns the names of the accounts in `store`; `None` where accounts are off.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, config: &AccountsConfig, metrics: &UplinkMetrics) -> Option<Arc<Self>> {
        let known = Cache::new(KNOWN_MAX, KNOWN_FOR);
        let unchecked = metrics.names_unchecked.clone();
        (config.enabled == Some(true)).then(|| Arc::new(AccountNames { store, known, unchecked }))
    }

    /// Refuses a name that belongs to an account, unless `user` has that account.
    ///
    /// # Errors
    /// `bad_text` with the rule `account_name`.
    pub(crate) async fn check(&self, user: Option<&UserId>, name: &str) -> Result<(), Refusal> {
        let owner = self.known.load(name.to_owned(), async { Ok(self.owner(name).await) }).await;
        let owner = owner.unwrap_or_else(|never| match *never {});
        match owner {
            Owner::Account(owner) if user != Some(&owner) => {
                let message =
                    "name: it is that of an account, or looks like it; sign in, or take another name";
                let limit = Some(Box::new(LimitHit::rule(RULE, "user")));
                Err(Refusal { limit, ..Refusal::new(Code::BadText, message) })
            }
            Owner::Account(_) | Owner::Nobody => Ok(()),
            Owner::Unknown => {
                self.unchecked.inc();
                Ok(())
            }
        }
    }

    /// Looks all names up again: one of them belongs to a new account.
    pub(super) fn registered(&self) {
        self.known.clear();
    }

    async fn owner(&self, name: &str) -> Owner {
        let key = form::key(name);
        if key.is_empty() {
            return Owner::Nobody;
        }
        let read = self.store.account_store().account_by_name(&key);
        match tokio::time::timeout(READ_MAX, read).await {
            Ok(Ok(Some(account))) => Owner::Account(account.user),
            Ok(Ok(None)) => Owner::Nobody,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a name was not compared with those of accounts");
                Owner::Unknown
            }
            Err(_) => Owner::Unknown,
        }
    }
}
