//! Errors that end the role. Other failures are retried.

use std::path::PathBuf;

use barrage_push::{AccountError, KeyError};
use barrage_store::InboxError;

/// A failure that only an operator can repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifierError {
    /// The configuration is wrong; the check of the configuration finds it before.
    #[error("push: {0}")]
    Config(String),
    /// A file with a key cannot be read.
    #[error("{} cannot be read ({setting})", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Key of the configuration that names it.
        setting: &'static str,
        /// Reason of the file system.
        #[source]
        source: std::io::Error,
    },
    /// A key is of no use.
    #[error("{setting}")]
    Key {
        /// Key of the configuration that names the file.
        setting: &'static str,
        /// What is wrong with the key.
        #[source]
        source: KeyError,
    },
    /// The service account of FCM is of no use.
    #[error("push.fcm.account_file")]
    Account(#[source] AccountError),
    /// Browsers subscribed with another key than the one of this process.
    #[error(
        "push.vapid_key_file has the public key {own}, and browsers subscribed with {stored}: give this process the key file \
         of the others; if that file is lost, set push.vapid_key_replaces = \"{stored}\", which ends all subscriptions of \
         browsers"
    )]
    OtherKey {
        /// Public key of this process, in base64 as browsers take it.
        own: String,
        /// Public key in the tables.
        stored: String,
    },
    /// The tables refuse a call permanently.
    #[error("the inbox refuses a call")]
    Store(#[source] InboxError),
}
