//! Hub of one room: takes its messages off the bus, repairs gaps once for all viewers, batches, and
//! gives each batch to the shards.

mod books;
mod delayed;
mod delayed_start;
mod event;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod hub;
mod measure;
mod pace;
mod record;
mod rest;
mod run;
mod schedule;
mod stepped;

pub(crate) use run::starter;
pub use stepped::{SteppedBatch, SteppedHub, SteppedPace, SteppedPlan};
