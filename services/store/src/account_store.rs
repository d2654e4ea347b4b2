//! The trait of accounts, which both engines implement beside [`crate::Store`].

use async_trait::async_trait;
use barrage_protocol::UserId;

use crate::error::StoreError;
use crate::records::account::{AccountRecord, SessionRecord};

/// Accounts and their sessions. Every call is one transaction, as in [`crate::Store`].
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Creates an account. Returns `false`, and changes nothing, when the name key or the user id is
    /// taken: of several registrations of one name at the same time, one succeeds.
    async fn create_account(&self, account: &AccountRecord) -> Result<bool, StoreError>;

    /// Returns the account of a folded name; `None` when there is none.
    async fn account_by_name(&self, name_key: &str) -> Result<Option<AccountRecord>, StoreError>;

    /// Replaces the avatar of an account; `None` removes it.
    async fn set_avatar(&self, user: &UserId, avatar: Option<&str>) -> Result<(), StoreError>;

    /// Replaces the hash of an account's password, and ends its other sessions: all but the one with this
    /// id. Returns the number of sessions that ended.
    async fn set_password(
        &self,
        user: &UserId,
        password_hash: &str,
        session_id: &str,
    ) -> Result<u64, StoreError>;

    /// Stores a session. Deletes the oldest sessions of the account beyond `sessions_max`, and up to
    /// 100 sessions of all accounts that ended before the new one began.
    async fn open_session(&self, session: &SessionRecord, sessions_max: usize) -> Result<(), StoreError>;

    /// Returns the session of a secret's hash with its account; `None` for an unknown or ended one.
    async fn session(
        &self,
        secret_hash: &str,
        now_ms: u64,
    ) -> Result<Option<(SessionRecord, AccountRecord)>, StoreError>;

    /// Records that a session was used.
    async fn use_session(&self, id: &str, now_ms: u64) -> Result<(), StoreError>;

    /// Returns the sessions of an account that have not ended, newest first.
    async fn sessions(&self, user: &UserId, now_ms: u64) -> Result<Vec<SessionRecord>, StoreError>;

    /// Ends one session of an account, or all without an `id`. Returns the number of sessions that
    /// ended: 0 for the session of another account.
    async fn end_sessions(&self, user: &UserId, id: Option<&str>) -> Result<u64, StoreError>;
}
