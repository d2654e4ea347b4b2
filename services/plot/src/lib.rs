//! Line plots as inline SVG, and the page around them.
//!
//! A page opens without a network, in a light and a dark form: colours are CSS variables, and
//! style and script are part of the page. A pointer over any plot shows the values at that place
//! in all plots of the page.
//!
//! The load tester's reports and the autoscaler's simulations are drawn with it.

mod axis;
mod dash;
mod page;
mod plot;

pub use axis::XAxis;
pub use dash::Dash;
pub use page::page;
pub use plot::{Band, Extent, Limit, Line, Mark, Plot, Shape};
