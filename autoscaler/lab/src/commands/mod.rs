//! The subcommands of the lab, one module each.

pub(crate) mod replay;
pub(crate) mod simulate;
pub(crate) mod tune;
