//! Connections: source addresses, and short HTTP requests.

pub mod http;
pub(crate) mod source;
