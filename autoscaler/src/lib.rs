//! How many gateways a crowd needs, whom to drain, and how newcomers are weighed.
//!
//! - [`decide()`]: load reports in, orders out. Pure: no I/O, no clock, no chance.
//! - [`weights`], [`pick()`]: what entry works out alone.
//! - [`baseline`]: the rules of other autoscalers, to be compared with.
//! - [`simulate`]: a crowd, a fleet and a policy, second by second.
//! - [`tune`]: a search for better numbers over recorded crowds.
//!
//! Nothing here knows Kubernetes, the bus or a process.

mod alarm;
pub mod axis;
pub mod baseline;
pub mod capacity;
mod census;
pub mod constraint;
pub mod decide;
pub mod decision;
pub mod demand;
mod drain;
pub mod error;
pub mod explain;
mod file;
pub mod forecast;
pub mod load;
pub mod memory;
pub mod need;
pub mod observation;
pub mod pick;
pub mod policy;
pub mod problem;
mod rebalance;
mod scale_in;
pub mod schedule;
pub mod series;
pub mod simulate;
pub mod tune;
pub mod victims;
pub mod weights;

pub use axis::Axis;
pub use capacity::{CapacityFile, Knee};
pub use constraint::Constraint;
pub use decide::decide;
pub use decision::{Decision, Move, MoveCause, Reason};
pub use error::ConfigError;
pub use explain::explain;
pub use load::{EntryLoad, GatewayId, GatewayLoad, LoadReport, Phase};
pub use memory::Memory;
pub use observation::Observation;
pub use pick::pick;
pub use policy::{Mode, PolicyConfig};
pub use schedule::Schedule;
pub use victims::victims;
pub use weights::{Weigher, Weight, WeightsConfig};
