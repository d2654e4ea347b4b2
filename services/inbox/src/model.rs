//! Random events, tables in memory, and a naive recount: what tests of this crate and of the stores compare with.

mod recount;
mod tables;
mod workload;

pub use recount::Recount;
pub use tables::Tables;
pub use workload::Workload;
