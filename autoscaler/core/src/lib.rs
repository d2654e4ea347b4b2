//! How many gateways a crowd needs, whom to drain, and how newcomers are weighed.
//!
//! - [`decide()`]: load reports in, orders out.
//! - [`Weigher`], [`pick()`]: what entry works out alone.
//!
//! Pure: no I/O but reading a configuration file, no clock, no chance. It knows no
//! Kubernetes, no bus and no process, so whoever observes a fleet can share it.

mod alarm;
mod axis;
mod capacity;
mod census;
mod constraint;
mod decide;
mod decision;
mod demand;
mod drain;
mod error;
mod explain;
mod field;
pub mod file;
mod fleet;
mod forecast;
mod load;
mod memory;
mod need;
mod observation;
mod pick;
mod policy;
mod problem;
mod rebalance;
mod scale_in;
mod schedule;
mod series;
mod victims;
mod weights;

pub use axis::Axis;
pub use capacity::{AtLeast, CapacityFile, Knee};
pub use census::count;
pub use constraint::Constraint;
pub use decide::decide;
pub use decision::{Decision, Move, MoveCause, Reason};
pub use demand::Demand;
pub use error::ConfigError;
pub use explain::explain;
pub use field::{Field, Range};
pub use fleet::{FleetInstance, FleetPrewarm, FleetReport, FleetRole};
pub use forecast::Forecast;
pub use load::{EntryLoad, GatewayId, LoadReport, ObservedGateway, Phase};
pub use memory::Memory;
pub use need::{Need, whole};
pub use observation::Observation;
pub use pick::pick;
pub use policy::{
    DrainConfig, ForecastConfig, JoinsConfig, MissingConfig, Mode, PanicConfig, PolicyConfig,
    RebalanceConfig, ReserveConfig, ScaleInConfig,
};
pub use problem::{Problem, Problems};
pub use schedule::Schedule;
pub use series::Series;
pub use victims::victims;
pub use weights::{Candidate, GRANTS_MAX, Weigher, Weight, WeightsConfig};
