//! A crowd, a fleet and a policy, second by second. Viewers are a fluid; gateways have
//! exact knees; everything that happens by chance comes from the seed.

mod actions;
mod built_in;
mod campaign;
mod contender;
mod curve;
mod entry;
mod fleet;
mod gateway;
pub mod html;
mod oracle;
mod others;
mod ours;
mod outcome;
mod plot;
mod service;
mod table;
mod timeline;
mod trace;
mod verdict;
mod world;

pub use built_in::{built_in, built_ins};
pub use campaign::{Campaign, Result, run_all};
pub use contender::{Contender, Placement};
pub use curve::{Curve, CurveOptions};
pub use outcome::Outcome;
pub use plot::{Line, Plot, escape};

pub use table::{legend, table};
pub use timeline::{Event, Point, Timeline};
pub use trace::Trace;
pub use verdict::verdict;
pub use world::{Run, Setup, observations, run};

#[cfg(test)]
mod tests;
