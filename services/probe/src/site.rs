//! A site, as the probe reaches it.

use barrage_client::{HttpPool, probe_targets};
use barrage_protocol::UserId;
use barrage_protocol::entry::ProbeTargets;
use std::time::Duration;

use crate::phase::{Failure, Phase};
use crate::tokens::TokenSource;

/// Entry of a site, with the tokens and the authorities for it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Name of the site in metrics.
    pub name: String,
    /// Base URL of entry, without a slash at the end.
    pub entry_url: String,
    /// Source of tokens that the site accepts.
    pub tokens: TokenSource,
    /// Connections that trust the authorities of the site.
    pub pool: HttpPool,
}

impl Site {
    /// Asks entry for all gateways and uplinks.
    pub(crate) async fn survey(&self, user: &UserId, timeout: Duration) -> Result<ProbeTargets, Failure> {
        let token = self.token(user)?;
        let answer = probe_targets(&self.pool, &self.entry_url, &token, timeout).await;
        answer.map_err(|error| Failure::new(Phase::Entry, error))
    }

    pub(crate) fn token(&self, user: &UserId) -> Result<String, Failure> {
        self.tokens.token(user).map_err(|reason| Failure::new(Phase::Entry, reason))
    }
}
