//! Errors at the start of moderation, and at the change of a list.

use crate::rules::hook::HookStartError;
use crate::rules::word_list::{FILE_BYTES_MAX, WordListError};

/// Why a moderator cannot be made of a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// A value of the configuration is out of its range, or contradicts another.
    #[error("{key}: {problem}")]
    Config {
        /// Key of the value, below the table `moderation`.
        key: String,
        /// Description of a right value, for the message.
        problem: String,
    },
    /// A word list of the configuration cannot be read.
    #[error("word list {name}")]
    List {
        /// Name of the list in the configuration.
        name: String,
        /// Error of the file, or of one of its lines.
        #[source]
        source: ListError,
    },
    /// The client of the hook cannot be made.
    #[error(transparent)]
    Hook(#[from] HookStartError),
}

/// Why the words of a list did not change.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The configuration has no list of that name.
    #[error("there is no such list; lists are named in the configuration")]
    Unknown,
    /// The file cannot be read, or is not UTF-8.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// The file is longer than [`FILE_BYTES_MAX`] bytes, and none of its words are used.
    #[error("the file is longer than {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// A line of the file is not a word.
    #[error(transparent)]
    Words(#[from] WordListError),
}
