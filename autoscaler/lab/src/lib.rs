//! The tools around the autoscaler's decision: a simulator, a tuner, and readers of logs.
//!
//! - [`baseline`]: the rules of other autoscalers, to compare with.
//! - [`input`]: traces, which say how many viewers come and what fails.
//! - `cluster`: the simulated gateways, entry and a plain service.
//! - [`contenders`]: the policies that are compared.
//! - [`run`]: runs, second by second, and their results.
//! - [`report`]: results as text and as a page.
//! - [`tune`]: a search for a better policy.
//!
//! The decision itself is `barrage-scaling`. The image of the controller does not contain this
//! crate.

pub mod baseline;
mod cli;
mod cluster;
mod commands;
mod console;
pub mod contenders;
pub mod input;
mod progress;
pub mod report;
pub mod run;
pub mod tune;

pub use cli::{EXAMPLES, TRACE_FILE};
pub use commands::Command;
