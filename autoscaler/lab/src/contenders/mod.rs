//! The contenders: scaling policies that a simulation compares on equal terms.

mod baselines;
mod contender;
mod oracle;
mod ours;

pub(crate) use baselines::{HpaScaler, KpaScaler};
pub use contender::{Contender, Placement};
pub(crate) use contender::{Orders, Scaler, View};
pub(crate) use oracle::{Oracle, needed};
pub(crate) use ours::{Ours, observe};
