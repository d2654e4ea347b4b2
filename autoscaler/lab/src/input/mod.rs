//! Inputs of a simulation: how many viewers want to watch, and what goes wrong.

mod built_in;
mod curve;
mod trace;

pub use built_in::{built_in, built_ins};
pub use curve::{Curve, CurveOptions};
pub use trace::Trace;
