//! The limits of one client, for handlers.

use std::sync::Arc;

use super::address_limits::{AddressLimits, AddressRule};
use crate::answer::error::ApiError;
use crate::request::ClientAddr;

/// The limits of the client of a request, for a handler that computes the request's cost itself. A
/// request extension; absent where there are no limits.
#[derive(Clone)]
pub struct ClientLimits {
    limits: Arc<AddressLimits>,
    client: ClientAddr,
}

impl ClientLimits {
    pub(crate) const fn new(limits: Arc<AddressLimits>, client: ClientAddr) -> Self {
        ClientLimits { limits, client }
    }

    /// Counts the requests inside of a tunnel.
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub fn take_tunnel(&self, requests: usize) -> Result<(), ApiError> {
        self.limits.take(AddressRule::Tunnel, self.client, u32::try_from(requests).unwrap_or(u32::MAX))
    }

    /// Counts a request inside of a tunnel by the rule of its path, beside [`ClientLimits::take_tunnel`].
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub fn take_inner(&self, path: &str) -> Result<(), ApiError> {
        match path.rsplit('/').next() {
            Some("history") => self.limits.take(AddressRule::History, self.client, 1),
            Some("reports") => self.limits.take(AddressRule::Reports, self.client, 1),
            _ => Ok(()),
        }
    }
}
