//! The parts of the fan-out bench that are not the gateway: a crowd that reads, who
//! publishes, and the limit (a loop of sends and nothing else). `cargo xtask bench` puts
//! them together; each prints JSON lines, and ends with its standard input.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]
#![allow(clippy::exit, reason = "each part ends with its standard input")]
#![allow(clippy::disallowed_methods, reason = "the limit has no runtime to block")]

mod limit;
mod publish;
mod readers;

use std::io::BufRead;
use std::net::SocketAddr;

use clap::Parser;

#[derive(Parser)]
enum Part {
    /// Sends one frame to every connection, again and again.
    Limit(limit::Limit),
    /// Publishes chat to a room over NATS, as uplinks do.
    Publish(publish::Publish),
    /// Holds connections and reads whatever comes.
    Read(readers::Crowd),
}

fn main() {
    match Part::parse() {
        Part::Limit(limit) => limit.run(),
        Part::Publish(publish) => publish.run(),
        Part::Read(read) => read.run(),
    }
}

/// Calls back for every line of standard input; ends the process after the last.
fn on_line(mut heard: impl FnMut() + Send + 'static) {
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines() {
            heard();
        }
        std::process::exit(0);
    });
}

/// Any port of the loopback.
fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
