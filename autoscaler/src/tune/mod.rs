//! A search for better numbers: less overload and waiting, as long as it is worth its gateway
//! hours.

mod difference;
mod knob;
mod search;

pub use difference::{Difference, differences};
pub use knob::Knob;
pub use search::{Candidate, Choice, Search, Tuned, front, tune};
