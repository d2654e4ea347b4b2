//! Tables of the inbox: letters, groups, unread, versions.
//!
//! [`InboxStore`] is one trait with two engines, [`SqliteInbox`] and [`PostgresInbox`]. Both load the rows
//! that a batch needs, let `barrage_inbox::plan` decide, and write its rows in the same transaction.

mod codes;
mod error;
mod parse;
mod postgres;
mod push;
mod reads;
mod records;
mod recount;
mod reports;
mod retention;
mod sqlite;
mod store;

pub use error::InboxError;
pub use postgres::PostgresInbox;
pub use push::{
    Announced, Badges, Campaign, DEVICES_PER_USER_MAX, DeviceRecord, Due, FOLLOWS_PER_USER_MAX, Follower,
    NewCampaign, NewDevice, PushKind, PushService, PushStore, Registered, Settled, Take,
};
pub use reads::{End, GroupMember, InboxReads, Terms, WANTED_MAX, Wanted};
pub use records::{Away, AwayRange, ItemRange, Membership, StoredItem};
pub use recount::Recount;
pub use reports::{NewReport, ReportRecord};
pub use retention::{Oldest, TRIM_MAX};
pub use sqlite::SqliteInbox;
pub use store::{AWAY_ROWS_MAX, BATCH_MAX, InboxStore};
