//! Regions: viewers of several simulated regions, and gateways in each, for the choice by place.
//!
//! A region is a range of source addresses on loopback. Each gateway is behind a proxy of this process,
//! which delays the bytes of a viewer by the distance between the viewer's region and the gateway's.
//! The same viewers are placed by an entry with the region file, and by one without it, which spreads
//! them by load alone. `barrage-loadtest regions` runs it; [`measure`] is the same as a function.

mod delay_proxy;
mod fleet;
mod map;
mod measurement;
mod viewer;

pub use measurement::{Figures, RegionsPlan, measure};
