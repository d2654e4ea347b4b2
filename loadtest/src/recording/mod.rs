//! Recordings that can be posted again.

pub mod dump;
pub mod tape;
