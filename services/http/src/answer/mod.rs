//! Answers: refusals with their documented body, and the header fields of every answer.

pub(crate) mod documented;
pub mod error;
mod rate_limited;

pub use rate_limited::rate_limited;
