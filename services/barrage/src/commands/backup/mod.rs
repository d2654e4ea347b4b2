//! `barrage backup` and `barrage restore`: copies of a data directory and of the streams on NATS, made while
//! the servers run.

mod copy;
mod manifest;
mod restore;
mod settle;
mod streams;

pub(crate) use self::copy::backup;
pub(crate) use self::restore::restore;
use crate::config::Config;

/// Databases of a data directory in the order of their copies. A copy of an archive is older than that of its
/// log: the archiver reads on from where the archive ends, and the courier from where the inbox ends.
const DATABASES: [&str; 4] = ["store.sqlite", "inbox.sqlite", "bus.sqlite", "lane.sqlite"];
/// Database of the message log, without which a folder is no data directory.
const LOG: &str = "bus.sqlite";
/// Databases whose data is in PostgreSQL where the configuration names it.
const IN_POSTGRES: [&str; 2] = ["store.sqlite", "inbox.sqlite"];
/// Databases whose data is on NATS where the configuration names it.
const ON_NATS: [&str; 2] = ["bus.sqlite", "lane.sqlite"];

/// Returns the databases of a configuration's data directory.
fn databases(config: &Config) -> impl Iterator<Item = &'static str> {
    let elsewhere = |name: &&str| {
        (config.postgres.is_some() && IN_POSTGRES.contains(name))
            || (config.nats.is_some() && ON_NATS.contains(name))
    };
    DATABASES.into_iter().filter(move |name| !elsewhere(name))
}

/// Files that are copied as they are: what they hold never changes.
const FILES: [&str; 2] = ["token.key", "media.key"];
