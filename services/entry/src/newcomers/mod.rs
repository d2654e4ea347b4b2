//! Newcomers: their counts, their tickets, and the refusals of those that must wait.

mod counts;
mod refusals;
mod tickets;

pub(crate) use counts::Newcomers;
pub(crate) use refusals::{address_refusal, fleet_refusal};
pub(crate) use tickets::TicketSigner;
