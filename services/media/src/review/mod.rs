//! Media that wait for the hook or a moderator before anybody but their sender may have them.
//!
//! A medium that waits is in the store with its forms, and nobody has a reference to it. What waits and what was denied
//! is in the store as well, so that every process of the role may list and decide. The hook is asked first, by the process
//! that has the upload; a moderator may decide at any time.

mod ask;
mod decide;
mod settle;
mod waiting;

pub(crate) use ask::begin;
pub(crate) use decide::{Decision, decide, list};
pub(crate) use settle::{denied, run};
pub(crate) use waiting::{Awaits, Waiting, awaited, is_denied, lift, put};
