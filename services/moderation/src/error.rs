//! Why moderation does not start or a list does not change.

use crate::word_list::WordListError;

/// Why a moderator was not made.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// A value of the configuration makes no sense.
    #[error("{key}: {problem}")]
    Config {
        /// Which.
        key: String,
        /// What would.
        problem: String,
    },
    /// A list could not be read.
    #[error("word list {name}")]
    List {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: ListError,
    },
    /// The hook's client could not be made.
    #[error("the hook's client could not be made")]
    Hook(#[source] reqwest::Error),
}

/// Why a list's words did not change.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no list of that name.
    #[error("there is no such list; lists are named in the configuration")]
    Unknown,
    /// The file could not be read, or is not UTF-8.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// The file is too long.
    #[error("the file is longer than {} bytes", crate::lists::FILE_BYTES_MAX)]
    TooLong,
    /// The words are not a list.
    #[error(transparent)]
    Words(#[from] WordListError),
}
