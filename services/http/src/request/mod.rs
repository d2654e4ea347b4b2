//! Requests: the client's address, the token, the body, the origin, and the rules of HTTP.

mod address;
mod bearer;
pub mod body;
mod id;
mod origin;
mod rules;
mod shared_body;

pub use address::{ClientAddr, TrustedProxies};
pub use bearer::bearer;
pub(crate) use id::RequestIds;
pub use origin::AllowedOrigins;
pub(crate) use rules::{check_rules, name_host};
pub(crate) use shared_body::SharedBody;
