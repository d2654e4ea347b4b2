//! Users who write letters to each other and to groups, with a device each, over the public protocol.

mod device;
mod drill;
mod person;
mod records;
mod writer;

pub use drill::{LetterLoad, LettersPlayed, play_letters};
