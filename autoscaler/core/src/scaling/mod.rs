//! From demand to a decision: how many gateways there should be, which of them drain, and which
//! viewers move.

mod constraint;
mod decide;
mod decision;
mod drain;
mod explain;
mod rebalance;
mod scale_in;
mod scale_out;
mod target;
mod victims;

pub use constraint::Constraint;
pub use decide::decide;
pub use decision::{Decision, Move, MoveCause, Reason};
pub use explain::explain;
pub use victims::victims;
