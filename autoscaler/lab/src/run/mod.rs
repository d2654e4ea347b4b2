//! Runs of a trace under a contender, second by second. Viewers are a fluid, gateways have exact
//! knees, and all chance comes from the seed.

mod actions;
mod campaign;
mod outcome;
mod simulation;
#[cfg(test)]
mod tests;
mod timeline;

pub use campaign::{Campaign, TraceResult, run_all};
pub use outcome::Outcome;
pub use simulation::{Run, Setup, observations, run};
pub use timeline::{Event, Point, Timeline};
