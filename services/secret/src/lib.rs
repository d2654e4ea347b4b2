//! Configuration values that contain secrets and never show them.

mod url;

pub use url::SecretUrl;
