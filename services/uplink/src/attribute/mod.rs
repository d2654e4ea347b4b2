//! Attributes of rooms: who may write them, their form, the one path of a change, and the removal of
//! those that are over.

mod control;
mod expiry;
mod form;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use control::{AttributeControl, AttributeParts};
pub(crate) use form::Wanted;
pub(crate) use view::{all, one};
