//! Accounts of a site without a backend: registration, login, and tokens of a session.

use std::time::Duration;

use barrage_protocol::account::{
    AccountAnswer, AccountsInfo, LoginRequest, LogoutAnswer, LogoutRequest, MeRequest, SessionsAnswer,
    SessionsRequest,
};
use barrage_protocol::code::ErrorBody;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attempt;
use crate::error::ConnectError;
use crate::http::HttpPool;

/// Maximum time of one request. A login may wait for its password's hash.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Client of the accounts at one uplink. A login is never sent again by itself: it counts against limits.
#[derive(Debug, Clone)]
pub struct Accounts {
    pool: HttpPool,
    url: String,
}

impl Accounts {
    /// Makes a client of the uplink at this base URL, which entry names in `uplinks`.
    #[must_use]
    pub fn new(pool: &HttpPool, uplink: &str) -> Self {
        Accounts { pool: pool.clone(), url: format!("{}/v1/accounts", uplink.trim_end_matches('/')) }
    }

    /// Returns whether people may sign in and register.
    pub async fn info(&self) -> Result<AccountsInfo, ConnectError> {
        self.answered(self.pool.http.get(&self.url)).await
    }

    /// Creates an account, and returns its first session and token.
    pub async fn register(&self, request: &LoginRequest) -> Result<AccountAnswer, ConnectError> {
        self.post("register", request).await
    }

    /// Signs in, and returns a new session and its first token.
    pub async fn login(&self, request: &LoginRequest) -> Result<AccountAnswer, ConnectError> {
        self.post("login", request).await
    }

    /// Returns a new token of a session, and changes the avatar if the request has one.
    pub async fn me(&self, request: &MeRequest) -> Result<AccountAnswer, ConnectError> {
        self.post("me", request).await
    }

    /// Lists the sessions of the account, newest first.
    pub async fn sessions(&self, request: &SessionsRequest) -> Result<SessionsAnswer, ConnectError> {
        self.post("sessions", request).await
    }

    /// Ends the caller's session, another one, or all of the account.
    pub async fn logout(&self, request: &LogoutRequest) -> Result<LogoutAnswer, ConnectError> {
        self.post("logout", request).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        resource: &str,
        body: &impl Serialize,
    ) -> Result<T, ConnectError> {
        let json = serde_json::to_vec(body).expect("requests are plain data");
        let request = self.pool.http.post(format!("{}/{resource}", self.url));
        self.answered(request.header(CONTENT_TYPE, "application/json").body(json)).await
    }

    async fn answered<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ConnectError> {
        let sent = self.pool.send(request.timeout(TIMEOUT)).await;
        let response = sent.map_err(|error| ConnectError::failed(error.without_url()))?;
        let status = response.status();
        let body =
            attempt::read(response).await.map_err(|error| ConnectError::failed(error.without_url()))?;
        let body = body.ok_or_else(|| ConnectError::Failed("the answer is too large".into()))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(ConnectError::failed);
        }
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => Err(ConnectError::Refused(body.error)),
            Err(_) => Err(ConnectError::Failed(format!("status {status}"))),
        }
    }
}
