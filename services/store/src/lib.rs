//! What is kept for business use: rooms, mutes, the gift ledger, the message
//! archive with its offsets into the stream, and the audit log.
//!
//! One trait, [`Store`], and an engine per database behind it; nothing above
//! this crate may ask which engine is there. The suite in `tests/conformance`
//! runs on each of them.

pub mod archive;
pub mod audit;
pub mod config;
pub mod error;
pub mod gift;
mod migrations;
pub mod mute;
pub mod postgres;
pub mod room;
mod row;
pub mod sqlite;
pub mod store;
mod stream_starts;

pub use archive::{ArchiveEntry, Effect, HISTORY_LIMIT_MAX, HistoryRange};
pub use audit::{AuditLine, AuditRecord};
pub use config::{PostgresConfig, SqliteConfig};
pub use error::StoreError;
pub use gift::{GiftKind, GiftRecord, GiftSum};
pub use mute::Mute;
pub use postgres::PostgresStore;
pub use room::Room;
pub use sqlite::SqliteStore;
pub use store::Store;
