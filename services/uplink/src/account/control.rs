//! What a request about an account does: registration, login, a token of a session, the end of sessions.

use std::sync::Arc;

use barrage_counters::Quota;
use barrage_http::ClientAddr;
use barrage_moderation::{Moderator, Named};
use barrage_protocol::account::{
    ACCOUNT_NAME_CHARS_MAX, AccountAnswer, AccountsInfo, LoginRequest, LogoutAnswer, LogoutRequest,
    MeRequest, PasswordRequest, SecretText, SessionView, SessionsAnswer,
};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, UserId};
use barrage_store::{AccountRecord, SessionRecord, Store, StoreError};
use barrage_token::{Claims, Identity, Keyring, Role, Rooms};
use sha2::{Digest, Sha256};

use super::config::AccountsConfig;
use super::form::{self, AccountName};
use super::hasher::Hasher;
use super::limit::AccountLimits;
use super::names::AccountNames;
use crate::metrics::UplinkMetrics;

const DAY_MS: u64 = 86_400_000;
const RETRY_MS: u64 = 1_000;
/// Time in which a session stores once that it was used. Each of these is a commit, which the archive waits
/// for as well.
const USED_EVERY_MS: u64 = 60_000;
/// Maximum length of a session's secret; a longer one is no secret of this server.
const SECRET_BYTES_MAX: usize = 128;

/// The parts that accounts need; the caller shares them with the uplink.
pub struct AccountParts {
    /// Has the accounts and their sessions.
    pub store: Arc<dyn Store>,
    /// Signs the tokens of accounts.
    pub keyring: Arc<Keyring>,
    /// Counts logins, in this process or in Redis.
    pub quota: Arc<dyn Quota>,
    /// Refuses names by its lists.
    pub moderator: Arc<Moderator>,
    /// Counts refusals by their code.
    pub metrics: UplinkMetrics,
    /// Names that only their accounts may use, which learn of a registration at once.
    pub names: Option<Arc<AccountNames>>,
}

/// Accounts of one uplink.
pub(super) struct AccountControl {
    parts: AccountParts,
    config: AccountsConfig,
    hasher: Hasher,
    limits: AccountLimits,
}

/// A session that a request named, with its account.
type Known = (SessionRecord, AccountRecord);

impl AccountControl {
    pub(super) fn new(parts: AccountParts, config: AccountsConfig) -> Result<Self, String> {
        let hasher = Hasher::new(&config)?;
        let limits =
            AccountLimits::new(&config, Arc::clone(&parts.quota)).map_err(|error| error.to_string())?;
        Ok(AccountControl { parts, config, hasher, limits })
    }

    pub(super) fn refused(&self, code: Code) {
        self.parts.metrics.refused(code);
    }

    pub(super) fn info(&self) -> AccountsInfo {
        AccountsInfo {
            enabled: self.is_on(),
            registration: self.is_on() && self.config.registration,
            password_chars_min: self.config.password_chars_min,
            name_chars_max: u32::try_from(ACCOUNT_NAME_CHARS_MAX).unwrap_or(u32::MAX),
        }
    }

    fn is_on(&self) -> bool {
        self.config.enabled == Some(true)
    }

    fn refuse_when_off(&self) -> Result<(), Refusal> {
        if self.is_on() {
            return Ok(());
        }
        Err(Refusal::new(Code::Forbidden, "accounts are switched off here (accounts.enabled)"))
    }

    /// Creates an account and its first session.
    ///
    /// # Errors
    /// `conflict` when the name, or one that looks like it, is taken; `bad_text` for a name that a
    /// list of moderation refuses.
    pub(super) async fn register(
        &self,
        client: ClientAddr,
        request: LoginRequest,
    ) -> Result<AccountAnswer, Refusal> {
        self.refuse_when_off()?;
        if !self.config.registration {
            return Err(Refusal::new(Code::Forbidden, "registration is closed here (accounts.registration)"));
        }
        let name = form::name(&request.name)?;
        let password = form::new_password(request.password.expose(), self.config.password_chars_min)?;
        if self.parts.moderator.check_name(&name.shown) != Named::Plain {
            return Err(Refusal::new(Code::BadText, "name: this name is not allowed; choose another"));
        }
        self.limits.registration(client).await?;
        let taken = || Refusal::new(Code::Conflict, "name: this name, or one that looks like it, is taken");
        let accounts = self.parts.store.account_store();
        if accounts.account_by_name(&name.key).await.map_err(unavailable)?.is_some() {
            return Err(taken());
        }
        let password_hash = self.hasher.hash(password).await?;
        let account = new_account(name, password_hash)?;
        if !accounts.create_account(&account).await.map_err(unavailable)? {
            return Err(taken());
        }
        if let Some(names) = &self.parts.names {
            names.registered();
        }
        self.open_session(&account).await.map_err(|refusal| {
            // The same request again would find the name taken.
            let message = format!("the account was made, without a session; sign in ({})", refusal.message);
            Refusal { message, ..refusal }
        })
    }

    /// Opens a session for the holder of a password.
    ///
    /// # Errors
    /// `unauthorized` for a wrong password and for an unknown name, in the same time.
    pub(super) async fn login(
        &self,
        client: ClientAddr,
        request: LoginRequest,
    ) -> Result<AccountAnswer, Refusal> {
        self.refuse_when_off()?;
        let name = form::name(&request.name)?;
        let password = form::password(request.password.expose())?;
        self.limits.login(client, &name.key).await?;
        let account =
            self.parts.store.account_store().account_by_name(&name.key).await.map_err(unavailable)?;
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        match (self.hasher.verify(password, stored).await?, account) {
            (true, Some(account)) => self.open_session(&account).await,
            _ => Err(Refusal::new(Code::Unauthorized, "the name or the password is wrong")),
        }
    }

    /// Opens a session with a new secret. A secret that the client brings is never used.
    async fn open_session(&self, account: &AccountRecord) -> Result<AccountAnswer, Refusal> {
        let now_ms = barrage_clock::unix_ms();
        let secret = format!("bs-{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let session = SessionRecord {
            id: format!("s-{:016x}", rand::random::<u64>()),
            user: account.user.clone(),
            secret_hash: hash_of(&secret),
            created_at_ms: now_ms,
            used_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(self.config.session_days.saturating_mul(DAY_MS)),
        };
        let accounts = self.parts.store.account_store();
        accounts.open_session(&session, self.config.sessions_max).await.map_err(unavailable)?;
        self.answer(&session, account, Some(SecretText::new(secret)))
    }

    /// Answers with a new token of a session, and changes the avatar if the request has one.
    pub(super) async fn me(&self, request: MeRequest) -> Result<AccountAnswer, Refusal> {
        let (session, mut account) = self.known(&request.session).await?;
        let accounts = self.parts.store.account_store();
        if let Some(avatar) = request.avatar {
            let avatar = Some(avatar).filter(|avatar| !avatar.is_empty());
            form::attrs(avatar.as_deref())?;
            if account.avatar != avatar {
                accounts.set_avatar(&account.user, avatar.as_deref()).await.map_err(unavailable)?;
                account.avatar = avatar;
            }
        }
        let now_ms = barrage_clock::unix_ms();
        if now_ms.saturating_sub(session.used_at_ms) >= USED_EVERY_MS {
            accounts.use_session(&session.id, now_ms).await.map_err(unavailable)?;
        }
        self.answer(&session, &account, None)
    }

    /// Changes the password of the caller's account, and ends its other sessions: whoever knew the old
    /// password is out.
    ///
    /// # Errors
    /// `unauthorized` for a wrong password, which counts as a login of the account.
    pub(super) async fn change_password(
        &self,
        client: ClientAddr,
        request: PasswordRequest,
    ) -> Result<LogoutAnswer, Refusal> {
        let (session, account) = self.known(&request.session).await?;
        let password = form::password(request.password.expose())?;
        let new = form::new_password(request.new_password.expose(), self.config.password_chars_min)
            .map_err(|refusal| Refusal { message: format!("new_{}", refusal.message), ..refusal })?;
        self.limits.login(client, &account.name_key).await?;
        if !self.hasher.verify(password, Some(account.password_hash)).await? {
            return Err(Refusal::new(Code::Unauthorized, "password: it is wrong"));
        }
        let password_hash = self.hasher.hash(new).await?;
        let accounts = self.parts.store.account_store();
        let ended = accounts.set_password(&account.user, &password_hash, &session.id).await;
        Ok(LogoutAnswer { ended: ended.map_err(unavailable)? })
    }

    /// Lists the sessions of the caller's account.
    pub(super) async fn sessions(&self, secret: &SecretText) -> Result<SessionsAnswer, Refusal> {
        let (current, account) = self.known(secret).await?;
        let accounts = self.parts.store.account_store();
        let sessions =
            accounts.sessions(&account.user, barrage_clock::unix_ms()).await.map_err(unavailable)?;
        let view = |session: SessionRecord| {
            let SessionRecord { id, created_at_ms, used_at_ms, expires_at_ms, .. } = session;
            let current = id == current.id;
            SessionView { id, created_at_ms, used_at_ms, expires_at_ms, current }
        };
        Ok(SessionsAnswer { sessions: sessions.into_iter().map(view).collect() })
    }

    /// Ends sessions of the caller's account: its own one, another one, or all.
    ///
    /// # Errors
    /// `not_found` for a session that the account does not have.
    pub(super) async fn logout(&self, request: LogoutRequest) -> Result<LogoutAnswer, Refusal> {
        let (current, account) = self.known(&request.session).await?;
        let id = match (request.all, &request.id) {
            (true, Some(_)) => return Err(Refusal::new(Code::BadRequest, "all: not together with id")),
            (true, None) => None,
            (false, Some(id)) => Some(id.as_str()),
            (false, None) => Some(current.id.as_str()),
        };
        let accounts = self.parts.store.account_store();
        let ended = accounts.end_sessions(&account.user, id).await.map_err(unavailable)?;
        if ended == 0 {
            return Err(Refusal::new(Code::NotFound, "id: the account has no such session"));
        }
        Ok(LogoutAnswer { ended })
    }

    /// Finds the session of a secret. An operator who revokes the tokens of a user ends the user's
    /// sessions, too.
    async fn known(&self, secret: &SecretText) -> Result<Known, Refusal> {
        self.refuse_when_off()?;
        let ended = || Refusal::new(Code::Unauthorized, "the session has ended; sign in again");
        if secret.expose().len() > SECRET_BYTES_MAX {
            return Err(ended());
        }
        let now_ms = barrage_clock::unix_ms();
        let found = self.parts.store.account_store().session(&hash_of(secret.expose()), now_ms).await;
        let (session, account) = found.map_err(unavailable)?.ok_or_else(ended)?;
        let login = Identity {
            user: account.user.clone(),
            name: String::new(),
            role: Role::Viewer,
            rooms: Rooms(Vec::new()),
            expires_at_secs: session.expires_at_ms / 1_000,
            issued_at_secs: Some(session.created_at_ms / 1_000),
            attrs: None,
        };
        if self.parts.keyring.is_revoked(&login) { Err(ended()) } else { Ok((session, account)) }
    }

    /// Signs a token as a customer's own backend would.
    fn answer(
        &self,
        session: &SessionRecord,
        account: &AccountRecord,
        secret: Option<SecretText>,
    ) -> Result<AccountAnswer, Refusal> {
        let exp = (barrage_clock::unix_ms() / 1_000).saturating_add(self.config.token_secs);
        let claims = Claims {
            sub: account.user.clone(),
            name: Some(account.name.clone()),
            rooms: Rooms(self.config.rooms.clone()),
            role: Role::Viewer,
            exp,
            nbf: None,
            attrs: form::attrs(account.avatar.as_deref())?,
            aud: String::new(),
        };
        let token = self.parts.keyring.mint(claims).map_err(|error| {
            tracing::error!(%error, "the token of an account cannot be signed");
            Refusal::new(Code::Internal, "a token could not be made")
        })?;
        Ok(AccountAnswer {
            user: account.user.clone(),
            name: account.name.clone(),
            avatar: account.avatar.clone(),
            token: SecretText::new(token),
            token_expires_at_ms: exp.saturating_mul(1_000),
            session: secret,
            session_id: session.id.clone(),
            session_expires_at_ms: session.expires_at_ms,
        })
    }
}

fn new_account(name: AccountName, password_hash: String) -> Result<AccountRecord, Refusal> {
    let user = UserId::parse(&format!("account-{:016x}", rand::random::<u64>()));
    let user = user.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    let AccountName { shown, key } = name;
    let created_at_ms = barrage_clock::unix_ms();
    Ok(AccountRecord { user, name: shown, name_key: key, avatar: None, password_hash, created_at_ms })
}

/// Returns the hash by which the store knows a secret. The secret has 256 random bits, so that a fast hash
/// without a salt is enough.
fn hash_of(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives the error away")]
fn unavailable(error: StoreError) -> Refusal {
    tracing::warn!(%error, "the store did not answer a request about an account");
    Refusal::new(Code::Unavailable, "the store does not answer; try again").retry_after_ms(RETRY_MS)
}
