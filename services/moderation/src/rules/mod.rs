//! The rules, each by itself: word lists, links, repeats, escalation, and the hook.

pub(crate) mod escalation;
pub(crate) mod hook;
pub(crate) mod links;
mod mask;
pub(crate) mod media_hook;
pub(crate) mod repeat;
pub(crate) mod room_rules;
mod sightings;
pub(crate) mod word_list;

pub use mask::Mask;
