//! The site under test: entry, uplinks, and the tokens of the run's users.

use std::cell::Cell;
use std::time::Duration;

use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::EntryAnswer;
use barrage_tls::ClientTls;
use barrage_token::{Keyring, Role};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::LoadtestError;
use crate::net::http::{Call, Encoded, HttpError, Pool, Target};
use crate::run::{RunOptions, setup};

/// Connections to entry, and to each uplink. A further request waits, and its waiting counts as latency.
const CONNECTIONS_MAX: usize = 128;
/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Time by which tokens outlive their making, in seconds.
const TOKEN_SECS: u64 = 4 * 3_600;
/// Times that a request of the preparation is sent, and the wait between two.
const TRIES: (u32, Duration) = (40, Duration::from_millis(250));
/// First source address of the connections to uplinks; those of devices begin at 0.
const UPLINK_SOURCES: u32 = 8_000_000;
/// First source address of the connections to hosts of media.
const MEDIA_SOURCES: u32 = 9_000_000;

/// Servers and users of one run.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) tls: ClientTls,
    pub(super) room: String,
    entry: Pool,
    uplinks: Vec<Pool>,
    /// Hosts of media that entry names; none where the server has no media.
    pub(super) media: Vec<Pool>,
    keyring: Keyring,
    /// Admin listener, when the options name it.
    admin: Option<Pool>,
    /// Beginning of the names of this run's users: they have written to nobody before.
    prefix: String,
    next_source: Cell<u32>,
}

impl Site {
    /// Resolves the servers, and makes the room where there is an admin listener.
    pub(super) async fn prepare(room: &str, options: &RunOptions) -> Result<Site, LoadtestError> {
        let Some(key) = options.token_key.as_deref() else {
            return Err(LoadtestError::Usage(
                "letters need --token-key (DATA-DIR/token.key of the server): guests have no inbox".into(),
            ));
        };
        let (tls, keyring) = (options.tls()?, setup::keyring(key)?);
        let (target, _) = Target::resolve(&options.target, &tls).await.map_err(LoadtestError::cannot)?;
        let mut admin = None;
        if let Some(url) = &options.admin {
            let token = setup::mint(&keyring, "load-admin", Role::Admin, TOKEN_SECS)?;
            setup::make_room(url, &tls, &token, room).await?;
            let (target, _) = Target::resolve(url, &tls).await.map_err(LoadtestError::cannot)?;
            admin = Some(Pool::new(target, 1, 0, ANSWER_MAX));
        }
        let entry = Pool::new(target, CONNECTIONS_MAX, u32::MAX / 2, ANSWER_MAX);
        setup::look_at(&entry, room).await?;
        let prefix = format!("lt-{:x}", barrage_clock::since_unix_epoch().as_millis() & 0xffff_ffff);
        let mut site = Site {
            tls,
            room: room.to_owned(),
            entry,
            uplinks: Vec::new(),
            media: Vec::new(),
            keyring,
            admin,
            prefix,
            next_source: Cell::new(0),
        };
        let answer = site.ask_entry("&purpose=send").await.map_err(LoadtestError::cannot)?;
        for (number, url) in (0..).zip(&answer.uplinks) {
            let (target, _) = Target::resolve(url, &site.tls).await.map_err(LoadtestError::cannot)?;
            let source = UPLINK_SOURCES + number * 100_000;
            site.uplinks.push(Pool::new(target, CONNECTIONS_MAX, source, ANSWER_MAX));
        }
        for (number, url) in (0..).zip(answer.media.iter().flat_map(|media| &media.hosts)) {
            let (target, _) = Target::resolve(url, &site.tls).await.map_err(LoadtestError::cannot)?;
            let source = MEDIA_SOURCES + number * 100_000;
            site.media.push(Pool::new(target, CONNECTIONS_MAX, source, ANSWER_MAX));
        }
        if site.uplinks.is_empty() {
            return Err(LoadtestError::cannot("entry names no uplink"));
        }
        Ok(site)
    }

    /// Asks entry for the endpoints of the room. The error is the reason for counts.
    pub(super) async fn ask_entry(&self, more: &str) -> Result<EntryAnswer, String> {
        let path = format!("/v1/entry?room={}{more}", self.room);
        let answer = self.entry.call(&Call::get(&path)).await;
        let (status, body) = answer.map_err(|error| format!("entry: {error}"))?;
        if !status.is_success() {
            return Err(format!("entry: {}", refusal(status, &body)));
        }
        serde_json::from_slice(&body).map_err(|_| "entry: nonsense".to_owned())
    }

    /// Returns the name of a user of the run.
    pub(super) fn user(&self, number: u32) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// Signs the token of a user.
    pub(super) fn token(&self, number: u32, role: Role) -> Result<String, LoadtestError> {
        setup::mint(&self.keyring, &self.user(number), role, TOKEN_SECS)
    }

    /// Returns a source address that no other connection of a device has.
    pub(super) fn source(&self) -> u32 {
        self.next_source.replace(self.next_source.get() + 1)
    }

    /// Sends a request to the uplink of a user.
    pub(super) async fn ask(
        &self,
        user: u32,
        call: &Call<'_>,
        encoded: Encoded,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        self.uplinks[user as usize % self.uplinks.len()].call_as(call, encoded).await
    }

    /// Sends a request to the admin listener, once, and returns its answer.
    pub(super) async fn admin<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<T, LoadtestError> {
        let Some(admin) = &self.admin else {
            return Err(LoadtestError::Usage("a host who goes live needs --admin".into()));
        };
        let token = setup::mint(&self.keyring, "load-admin", Role::Admin, TOKEN_SECS)?;
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = admin.call(&Call { method, path, token: Some(&token), body, fields: &[] }).await;
        let (status, body) = answer.map_err(|error| LoadtestError::cannot_run(path, error))?;
        if !status.is_success() {
            return Err(LoadtestError::cannot(format!("{path}: {}", refusal(status, &body))));
        }
        serde_json::from_slice(&body).map_err(|error| LoadtestError::cannot_run(path, error))
    }

    /// Sends a request of the preparation until it succeeds. Returns the body of the answer.
    pub(super) async fn done(
        &self,
        user: u32,
        method: Method,
        path: &str,
        token: &str,
        body: &str,
    ) -> Result<Bytes, LoadtestError> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let call = Call { method, path, token: Some(token), body, fields: &[] };
        let mut last = String::new();
        for _ in 0..TRIES.0 {
            match self.ask(user, &call, Encoded::No).await {
                Ok((status, body)) if status.is_success() => return Ok(body),
                Ok((status, body)) => {
                    last = refusal(status, &body);
                    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        break;
                    }
                }
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(TRIES.1).await;
        }
        Err(LoadtestError::cannot(format!("{} {path}: {last}", call.method)))
    }
}

/// Returns the code of a refusal, or its status.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> String {
    let refused = serde_json::from_slice::<ErrorBody>(body);
    refused.map_or_else(|_| format!("status {}", status.as_u16()), |body| body.error.code.label().into())
}
