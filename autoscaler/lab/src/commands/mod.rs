//! The subcommands of the lab.

pub(crate) mod replay;
pub(crate) mod simulate;
pub(crate) mod tune;
