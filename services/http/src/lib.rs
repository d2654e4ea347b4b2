//! The HTTP server that every role shares: an accept loop with a deadline at each step, documented
//! error answers, the client's address, limits by address, and the gate of the admin API.
//!
//! The accept loop is this crate's own, on hyper, because `axum::serve` has no header deadline and
//! tokio's bind has a backlog of 1024. Routing is axum's.
//!
//! Folders, from the bottom up: `answer`, `request`, `limits`, `connection`, `server`, `admin`.

pub mod admin;
mod answer;
pub mod config;
mod connection;
mod cut;
mod endpoint;
mod limits;
pub mod metrics;
mod request;
mod server;

pub use admin::{
    ADMIN_BODY_BYTES_MAX, AdminCall, AdminGate, AdminRoutes, AuditLog, AuditSink, RecordedElsewhere,
};
pub use answer::error::{self, ApiError};
pub use answer::rate_limited;
pub use config::{AddressLimitsConfig, Http2Config, HttpConfig};
#[doc(hidden)]
pub use connection::meter_frames;
pub use connection::{
    ConnectionPermit, DirectAnswer, DirectRequest, DirectRoute, GuardedStream, RECORD_BYTES_MAX, TlsSession,
    TlsStream, Transport, record_trace,
};
pub use endpoint::{endpoint, inbox_endpoint};
pub use limits::{AddressLimits, AddressLimitsError, AddressRule, ClientLimits};
pub use metrics::HttpMetrics;
pub use request::body;
pub use request::{AllowedOrigins, ClientAddr, TrustedProxies, bearer};
pub use server::{
    Arrived, BACKLOG, Front, Greeted, Greeter, ServeError, Tls, TlsError, certificate_end, is_issued_by,
    listen, serve, serve_public,
};
