//! The conservation ledger: every message that a stage takes is accounted for.
//!
//! Each stage of a message's path keeps a [`Book`] of the messages that it took and of their
//! [`Fate`]. Once a second the book is settled: the messages taken must equal the messages passed
//! on, dropped, expired and still held. The difference is the metric `barrage_conservation_error`,
//! and anything but zero is a defect. Pulses have no sequence and are not counted.

mod balance;
mod book;
mod ledger;

pub use balance::Balance;
pub use book::{Book, Fate};
pub use ledger::Ledger;
