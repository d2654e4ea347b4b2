//! The same faults on a server of others, for a comparison: nginx with the module nchan.
//!
//! Viewers are clients of Server-Sent Events that come back after a second with the last id that they saw. The writer
//! posts a gift until it is accepted. The oracle is the one of Barrage's own scenarios. No figure has a target.

mod drill;
mod nchan;
mod scenarios;
mod viewer;
mod writer;

pub use nchan::MODULE;
pub use scenarios::{chaos, drain, overload, storm};
