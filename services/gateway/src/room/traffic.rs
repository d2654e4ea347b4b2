use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::Heat;

/// Traffic of one room, for the list of the hottest rooms.
///
/// The hub and the shards add; the one task that ranks rooms takes. No order among the figures
/// matters, so they are relaxed.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Messages given to viewers since the last take, each viewer counted.
    deliveries: AtomicU64,
    /// Messages of the room that came from the bus since the last take.
    messages: AtomicU64,
    heat: AtomicU8,
}

/// Traffic of one room between two takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) deliveries: u64,
    pub(crate) messages: u64,
}

impl Traffic {
    pub(crate) fn add_deliveries(&self, deliveries: u64) {
        self.deliveries.fetch_add(deliveries, Ordering::Relaxed);
    }

    pub(crate) fn add_message(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_heat(&self, heat: Heat) {
        self.heat.store(heat as u8, Ordering::Relaxed);
    }

    pub(crate) fn heat(&self) -> Heat {
        Heat::ALL.get(usize::from(self.heat.load(Ordering::Relaxed))).copied().unwrap_or(Heat::Idle)
    }

    /// Returns the traffic since the last call.
    pub(super) fn take(&self) -> Taken {
        Taken { deliveries: take(&self.deliveries), messages: take(&self.messages) }
    }
}

/// Reads before it writes, because most rooms of a gateway are quiet.
fn take(counter: &AtomicU64) -> u64 {
    if counter.load(Ordering::Relaxed) == 0 { 0 } else { counter.swap(0, Ordering::Relaxed) }
}
