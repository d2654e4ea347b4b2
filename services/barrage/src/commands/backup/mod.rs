//! `barrage backup` and `barrage restore`: copies of a data directory, made while the server runs.

mod copy;
mod manifest;
mod restore;

pub(crate) use self::copy::backup;
pub(crate) use self::restore::restore;

/// Databases of a data directory in the order of their copies. A copy of an archive is older than that of its
/// log: the archiver reads on from where the archive ends, and the courier from where the inbox ends.
const DATABASES: [&str; 4] = ["store.sqlite", "inbox.sqlite", "bus.sqlite", "lane.sqlite"];
/// Database of the message log, without which a folder is no data directory.
const LOG: &str = "bus.sqlite";
/// Files that are copied as they are: what they hold never changes.
const FILES: [&str; 2] = ["token.key", "media.key"];
