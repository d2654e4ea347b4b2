//! The HTTP shell, on which every role stands: real sockets against a server of the test's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "sockets that block, on threads that serve nothing else")]

mod address_limits;
mod admin;
mod early;
mod failure;
mod manners;
mod metrics;
mod places;
mod server;
mod stall;
