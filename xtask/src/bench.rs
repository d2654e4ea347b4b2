//! Benches: each runs release builds on real servers and prints what it measured.

pub(crate) mod flow;
pub(crate) mod slow;
