//! Protocols between threads that have atomics and no lock.
//!
//! Each is a small type without I/O and without a runtime, so that `cargo xtask model` can try every order of its
//! steps: with `--cfg loom` the atomics are those of loom, and the tests in `models.rs` run as models.

mod atomics;
mod in_flight;
#[cfg(all(test, loom))]
mod models;
mod place_count;
mod rest_flag;
mod turn;

pub use in_flight::{Ended, InFlight};
pub use place_count::{PlaceCount, Taken};
pub use rest_flag::{RestFlag, Stir};
pub use turn::Turn;
