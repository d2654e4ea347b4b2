//! The viewer and the sender against a small server whose every answer the test decides.

#![allow(clippy::disallowed_methods, reason = "tests measure with the machine's clocks")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod device;
mod fake;
mod heartbeat;
mod ladder;
mod sender;
mod sources;
mod tls_front;
mod viewer;
