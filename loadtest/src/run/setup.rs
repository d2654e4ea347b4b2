//! Preparation of a run: the server's address, its rooms, and tokens for the senders.

use std::time::Duration;

use barrage_protocol::code::ErrorBody;
use barrage_tls::ClientTls;
use barrage_token::{Claims, Keyring, Role, Rooms, TokenConfig};
use bytes::Bytes;
use futures_util::future::join_all;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use super::RunOptions;
use super::fleet::FleetAccess;
use crate::error::LoadtestError;
use crate::net::http::{Call, HttpError, Pool, Target};
use crate::net::source::Pace;
use crate::scenario::popularity::Popularity;
use crate::scenario::{Identity, Scenario};

/// Posts per second of one sender, on average; servers limit each user.
const POSTS_PER_SENDER_PER_S: f64 = 2.0;
const SENDERS_MIN: f64 = 50.0;
/// Most senders with tokens signed here; more cost memory and time.
const SENDERS_MAX: f64 = 10_000.0;
/// Most senders with guest tokens: each one costs a request.
const GUESTS_MAX: f64 = 200.0;
/// Time by which a token outlives the run, in seconds.
const TOKEN_MARGIN_SECS: u64 = 600;
/// Maximum number of setup requests that are open at the same time.
const CALLS_MAX: usize = 32;
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Ready {
    pub(crate) target: Target,
    pub(crate) tokens: Vec<String>,
    /// Access to the fleet report, when there is an admin token.
    pub(crate) fleet: Option<FleetAccess>,
    pub(crate) notes: Vec<String>,
}

/// Resolves the server, creates the rooms and signs the tokens. `users` is the number of senders,
/// where it is known.
pub(crate) async fn prepare(
    scenario: &Scenario,
    users: Option<u32>,
    options: &RunOptions,
) -> Result<Ready, LoadtestError> {
    let tls = options.tls()?;
    let (target, _) = Target::resolve(&options.target, &tls).await.map_err(LoadtestError::cannot)?;
    let entry = Pool::new(target.clone(), CALLS_MAX, 0, CALL_TIMEOUT);
    let keyring = options.token_key.as_deref().map(keyring).transpose()?;
    let rooms = Popularity::new(&scenario.rooms, options.seed);
    let run_secs = (scenario.population().secs() + scenario.settle_secs) as u64 + TOKEN_MARGIN_SECS;
    let mut fleet = None;
    if let (Some(admin), Some(keyring)) = (&options.admin, &keyring) {
        let token = mint(keyring, "load-admin", Role::Admin, run_secs)?;
        make_rooms(admin, &tls, &token, &rooms).await?;
        fleet = Some(FleetAccess { admin: admin.clone(), token, tls: tls.clone() });
    }
    look_at(&entry, &rooms.rooms()[0].to_string()).await?;
    let mut notes = Vec::new();
    let by_rate = (scenario.posts_per_s_max() / POSTS_PER_SENDER_PER_S).ceil().max(SENDERS_MIN);
    let wanted = users.map_or(by_rate, f64::from);
    let tokens = match &keyring {
        _ if !scenario.posts() && scenario.viewer_identity == Identity::Anonymous => Vec::new(),
        Some(keyring) => {
            let senders = wanted.min(SENDERS_MAX) as u32;
            let minted = (0..senders).map(|n| mint(keyring, &format!("load-{n}"), options.senders, run_secs));
            minted.collect::<Result<_, _>>()?
        }
        None => {
            if wanted > GUESTS_MAX {
                notes.push(format!(
                    "without --token-key, {GUESTS_MAX} guests send all posts; their limits may refuse some"
                ));
            }
            guests(&entry, wanted.min(GUESTS_MAX) as usize).await?
        }
    };
    Ok(Ready { target, tokens, fleet, notes })
}

/// Reads the key that signs tokens.
pub(crate) fn keyring(path: &std::path::Path) -> Result<Keyring, LoadtestError> {
    let secret = std::fs::read(path)
        .map_err(|error| LoadtestError::cannot_run(format!("the key {}", path.display()), error))?;
    Keyring::from_secret(&secret, &TokenConfig::default())
        .map_err(|error| LoadtestError::cannot_run(format!("the key {}", path.display()), error))
}

/// Signs a token for all rooms.
pub(crate) fn mint(keyring: &Keyring, user: &str, role: Role, secs: u64) -> Result<String, LoadtestError> {
    let now_secs = barrage_clock::since_unix_epoch().as_secs();
    let claims = Claims {
        sub: user.parse().expect("made of letters and digits"),
        name: None,
        rooms: Rooms(vec!["*".into()]),
        role,
        exp: now_secs + secs,
        nbf: None,
        attrs: None,
        aud: String::new(),
    };
    keyring.mint(claims).map_err(|error| LoadtestError::cannot_run("a token cannot be signed", error))
}

/// Checks that the server answers and that the room exists.
pub(crate) async fn look_at(entry: &Pool, room: &str) -> Result<(), LoadtestError> {
    // No viewer comes of this question: it takes no slot.
    let path = format!("/v1/entry?room={room}&purpose=send");
    let (status, body) = match entry.call(&Call::get(&path)).await {
        Ok(answer) => answer,
        Err(error) => {
            let (target, why) = (entry.target(), why(entry.target(), error).await);
            return Err(LoadtestError::cannot(format!(
                "the target does not answer: {} ({}): {why}; is the server up, and is --target its public address?",
                target.host, target.address
            )));
        }
    };
    if status.is_success() {
        return Ok(());
    }
    let hint =
        if refusal(&body) == "unknown_room" { "; give --admin and --token-key, and it is made" } else { "" };
    Err(LoadtestError::cannot(format!("entry refuses the room {room}: {} {status}{hint}", refusal(&body))))
}

async fn admin_pool(admin: &str, tls: &ClientTls) -> Result<Pool, LoadtestError> {
    let (target, _) = Target::resolve(admin, tls).await.map_err(LoadtestError::cannot)?;
    Ok(Pool::new(target, CALLS_MAX, 0, CALL_TIMEOUT))
}

/// Creates one room through the admin API.
pub(crate) async fn make_room(
    admin: &str,
    tls: &ClientTls,
    token: &str,
    room: &str,
) -> Result<(), LoadtestError> {
    let (pool, path) = (admin_pool(admin, tls).await?, format!("/v1/admin/rooms/{room}"));
    let body = Bytes::from_static(b"{}");
    let answer =
        pool.call(&Call { method: Method::PUT, path: &path, token: Some(token), body, fields: &[] }).await;
    let failure = format!("the room cannot be created at {} (--admin)", pool.target().host);
    accepted(pool.target(), answer, &failure).await.map(drop)
}

async fn make_rooms(
    admin: &str,
    tls: &ClientTls,
    token: &str,
    rooms: &Popularity,
) -> Result<(), LoadtestError> {
    let pool = admin_pool(admin, tls).await?;
    for some in rooms.rooms().chunks(CALLS_MAX) {
        let made = some.iter().map(|room| {
            let (path, pool) = (format!("/v1/admin/rooms/{room}"), &pool);
            async move {
                let body = Bytes::from_static(b"{}");
                pool.call(&Call { method: Method::PUT, path: &path, token: Some(token), body, fields: &[] })
                    .await
            }
        });
        for answer in join_all(made).await {
            let failure = format!("a room cannot be created at {} (--admin)", pool.target().host);
            accepted(pool.target(), answer, &failure).await?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Guest {
    token: String,
}

async fn guests(entry: &Pool, count: usize) -> Result<Vec<String>, LoadtestError> {
    const WHAT: &str = "the scenario posts, which needs tokens: give --token-key (DATA-DIR/token.key of \
                        the server), or let the server have guests";
    let body = Bytes::from_static(br#"{"name":"load"}"#);
    let call = Call { method: Method::POST, path: "/v1/guest", token: None, body, fields: &[] };
    let mut tokens = Vec::with_capacity(count);
    while tokens.len() < count {
        let some = (count - tokens.len()).min(CALLS_MAX);
        for answer in join_all((0..some).map(|_| entry.call(&call))).await {
            let body = accepted(entry.target(), answer, WHAT).await?;
            let guest: Guest =
                serde_json::from_slice(&body).map_err(|error| LoadtestError::cannot_run(WHAT, error))?;
            tokens.push(guest.token);
        }
    }
    Ok(tokens)
}

/// Returns why a call had no answer: the kind of failure, and the cause from the operating system,
/// which a second connection finds.
async fn why(target: &Target, error: HttpError) -> String {
    match error {
        HttpError::Timeout => format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
        HttpError::Broken => "the connection ended before an answer".into(),
        HttpError::Connect => {
            let again = tokio::time::timeout(CALL_TIMEOUT, target.connect(0, Pace::Full)).await;
            match again {
                Ok(Ok(_)) => "the connection failed once and came about the second time".into(),
                Ok(Err(cause)) => barrage_tls::reason(&cause),
                Err(_) => format!("no connection within {} s", CALL_TIMEOUT.as_secs()),
            }
        }
    }
}

async fn accepted(
    target: &Target,
    answer: Result<(StatusCode, Bytes), HttpError>,
    failure: &str,
) -> Result<Bytes, LoadtestError> {
    match answer {
        Ok((status, body)) if status.is_success() => Ok(body),
        Ok((status, body)) => Err(LoadtestError::cannot(format!("{failure} ({} {status})", refusal(&body)))),
        Err(error) => Err(LoadtestError::cannot(format!("{failure}: {}", why(target, error).await))),
    }
}

fn refusal(body: &[u8]) -> String {
    let refused = serde_json::from_slice::<ErrorBody>(body);
    refused.map_or_else(|_| "status".into(), |refused| refused.error.code.label().into())
}
