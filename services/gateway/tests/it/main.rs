//! Gateways on real sockets: several of them on one embedded bus.

#![allow(clippy::disallowed_methods, reason = "tests measure with the machine's clocks")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod bounds;
mod drain;
mod evictions;
mod fleet;
mod handshake;
mod inbox;
mod lines;
mod mail;
mod notices;
mod raw;
mod tickets;
mod tls;
mod versions;
mod waves;
