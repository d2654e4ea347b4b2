//! The load tester: sends the load of a scenario to Barrage through its public protocol, and
//! reports what each viewer received, how late, and what was lost.
//!
//! The load is an open loop: join times and send times are computed before the run, and a slow
//! server changes neither. Latencies count from the intended time.

pub mod capacity;
pub mod cli;
pub mod clock;
pub mod descriptors;
pub mod error;
pub mod inbox;
pub mod live;
pub mod load;
pub mod measure;
pub mod net;
pub mod out;
pub mod plan;
pub mod recording;
pub mod regions;
pub mod report;
pub mod run;
pub mod scenario;
pub mod worker;
