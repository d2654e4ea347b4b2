//! Viewers and a writer over the public protocol, and the records that the oracle judges.

mod drill;
mod load;
mod records;
mod viewer;
mod writer;

pub use drill::{Drill, Played, gauge, play};
pub(crate) use drill::{SHOWN_MAX, unaccounted};
pub use load::Load;
pub use records::Records;
pub(crate) use viewer::number_in;
pub(crate) use writer::{Kind, paced};
