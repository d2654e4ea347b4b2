//! From an observation to the gateways that demand needs.

mod census;
mod demand;
mod forecast;
mod memory;
mod need;
mod panic;
mod round;
mod series;

pub(crate) use census::Census;
pub use census::count;
pub use demand::Demand;
pub(crate) use demand::credible;
pub use forecast::Forecast;
pub use memory::Memory;
pub(crate) use need::ExpectedLoad;
pub use need::{Need, whole};
pub(crate) use panic::is_panic;
pub(crate) use round::Round;
pub use series::Series;
