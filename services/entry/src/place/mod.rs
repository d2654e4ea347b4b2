//! Distance: where clients and instances are, and the share of an endpoint that follows. Pure.

mod cost;
mod location;
mod place_config;

pub(crate) use cost::{Prospect, factors, place_ms};
pub use location::Location;
pub(crate) use location::PlaceMatch;
pub use place_config::PlaceConfig;
