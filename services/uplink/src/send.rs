//! Posting: check, compose, publish, answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use barrage_bus::{BusError, Draft, PulseDraft, Receipt};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::code::LimitHit;
use barrage_protocol::post::{Outcome, Package, PackageAnswer, Post, PostAnswer};
use barrage_protocol::{Class, Code, RoomId};
use barrage_token::Identity;
use http::HeaderMap;

use crate::routes::Uplink;
use crate::{access, compose};

/// Posts in one package.
const PACKAGE_MAX: usize = 64;
/// How long a like's id is remembered.
const LIKE_WINDOW_MS: u64 = 120_000;
/// When to come back after the log refused.
const RETRY_MS: u64 = 500;

pub(crate) async fn message(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<PostAnswer>, ApiError> {
    let timer = uplink.metrics.duration.start_timer();
    let result = post_one(&uplink, &room, client, &headers, request_body).await;
    timer.observe_duration();
    uplink.counted(result).map(Json)
}

async fn post_one(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<PostAnswer, ApiError> {
    let room = access::room_id(room)?;
    let by = access::caller(&uplink.keyring, headers, &room)?;
    uplink.limits.take(Some(client.0), &by, 1).await?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
    let post: Post = body::json(&bytes)?;
    uplink.post(&room, &by, &post).await
}

impl Uplink {
    /// Takes one post of a verified caller through all checks to the bus.
    pub async fn post(&self, room: &RoomId, by: &Identity, post: &Post) -> Result<PostAnswer, ApiError> {
        if let Post::Like { count, .. } = post {
            return like(self, room, by, post, *count);
        }
        let draft = draft(self, room, by, post)?;
        if let Some(limit) = self.limits.display(room, by, post.class(), post.id()) {
            self.metrics.answered(post.class(), Outcome::Held);
            return Ok(PostAnswer { outcome: Outcome::Held, sequence: None, limit: Some(limit) });
        }
        let receipts = publish(self, vec![draft]).await?;
        let receipt =
            receipts.first().ok_or_else(|| ApiError::new(Code::Internal, "the bus gave no receipt"))?;
        Ok(answer(self, post.class(), *receipt))
    }
}

pub(crate) async fn package(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<PackageAnswer>, ApiError> {
    let result = post_package(&uplink, &room, client, &headers, request_body).await;
    uplink.counted(result).map(Json)
}

async fn post_package(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<PackageAnswer, ApiError> {
    let room = access::room_id(room)?;
    let by = access::caller(&uplink.keyring, headers, &room)?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.package_bytes_max, deadline).await?;
    let package: Package = body::json(&bytes)?;
    if package.messages.is_empty() || package.messages.len() > PACKAGE_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("messages: 1 to {PACKAGE_MAX} posts")));
    }
    if package.messages.iter().any(|post| post.class() == Class::Pulse) {
        return Err(ApiError::new(Code::BadRequest, "messages: likes have no order; post them alone"));
    }
    // One request and one commit, however many: eight posts of it cost as one.
    let cost = package.messages.len().div_ceil(8);
    uplink.limits.take(Some(client.0), &by, u32::try_from(cost).unwrap_or(u32::MAX)).await?;
    let drafts =
        package.messages.iter().map(|post| draft(uplink, &room, &by, post)).collect::<Result<Vec<_>, _>>()?;
    if let Some(limit) = held_package(uplink, &room, &by, &package) {
        let held =
            |_: &Post| PostAnswer { outcome: Outcome::Held, sequence: None, limit: Some(limit.clone()) };
        return Ok(PackageAnswer { answers: package.messages.iter().map(held).collect() });
    }
    let receipts = publish(uplink, drafts).await?;
    let classes = package.messages.iter().map(Post::class);
    let answers = classes.zip(receipts).map(|(class, receipt)| answer(uplink, class, receipt)).collect();
    Ok(PackageAnswer { answers })
}

/// A package is shown whole or held whole; one with a gift in it is never held.
fn held_package(uplink: &Uplink, room: &RoomId, by: &Identity, package: &Package) -> Option<LimitHit> {
    if package.messages.iter().any(|post| post.class() == Class::Gift) {
        return None;
    }
    let held = |post: &Post| uplink.limits.display(room, by, post.class(), post.id());
    package.messages.iter().filter_map(held).last()
}

/// Checks one post and makes it ready for the bus.
fn draft(uplink: &Uplink, room: &RoomId, by: &Identity, post: &Post) -> Result<Draft, ApiError> {
    let now_ms = unix_ms();
    let settings = uplink.bus.settings().borrow().clone();
    let class = post.class();
    let slow_mode_secs = access::may_send(&settings, room, by, class, uplink.config.gift_role_min, now_ms)?;
    let body = compose::body(post, by, uplink.config.text_chars_max, now_ms)?;
    if class == Class::Chat && slow_mode_secs > 0 {
        uplink.slow_mode(room, by, post.id(), slow_mode_secs, now_ms)?;
    }
    Ok(Draft {
        room: room.clone(),
        class,
        sender: Some(by.user.clone()),
        id: Some(post.id().clone()),
        fingerprint: compose::fingerprint(post),
        to: None,
        body,
    })
}

fn like(
    uplink: &Uplink,
    room: &RoomId,
    by: &Identity,
    post: &Post,
    count: u32,
) -> Result<PostAnswer, ApiError> {
    let now_ms = unix_ms();
    let settings = uplink.bus.settings().borrow().clone();
    access::may_send(&settings, room, by, Class::Pulse, uplink.config.gift_role_min, now_ms)?;
    compose::body(post, by, uplink.config.text_chars_max, now_ms)?;
    let key = (room.clone(), by.user.clone(), post.id().clone());
    let outcome = match uplink.likes().take(key, LIKE_WINDOW_MS, now_ms) {
        Ok(()) => {
            if let Some(likes) = uplink.pulses.add(room, u64::from(count), uplink.config.pulse_likes) {
                uplink.bus.pulse(room, PulseDraft { likes });
            }
            Outcome::Broadcast
        }
        Err(_) => Outcome::Duplicate,
    };
    uplink.metrics.answered(Class::Pulse, outcome);
    Ok(PostAnswer { outcome, sequence: None, limit: None })
}

fn answer(uplink: &Uplink, class: Class, receipt: Receipt) -> PostAnswer {
    let outcome = if receipt.duplicate { Outcome::Duplicate } else { Outcome::Broadcast };
    uplink.metrics.answered(class, outcome);
    PostAnswer { outcome, sequence: Some(receipt.sequence), limit: None }
}

/// Publishes; the answer comes when the bus has it durably.
pub(crate) async fn publish(uplink: &Uplink, drafts: Vec<Draft>) -> Result<Vec<Receipt>, ApiError> {
    uplink.bus.publish(drafts).await.map_err(|error| match error {
        BusError::Conflict => ApiError::new(Code::Conflict, format!("{error}; choose a new id")),
        BusError::Unavailable(_) => {
            ApiError::new(Code::Unavailable, "the message could not be kept; send it again with the same id")
                .retry_after_ms(RETRY_MS)
        }
        BusError::Full(_) => ApiError::new(Code::Overloaded, error.to_string()).retry_after_ms(RETRY_MS),
    })
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
