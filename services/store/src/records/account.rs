//! Accounts of people, and their sessions.

use barrage_protocol::UserId;

/// An account as the store has it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// User id in the tokens of the account.
    pub user: UserId,
    /// Name as viewers see it.
    pub name: String,
    /// Folded name: two names that look alike have the same one, and only one account.
    pub name_key: String,
    /// Avatar id; `None` without one.
    pub avatar: Option<String>,
    /// Hash of the password as a PHC string, with salt and parameters.
    pub password_hash: String,
    /// Unix time of the registration, in milliseconds.
    pub created_at_ms: u64,
}

impl std::fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRecord").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A session of an account. The store has the hash of its secret alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Id of the session, which its owner sees in lists.
    pub id: String,
    /// User id of the account.
    pub user: UserId,
    /// SHA-256 of the secret, in hexadecimal.
    pub secret_hash: String,
    /// Unix time of the login, in milliseconds.
    pub created_at_ms: u64,
    /// Unix time in milliseconds at which the session last asked for a token.
    pub used_at_ms: u64,
    /// Unix time in milliseconds from which the session counts as ended.
    pub expires_at_ms: u64,
}

impl std::fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRecord")
            .field("id", &self.id)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
