//! The load tester: offers a crowd's load to Barrage through its public protocol, and says
//! what each viewer got, how late, and what was lost.
//!
//! The load is open loop: when a viewer comes and when a message is sent is decided before
//! the run, and a slow server changes neither. A latency counts from the intended moment.

pub mod arrivals;
pub mod capacity;
pub mod cli;
pub mod clock;
pub mod descriptors;
pub mod dump;
pub mod error;
pub mod figure;
pub mod http;
pub mod interval;
pub mod latency;
pub mod ledger;
mod mistakes;
pub mod plan;
pub mod popularity;
pub mod population;
pub mod recordings;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shipped;
pub mod spelling;
pub mod threshold;
pub mod worker;
