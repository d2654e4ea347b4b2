//! Tables of the inbox: letters, groups, unread, versions.
//!
//! [`InboxStore`] is one trait with two engines, [`SqliteInbox`] and [`PostgresInbox`]. Both load the rows
//! that a batch needs, let `barrage_inbox::plan` decide, and write its rows in the same transaction.

mod codes;
mod error;
mod parse;
mod postgres;
mod records;
mod sqlite;
mod store;

pub use error::InboxError;
pub use postgres::PostgresInbox;
pub use records::{Away, ItemRange, Membership, StoredItem};
pub use sqlite::SqliteInbox;
pub use store::{AWAY_ROWS_MAX, BATCH_MAX, InboxStore};
