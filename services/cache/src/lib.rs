//! Bounded caches in memory whose entries end. Beyond a bound, the entries that are used least go.
//!
//! All caches of a program share one compiled engine (`moka` with keys and values behind pointers): each type of its
//! own would add a second and a half to a build. An entry costs one allocation more for that.

mod cache;
mod erased;

pub use cache::Cache;
