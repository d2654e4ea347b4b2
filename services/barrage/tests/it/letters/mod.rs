//! Letters, groups and the inbox through a running server.

mod away;
mod durable;
mod exchange;
mod fleet;
mod groups;
mod hostile;
mod person;
mod privacy;
mod unread;
