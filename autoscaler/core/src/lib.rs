//! The decision of the autoscaler: how many gateways there should be, which of them drain, and
//! how entry weighs them.
//!
//! - [`decide()`]: an observation in, a decision out. The rooms are `observed` (the input),
//!   `estimate` (demand, forecast, need) and `scaling` (target, scale-out, scale-in, moves).
//! - [`Weigher`], [`pick()`]: entry's weights and its choice of gateways, in `placement`.
//! - [`LoadReport`]: the load of one gateway, from the gateway to every reader.
//!
//! Pure: no clock, no chance, and no I/O except reading a configuration file. The crate depends on
//! no Kubernetes, no bus and no process, so every observer of a fleet can use it.

mod axis;
mod capacity;
mod error;
mod estimate;
pub mod file;
mod observed;
mod placement;
mod policy;
mod problem;
mod scaling;
mod schedule;

pub use axis::Axis;
pub use barrage_part::{Field, Kind, Range};
pub use capacity::{AtLeast, CapacityFile, Knee};
pub use error::ConfigError;
pub use estimate::{Demand, Forecast, Memory, Need, Series, count, whole};
pub use observed::{
    EntryLoad, FleetInstance, FleetPrewarm, FleetReport, FleetRole, GatewayId, LoadReport, Observation,
    ObservedGateway, Phase,
};
pub use placement::{Candidate, GRANTS_MAX, Weigher, Weight, WeightsConfig, pick};
pub use policy::{
    DrainConfig, ForecastConfig, JoinsConfig, MissingConfig, Mode, PanicConfig, PolicyConfig,
    RebalanceConfig, ReserveConfig, ScaleInConfig,
};
pub use problem::{Problem, Problems};
pub use scaling::{Constraint, Decision, Move, MoveCause, Reason, decide, explain, victims};
pub use schedule::Schedule;
