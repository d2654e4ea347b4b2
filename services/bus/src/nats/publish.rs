//! Publishing messages under their ids.

mod faults;
pub(crate) mod package;
pub(crate) mod publisher;
