//! Load of a fan-out: viewers that read, a publisher, and the limit. Each part ends with its
//! standard input.

mod limit;
mod publish;
mod viewers;

use std::io::BufRead;
use std::net::SocketAddr;

pub(crate) use limit::Limit;
pub(crate) use publish::Publish;
pub(crate) use viewers::Viewers;

/// Calls back for every line of standard input and ends the process after the last.
#[allow(clippy::exit, reason = "the part ends with its standard input")]
pub(crate) fn on_line(mut on_each: impl FnMut() + Send + 'static) {
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines() {
            on_each();
        }
        std::process::exit(0);
    });
}

/// Returns an address of the loopback with a port that the kernel chooses.
fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
