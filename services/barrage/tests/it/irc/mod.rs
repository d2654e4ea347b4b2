//! The IRC gateway: unmodified libraries of others, drains, and hostile clients.

mod bot;
mod drain;
mod guide;
mod hostile;
mod libraries;
mod raw;

use std::net::SocketAddr;

use barrage_testkit::Server;

use crate::support::start_with;

/// Address on loopback that no other test has, with the port that one library cannot change. The kernel has
/// all of 127.0.0.0/8.
fn irc_address(second: u8) -> SocketAddr {
    let id = std::process::id();
    let [_, _, third, fourth] = id.to_be_bytes();
    SocketAddr::from(([127, second, third, fourth], 6667))
}

/// Starts `barrage up` with an IRC gateway, and with further settings.
async fn start_irc(address: SocketAddr, settings: &[(&str, &str)]) -> Server {
    let listen = format!("[\"{address}\"]");
    start_with(&[&[("IRC__LISTEN", listen.as_str())], settings].concat()).await
}
