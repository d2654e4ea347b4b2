//! The subcommands.

pub(crate) mod replay;
pub(crate) mod simulate;
pub(crate) mod tune;
