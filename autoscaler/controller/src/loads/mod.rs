//! Sources of load reports: the fleet's own registry, or Prometheus.

mod prometheus;
mod registry;
mod source;
#[cfg(test)]
mod tests;

pub use source::LoadSource;
pub(crate) use source::source;
