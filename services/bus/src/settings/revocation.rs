//! Tokens that are refused before their end.

use std::collections::HashMap;

use barrage_protocol::UserId;

/// Revoked tokens, by the time before which they were minted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    /// By user: tokens minted before this time, in Unix seconds, are refused.
    pub by_user: HashMap<UserId, u64>,
    /// Tokens of any user minted before this time, in Unix seconds, are refused.
    pub all_before: Option<u64>,
}

impl Revocations {
    /// Sets the time before which a user's tokens (`None`: all tokens) are refused. Removes the
    /// users whom the time for all users covers.
    pub(crate) fn put(&mut self, user: Option<UserId>, before_secs: Option<u64>) {
        match (user, before_secs) {
            (Some(user), Some(before)) if self.all_before.is_none_or(|all| all < before) => {
                self.by_user.insert(user, before);
            }
            (Some(user), _) => drop(self.by_user.remove(&user)),
            (None, before) => {
                self.all_before = before;
                self.by_user.retain(|_, of_user| before.is_none_or(|all| all < *of_user));
            }
        }
    }
}
