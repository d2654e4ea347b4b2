//! Configuration values that hold a password and never show it.

mod url;

pub use url::SecretUrl;
