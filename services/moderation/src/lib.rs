//! Moderation: whether a text may be shown, decided from cheap checks to dear ones.
//!
//! - [`Folded`]: a text as it is matched: letters and digits alone, look-alikes made
//!   equal, with the way back to the bytes of the original.
//! - [`WordList`]: up to 200,000 words, found in one pass over a folded text.
//! - [`Moderator`]: puts repeats, links, lists and an outside hook together, and mutes
//!   those who go on. It stores nothing: the caller keeps the [`AuditEntry`]s and
//!   carries the mute out.
//!
//! A mask replaces what a reader sees as one character by one `*`; the rest of the
//! text stays as it was. A rule in shadow mode reports and does nothing.

mod characters;
pub mod check;
pub mod config;
pub mod decision;
pub mod error;
pub mod escalation;
pub mod fold;
mod fold_table;
pub mod glyph;
pub mod hook;
pub mod links;
pub mod lists;
pub mod mask;
pub mod metrics;
pub mod moderator;
pub mod repeat;
mod sightings;
#[cfg(test)]
mod testing;
pub mod word_list;

pub use check::Candidate;
pub use config::{ListConfig, ListScope, ModerationConfig};
pub use decision::{Action, AuditEntry, Decision, Measure, Outcome, RuleHit};
pub use error::{ListError, ModerationError};
pub use fold::Folded;
pub use hook::HookConfig;
pub use lists::Reloaded;
pub use mask::Mask;
pub use metrics::ModerationMetrics;
pub use moderator::{Moderator, Named};
pub use word_list::{WordList, WordListError};
