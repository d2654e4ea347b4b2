//! Ways to reach viewers: commands to the shards, news for event streams and polls.

mod command;
mod connection_ids;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod dispatch;
mod listeners;
mod lobby;
mod user_connections;

pub(crate) use command::{Arrival, Command, Destination, JoinRequest};
pub(crate) use connection_ids::ConnectionIds;
pub(crate) use dispatch::Dispatch;
pub(crate) use listeners::{Listeners, Listening, News};
pub(crate) use user_connections::{Connection, UserConnections};
