//! Race times of clients: what a report says, and what is known of each endpoint by location. Pure.

mod race_times;
mod report;
mod samples;

pub(crate) use race_times::{RaceLimits, RaceTimes};
pub(crate) use report::{FAILED_MS, Ignored, Kind, RESULTS_MAX, Reading};
pub(crate) use samples::Source;
