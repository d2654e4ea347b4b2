//! The records that callers read and write.

pub(crate) mod account;
pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod delivery;
pub(crate) mod gift;
pub(crate) mod poll;
pub(crate) mod room;
