//! Entry's part: the weights of gateways, and the choice of gateways for one newcomer.

mod pick;
mod weights;

pub use pick::pick;
pub use weights::{Candidate, GRANTS_MAX, Weigher, Weight, WeightsConfig};
