//! Moderation: decides whether a text may be shown, by cheap rules before expensive ones.
//!
//! - [`Folded`]: a text as it is matched. It has letters and digits alone, look-alikes are made
//!   equal, and each character knows its bytes in the original.
//! - [`WordList`]: up to 200,000 words, found in one pass over a folded text.
//! - [`Moderator`]: applies repeats, links, lists and an outside hook, and mutes senders who go on. It
//!   stores nothing: the caller keeps the [`AuditEntry`]s and applies the mute.
//! - [`MediaHook`]: asks the same outside service about pictures and files.
//!
//! A mask replaces each character, as a reader counts them, by one `*`; the rest of the text stays.
//! A rule in shadow mode reports and does nothing.
//!
//! Folders, from the bottom up: `text` (characters and folding), `rules` (each rule by itself).

mod check;
mod config;
mod decision;
mod error;
mod lists;
mod metrics;
mod moderator;
mod rules;
mod text;

pub use check::Candidate;
pub use config::{ListConfig, ListScope, ModerationConfig};
pub use decision::{Action, AuditEntry, Decision, EXCERPT_CHARS_MAX, Measure, Outcome, RuleHit};
pub use error::{ListError, ModerationError};
pub use lists::{Reloaded, file_problems};
pub use metrics::ModerationMetrics;
pub use moderator::{Moderator, Named};
pub use rules::Mask;
pub use rules::escalation::EscalationConfig;
#[doc(hidden)]
pub use rules::hook::parse_hook_answer;
pub use rules::hook::{HookConfig, HookStartError};
pub use rules::links::LinksConfig;
pub use rules::media_hook::{MediaFacts, MediaHook, MediaJudgement, MediaQuestion};
pub use rules::repeat::RepeatConfig;
pub use rules::room_rules::{RoomHit, RoomRules, RoomRulesError, RuleShare};
pub use rules::word_list::{FILE_BYTES_MAX, Found, WORD_CHARS_MAX, WORDS_MAX, WordList, WordListError};
pub use text::{Folded, glyph};
