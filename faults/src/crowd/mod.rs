//! Viewers and a writer over the public protocol, and the records that the oracle judges.

mod drill;
mod load;
mod records;
mod viewer;
mod writer;

pub(crate) use drill::unaccounted;
pub use drill::{Drill, Played, gauge, play};
pub use load::Load;
pub use records::Records;
