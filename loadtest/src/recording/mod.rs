//! Recordings of real rooms that the load tester posts again.

pub mod dump;
pub mod tape;
