//! A search for a policy with less overload and waiting, at a reasonable cost in gateway hours.

mod difference;
mod knob;
mod search;

pub use difference::{Difference, differences};
pub use knob::Knob;
pub use search::{Candidate, Choice, Search, Tuned, front, tune};
