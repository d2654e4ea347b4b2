//! The connection to the servers: connecting, acknowledged requests, the thread that reads.

pub(crate) mod check;
pub(crate) mod connect;
pub(crate) mod gather;
pub(crate) mod link;
