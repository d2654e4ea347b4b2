//! Limits by client address: requests a second, and open connections.

mod address_limits;
mod client_limits;
mod slots;

pub use address_limits::{AddressLimits, AddressLimitsError, AddressRule};
pub use client_limits::ClientLimits;
pub(crate) use slots::{NoFreeSlot, Slot, Slots};
