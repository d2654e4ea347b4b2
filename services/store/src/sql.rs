//! SQL that both engines share: the primitives, the calls on top of them, and rows.

mod account_calls;
pub(crate) mod ballots;
pub(crate) mod batch;
mod calls;
mod deliveries;
pub(crate) mod engine;
pub(crate) mod page;
mod poll_calls;
pub(crate) mod row;
pub(crate) mod stream_starts;
