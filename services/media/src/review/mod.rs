//! Media that wait for a moderator before anybody but their sender may have them.
//!
//! A medium that waits is in the store with its forms, and nobody has a reference to it. What waits and what was denied
//! is in the store as well, so that every process of the role may list and decide.

mod decide;
mod mode;
mod settle;
mod waiting;

pub(crate) use decide::{Decision, decide, list};
pub use mode::ReviewMode;
pub(crate) use settle::{denied, run};
pub(crate) use waiting::{Waiting, is_denied, is_waiting, lift, put};
