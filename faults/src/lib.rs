//! Fault harness: real processes of Barrage, NATS, Redis and PostgreSQL under kills, stops, partitions,
//! loss, full disks, small limits and stepped clocks.
//!
//! A scenario is a name, the needs of its machine and a function. [`oracle`] judges what viewers and the
//! archive received, without any I/O. [`crowd`] has the viewers and the writer, [`people`] those who write letters,
//! [`peers`] plays some of the faults on nchan, [`site`] has the processes, [`cause`] the faults. `cargo xtask fault list` prints the scenarios.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a scenario fails by panicking")]

pub mod cause;
pub mod crowd;
pub mod figure;
pub mod machine;
pub mod oracle;
pub mod outcome;
pub mod peers;
pub mod people;
pub mod play;
pub mod run;
pub mod scenarios;
pub mod site;
pub mod vitals;
mod works;
