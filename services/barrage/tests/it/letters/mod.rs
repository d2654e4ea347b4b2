//! Letters, groups and the inbox through a running server.

mod away;
mod client;
mod device;
mod durable;
mod exchange;
mod fleet;
mod groups;
mod hostile;
mod live;
mod losses;
mod muted;
mod person;
mod privacy;
mod program;
mod unread;
mod why;
