//! A search for better numbers: overload and waiting first, then gateway hours.

mod knob;
mod search;

pub use knob::Knob;
pub use search::{Candidate, Search, Tuned, tune};
