//! The intended load: how many viewers there are at any time, and when posts are due. Pure.

pub mod arrivals;
pub mod population;
