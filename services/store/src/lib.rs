//! Business records: rooms, the gift ledger, the message archive with its offsets into the stream,
//! the audit log, the deliveries of webhooks ([`DeliveryStore`]), and accounts ([`AccountStore`]).
//!
//! [`Store`] is one trait with two engines, [`SqliteStore`] and [`PostgresStore`]. Callers cannot
//! see which engine is behind it. Each engine implements the primitives of `sql::engine`, and the
//! statements that are equal in both are written once in `sql`. [`MeasuredStore`] times the calls of
//! either. The suite in `tests/it/suite` runs on both engines.
//!
//! [`InboxStore`] is another trait with two engines, [`SqliteInbox`] and [`PostgresInbox`]: letters and groups.
//! [`PushStore`] has the notifications of both: devices, what waits, follows.

mod account_store;
mod config;
mod deliveries;
mod error;
mod inbox;
mod measured;
mod metrics;
mod migrations;
mod poll_store;
pub mod postgres;
mod records;
mod sql;
mod sqlite;
mod store;

pub use account_store::AccountStore;
pub use config::{PostgresConfig, SqliteConfig};
pub use deliveries::DeliveryStore;
pub use error::StoreError;
pub use inbox::{
    AWAY_ROWS_MAX, Announced, Away, AwayRange, BATCH_MAX, Badges, Campaign, DEVICES_PER_USER_MAX,
    DeviceRecord, Due, End, FOLLOWS_PER_USER_MAX, Follower, GroupMember, InboxError, InboxReads, InboxStore,
    ItemRange, Membership, NewCampaign, NewDevice, NewReport, Oldest, PostgresInbox, PushKind, PushService,
    PushStore, Recount, Registered, ReportRecord, Settled, SqliteInbox, StoredItem, TRIM_MAX, Take, Terms,
    WANTED_MAX, Wanted,
};
pub use measured::MeasuredStore;
pub use metrics::StoreMetrics;
pub use poll_store::{POLLS_PER_ROOM_MAX, PollStore};
pub use postgres::PostgresStore;
pub use records::account::{AccountRecord, SessionRecord};
pub use records::archive::{ArchiveEntry, Effect, HistoryRange};
pub use records::audit::{AuditFilter, AuditLine, AuditRecord};
pub use records::delivery::{
    Attempt, DeliveryCounts, DeliveryLine, DeliveryState, EndpointRecord, NewDelivery, PendingDelivery,
    Replay,
};
pub use records::gift::{GiftKind, GiftRecord};
pub use records::poll::{Cast, PollRecord, Vote};
pub use records::room::Room;
pub use sql::page::HISTORY_LIMIT_MAX;
pub use sqlite::{SqliteStore, copy_database};
pub use store::Store;
