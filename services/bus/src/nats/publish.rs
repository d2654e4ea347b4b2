//! Publishing messages under their ids, so that a retry is stored only once.

mod faults;
pub(crate) mod package;
pub(crate) mod publisher;
