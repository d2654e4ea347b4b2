//! The oracle: which gifts were promised, and whether each was shown and archived once. No I/O.

mod judgement;
mod shown;

pub use judgement::{Fault, Judgement, Promises};
pub use shown::{Seen, Shown};
