//! The HTTP server of every role, over sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the clients block, on threads of their own")]

mod accept;
mod address_limits;
mod admin;
mod direct;
mod encrypted;
mod failure;
mod form;
mod http2;
mod late_bodies;
mod metrics;
mod renewal;
mod server;
mod slots;
mod stall;
