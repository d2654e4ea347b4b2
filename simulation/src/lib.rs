//! Deterministic simulation of the parts that decide about money and order.
//!
//! A run has a seed and nothing else from outside: one thread, virtual clocks, and surroundings (disk, store,
//! network, servers) that fail as the seed says. The parts are those of the product; the surroundings are here.
//! After each event, and after an end without faults, a run checks its obligations.

mod disk;
pub mod mutation;
mod receiver;
pub mod rng;
pub mod run;
pub mod scenario;
mod site;
mod store;
pub mod trace;
pub mod vectors;
