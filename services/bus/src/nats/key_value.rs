//! Key-value buckets: the settings and the registry.

pub(crate) mod bucket;
pub(crate) mod liveness;
pub(crate) mod registry;
pub(crate) mod reports;
pub(crate) mod settings;
