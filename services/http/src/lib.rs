//! The HTTP shell that every service shares: an accept loop with deadlines at
//! each step, error answers, and the caller's address.
//!
//! `axum::serve` has no header timeout and tokio's own bind a backlog of 1024, so
//! the loop is ours, on hyper; routing is axum's.

mod activity;
pub mod address;
pub mod address_limits;
pub mod admin;
pub mod bearer;
pub mod body;
pub mod config;
mod connection;
mod early;
mod edge;
pub mod error;
pub mod greeter;
pub mod guard;
pub mod limit;
pub mod listen;
mod manners;
pub mod metrics;
pub mod origin;
mod place;
mod request_id;
pub mod serve;
pub mod tls;
pub mod transport;
pub mod unix;

pub use address::{ClientAddr, TrustedProxies};
pub use address_limits::{AddressLimits, AddressLimitsError};
pub use admin::{AdminCall, AdminGate, AdminRoutes, AuditLog, AuditSink};
pub use bearer::bearer;
pub use config::{AddressLimitsConfig, HttpConfig};
pub use edge::ClientLimits;
pub use error::ApiError;
pub use greeter::{Arrived, Greeted, Greeter};
pub use guard::{ConnectionPermit, GuardedStream};
pub use limit::rate_limited;
pub use listen::listen;
pub use metrics::HttpMetrics;
pub use origin::AllowedOrigins;
pub use serve::{Front, serve, serve_public};
pub use tls::{Tls, TlsError};
pub use transport::Transport;
