//! Actions of moderators on the public uplink: who may do what to whom, and the one path on which an
//! action is remembered, carried out, written to the audit log and answered.

mod control;
mod form;
pub(crate) mod rights;
#[cfg(test)]
mod tests;

pub(crate) use control::{ActionControl, ActionParts};
