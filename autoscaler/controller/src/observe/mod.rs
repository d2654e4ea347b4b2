//! The fleet as the API server and the load reports show it.

mod latest_reports;
mod observed;

pub(crate) use latest_reports::LatestReports;
pub(crate) use observed::Observed;
pub use observed::{CORDON, DELETION_COST, PIN, VICTIM_COST};
