//! One connection: socket, session, viewers of its rooms, and the posts in order.

mod allowance;
#[allow(clippy::module_inception, reason = "the main type of the folder")]
mod connection;
mod outbox;
mod poster;
mod reader;
mod socket;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use connection::{Arrived, ConnectionContext, serve};
pub(crate) use socket::Io;
