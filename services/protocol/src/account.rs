//! Accounts of a site that has no backend of its own: registration, login, sessions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::UserId;

/// Maximum length of a password, in bytes. A longer one is refused unread.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Maximum characters of the name of an account, as a reader counts them.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 20;

/// A password or the secret of a session. Its `Debug` output hides the text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Takes a text that must not appear in logs.
    #[must_use]
    pub fn new(text: String) -> Self {
        SecretText(text)
    }

    /// Returns the text itself, which must not appear in logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Answer to `GET /v1/accounts`: whether a page may offer to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountsInfo {
    /// Whether people may sign in here.
    pub enabled: bool,
    /// Whether new people may register.
    pub registration: bool,
    /// Minimum characters of a password.
    pub password_chars_min: u32,
    /// Maximum characters of a name.
    pub name_chars_max: u32,
}

/// Body of `POST /v1/accounts/register` and `POST /v1/accounts/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Name of the account: 1 to 20 characters. Names that look alike are one name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Password of the account, at most 1,024 bytes.
    pub password: SecretText,
}

/// Body of `POST /v1/accounts/me`: asks for a new token, and may change the avatar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeRequest {
    /// Secret of the session, from the answer to the login.
    pub session: SecretText,
    /// New avatar id of 1 to 64 characters out of A-Z a-z 0-9 _ . -; an empty text removes it; absent, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
}

/// Body of `POST /v1/accounts/password`: a new password, which ends all other sessions of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// Secret of one session of the account, which goes on.
    pub session: SecretText,
    /// Password of the account until now.
    pub password: SecretText,
    /// New password, at most 1,024 bytes.
    pub new_password: SecretText,
}

/// Body of `POST /v1/accounts/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionsRequest {
    /// Secret of one session of the account.
    pub session: SecretText,
}

/// Body of `POST /v1/accounts/logout`: ends the caller's own session, another one, or all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogoutRequest {
    /// Secret of one session of the account.
    pub session: SecretText,
    /// Id of another session of the same account, which ends instead of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Ends every session of the account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// Answer to a registration, a login, and to `POST /v1/accounts/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountAnswer {
    /// User id of the account, in its tokens.
    pub user: UserId,
    /// Name as viewers see it.
    pub name: String,
    /// Avatar id; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Token of the role viewer, as a backend would sign it.
    pub token: SecretText,
    /// Unix time in milliseconds at which the token ends; ask for another one before.
    pub token_expires_at_ms: u64,
    /// Secret of the new session; absent in the answer to `me`. It is shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SecretText>,
    /// Id of the session, which lists show.
    pub session_id: String,
    /// Unix time in milliseconds at which the session ends.
    pub session_expires_at_ms: u64,
}

/// One session of an account, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// Id of the session, by which it can be ended.
    pub id: String,
    /// Unix time of the login, in milliseconds.
    pub created_at_ms: u64,
    /// Unix time in milliseconds at which the session last asked for a token.
    pub used_at_ms: u64,
    /// Unix time in milliseconds at which the session ends.
    pub expires_at_ms: u64,
    /// Whether it is the session of the caller.
    pub current: bool,
}

/// Answer to `POST /v1/accounts/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionsAnswer {
    /// Sessions that have not ended, newest first.
    pub sessions: Vec<SessionView>,
}

/// Answer to `POST /v1/accounts/logout` and `POST /v1/accounts/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogoutAnswer {
    /// Number of sessions that ended now.
    pub ended: u64,
}
