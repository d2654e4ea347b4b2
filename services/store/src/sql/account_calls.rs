//! The calls of accounts on top of an engine's primitives: written once for both engines.

use async_trait::async_trait;
use barrage_protocol::UserId;

use super::engine::{Engine, Statement, Value};
use super::page::{HISTORY_LIMIT_MAX, int};
use super::row::{self, Columns};
use crate::account_store::AccountStore;
use crate::error::StoreError;
use crate::records::account::{AccountRecord, SessionRecord};

const CREATE: &str = "
    INSERT INTO accounts (account, name, name_key, avatar, password_hash, created_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const BY_NAME: &str = "
    SELECT account, name, name_key, avatar, password_hash, created_at_ms AS account_created_at_ms
    FROM accounts WHERE name_key = $1";
const SET_AVATAR: &str = "UPDATE accounts SET avatar = $2 WHERE account = $1";
const SET_PASSWORD: &str = "UPDATE accounts SET password_hash = $2 WHERE account = $1";
const END_OTHERS: &str = "DELETE FROM account_sessions WHERE account = $1 AND id <> $2";
const OPEN: &str = "
    INSERT INTO account_sessions (id, account, secret_hash, created_at_ms, used_at_ms, expires_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6)";
const DELETE_ENDED: &str = "
    DELETE FROM account_sessions WHERE number IN
        (SELECT number FROM account_sessions WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT 100)";
const DELETE_OLDEST: &str = "
    DELETE FROM account_sessions WHERE account = $1 AND number NOT IN
        (SELECT number FROM account_sessions WHERE account = $1 ORDER BY number DESC LIMIT $2)";
const SESSION: &str = "
    SELECT s.id, s.secret_hash, s.created_at_ms, s.used_at_ms, s.expires_at_ms,
        a.account, a.name, a.name_key, a.avatar, a.password_hash, a.created_at_ms AS account_created_at_ms
    FROM account_sessions AS s JOIN accounts AS a ON a.account = s.account
    WHERE s.secret_hash = $1 AND s.expires_at_ms > $2";
/// Two requests of one session may arrive in another order: the later time stays.
const USE: &str = "UPDATE account_sessions SET used_at_ms = $2 WHERE id = $1 AND used_at_ms < $2";
const SESSIONS: &str = "
    SELECT id, account, secret_hash, created_at_ms, used_at_ms, expires_at_ms FROM account_sessions
    WHERE account = $1 AND expires_at_ms > $2 ORDER BY number DESC LIMIT $3";
const END_ONE: &str = "DELETE FROM account_sessions WHERE account = $1 AND id = $2";
const END_ALL: &str = "DELETE FROM account_sessions WHERE account = $1";

#[async_trait]
impl<E: Engine> AccountStore for E {
    async fn create_account(&self, account: &AccountRecord) -> Result<bool, StoreError> {
        let AccountRecord { user, name, name_key, avatar, password_hash, created_at_ms } = account;
        let values = [
            Value::text(user.as_str()),
            Value::Text(E::storable(name)),
            Value::Text(E::storable(name_key)),
            Value::OptionalText(avatar.as_deref()),
            Value::text(password_hash),
            Value::Int(int(*created_at_ms)),
        ];
        Ok(self.write(&[Statement::new(CREATE, values)]).await? > 0)
    }

    async fn account_by_name(&self, name_key: &str) -> Result<Option<AccountRecord>, StoreError> {
        let name_key = E::storable(name_key);
        let found = self.read(Statement::new(BY_NAME, [Value::Text(name_key)])).await?;
        found.first().map(account).transpose()
    }

    async fn set_avatar(&self, user: &UserId, avatar: Option<&str>) -> Result<(), StoreError> {
        let values = [Value::text(user.as_str()), Value::OptionalText(avatar)];
        self.write(&[Statement::new(SET_AVATAR, values)]).await.map(drop)
    }

    async fn set_password(
        &self,
        user: &UserId,
        password_hash: &str,
        session_id: &str,
    ) -> Result<u64, StoreError> {
        let account = Value::text(user.as_str());
        let set = Statement::new(SET_PASSWORD, [account.clone(), Value::text(password_hash)]);
        self.write(&[set, Statement::new(END_OTHERS, [account, Value::text(session_id)])]).await
    }

    async fn open_session(&self, session: &SessionRecord, sessions_max: usize) -> Result<(), StoreError> {
        let SessionRecord { id, user, secret_hash, created_at_ms, used_at_ms, expires_at_ms } = session;
        let account = Value::text(user.as_str());
        let opened = [
            Value::text(id),
            account.clone(),
            Value::text(secret_hash),
            Value::Int(int(*created_at_ms)),
            Value::Int(int(*used_at_ms)),
            Value::Int(int(*expires_at_ms)),
        ];
        let kept = Value::Int(int(sessions_max.max(1) as u64));
        self.write(&[
            Statement::new(OPEN, opened),
            Statement::new(DELETE_ENDED, [Value::Int(int(*created_at_ms))]),
            Statement::new(DELETE_OLDEST, [account, kept]),
        ])
        .await
        .map(drop)
    }

    async fn session(
        &self,
        secret_hash: &str,
        now_ms: u64,
    ) -> Result<Option<(SessionRecord, AccountRecord)>, StoreError> {
        let values = [Value::text(secret_hash), Value::Int(int(now_ms))];
        let found = self.read(Statement::new(SESSION, values)).await?;
        found.first().map(|found| Ok((session(found)?, account(found)?))).transpose()
    }

    async fn use_session(&self, id: &str, now_ms: u64) -> Result<(), StoreError> {
        self.write(&[Statement::new(USE, [Value::text(id), Value::Int(int(now_ms))])]).await.map(drop)
    }

    async fn sessions(&self, user: &UserId, now_ms: u64) -> Result<Vec<SessionRecord>, StoreError> {
        let limit = Value::Int(int(HISTORY_LIMIT_MAX as u64));
        let values = [Value::text(user.as_str()), Value::Int(int(now_ms)), limit];
        self.read(Statement::new(SESSIONS, values)).await?.iter().map(session).collect()
    }

    async fn end_sessions(&self, user: &UserId, id: Option<&str>) -> Result<u64, StoreError> {
        let account = Value::text(user.as_str());
        let statement = match id {
            Some(id) => Statement::new(END_ONE, [account, Value::text(id)]),
            None => Statement::new(END_ALL, [account]),
        };
        self.write(&[statement]).await
    }
}

fn account(found: &impl Columns) -> Result<AccountRecord, StoreError> {
    Ok(AccountRecord {
        user: row::user_id(found, "account")?,
        name: row::text(found, "name")?.to_owned(),
        name_key: row::text(found, "name_key")?.to_owned(),
        avatar: found.text("avatar")?.map(str::to_owned),
        password_hash: row::text(found, "password_hash")?.to_owned(),
        created_at_ms: row::uint(found, "account_created_at_ms")?,
    })
}

fn session(found: &impl Columns) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        id: row::text(found, "id")?.to_owned(),
        user: row::user_id(found, "account")?,
        secret_hash: row::text(found, "secret_hash")?.to_owned(),
        created_at_ms: row::uint(found, "created_at_ms")?,
        used_at_ms: row::uint(found, "used_at_ms")?,
        expires_at_ms: row::uint(found, "expires_at_ms")?,
    })
}
