//! One pass over all fleets, and the state that a fleet keeps between passes.

mod controller;
mod fleet;
mod forecast_check;
mod journal;
mod status;

pub use controller::{Connect, Controller};
