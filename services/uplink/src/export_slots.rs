//! Slots of exports: how many are written at the same time, in all and for one address.

use std::collections::HashMap;
use std::sync::Arc;

use barrage_counters::Subject;
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::Code;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Milliseconds after which a client may ask again when too many exports run.
const RETRY_MS: u64 = 5_000;

/// Bounds the exports of viewers. Admins have as many of their own, which no viewer can take.
#[derive(Debug)]
pub(crate) struct ExportSlots {
    viewers: Arc<Semaphore>,
    admins: Arc<Semaphore>,
    of_address_max: usize,
    by_address: Arc<Counts>,
}

/// Running exports by address (an IPv6 /64); at most one entry for each slot of viewers.
type Counts = Mutex<HashMap<Subject, usize>>;

/// Slot of one export; dropping it gives the slot back.
#[derive(Debug)]
pub(crate) struct ExportSlot {
    _permit: OwnedSemaphorePermit,
    counted: Option<(Arc<Counts>, Subject)>,
}

impl Drop for ExportSlot {
    fn drop(&mut self) {
        let Some((counts, subject)) = &self.counted else { return };
        let mut counts = counts.lock();
        if let Some(count) = counts.get_mut(subject) {
            *count -= 1;
            if *count == 0 {
                counts.remove(subject);
            }
        }
    }
}

impl ExportSlots {
    /// Makes `exports_max` slots, of which one address may hold half.
    pub(crate) fn new(exports_max: usize) -> Self {
        ExportSlots {
            viewers: Arc::new(Semaphore::new(exports_max)),
            admins: Arc::new(Semaphore::new(exports_max)),
            of_address_max: exports_max.div_ceil(2),
            by_address: Arc::default(),
        }
    }

    /// Takes a slot for an admin.
    ///
    /// # Errors
    /// `overloaded`, when admins hold all of theirs.
    pub(crate) fn of_admin(&self) -> Result<ExportSlot, ApiError> {
        Ok(ExportSlot { _permit: permit(&self.admins)?, counted: None })
    }

    /// Takes a slot for a viewer at this address.
    ///
    /// # Errors
    /// `overloaded`, when viewers hold all of theirs; `rate_limited`, when the address holds its share.
    pub(crate) fn of_viewer(&self, client: ClientAddr) -> Result<ExportSlot, ApiError> {
        let subject = Subject::address(client.0);
        let mut counts = self.by_address.lock();
        if counts.get(&subject).is_some_and(|count| *count >= self.of_address_max) {
            let message = format!("one address may read {} exports at a time", self.of_address_max);
            return Err(ApiError::new(Code::RateLimited, message).retry_after_ms(RETRY_MS));
        }
        let permit = permit(&self.viewers)?;
        *counts.entry(subject.clone()).or_default() += 1;
        Ok(ExportSlot { _permit: permit, counted: Some((Arc::clone(&self.by_address), subject)) })
    }
}

fn permit(slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    Arc::clone(slots).try_acquire_owned().map_err(|_| {
        let message = "this server writes as many exports as it can; come back later";
        ApiError::new(Code::Overloaded, message).retry_after_ms(RETRY_MS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_holds_half_and_no_viewer_the_slots_of_admins() {
        let slots = ExportSlots::new(4);
        let viewer = |address: &str| {
            let slot = slots.of_viewer(ClientAddr(address.parse().unwrap()));
            slot.map_err(|error| error.0.code)
        };
        let first = viewer("192.0.2.1").unwrap();
        let _second = viewer("::ffff:192.0.2.1").unwrap();
        assert_eq!(viewer("192.0.2.1").unwrap_err(), Code::RateLimited);
        drop(first);
        let _third = viewer("192.0.2.1").unwrap();
        let _others = [viewer("2001:db8::1").unwrap(), viewer("2001:db8::2").unwrap()];
        assert_eq!(viewer("2001:db8::3").unwrap_err(), Code::RateLimited, "of the same /64");
        assert_eq!(viewer("192.0.2.9").unwrap_err(), Code::Overloaded);
        assert!(slots.of_admin().is_ok());
        assert_eq!(slots.by_address.lock().len(), 2);
    }
}
