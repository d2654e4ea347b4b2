//! Mutes, kicks and revoked tokens: setting, lifting, listing.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use barrage_bus::{Change, Restriction, RestrictionKind};
use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_store::{HISTORY_LIMIT_MAX, Mute};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::admin::{Answer, read, refused};
use crate::compose::Signal;
use crate::printable::rfc3339;
use crate::routes::Uplink;
use crate::send::unix_ms;

/// Longest mute or kick: ten years, which is for ever.
const RESTRICTION_SECS_MAX: u64 = 315_360_000;
const LIMIT_DEFAULT: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restrict {
    user: UserId,
    secs: u64,
}

impl Restrict {
    fn until_ms(&self) -> Result<u64, ApiError> {
        if !(1..=RESTRICTION_SECS_MAX).contains(&self.secs) {
            return Err(ApiError::new(Code::BadRequest, format!("secs: 1 to {RESTRICTION_SECS_MAX}")));
        }
        Ok(unix_ms() + self.secs * 1000)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    user: UserId,
}

impl Uplink {
    /// Adds a restriction; returns its end, which is later than asked where one was set before.
    async fn restrict(
        &self,
        room: &RoomId,
        user: &UserId,
        restriction: Restriction,
    ) -> Result<u64, ApiError> {
        let change = Change::Restrict { room: room.clone(), user: user.clone(), restriction };
        let changed = self.bus.change(change).await.map_err(refused)?;
        Ok(changed.restrictions().until_ms(restriction.kind, 0).unwrap_or(restriction.until_ms))
    }

    async fn lift(&self, room: &RoomId, user: &UserId, kind: RestrictionKind) -> Result<(), ApiError> {
        let change = Change::Lift { room: room.clone(), user: user.clone(), kind };
        self.bus.change(change).await.map(drop).map_err(refused)
    }

    /// Mutes a user in a room: in force first, then on record, then said. Returns the end of the
    /// mute in force.
    pub(crate) async fn mute_until(
        &self,
        room: &RoomId,
        user: &UserId,
        until_ms: u64,
    ) -> Result<u64, ApiError> {
        let restriction = Restriction { kind: RestrictionKind::Mute, until_ms };
        let until_ms = self.restrict(room, user, restriction).await?;
        let record = Mute { room: room.clone(), user: user.clone(), until_ms };
        if let Err(error) = self.store.mute(&record).await {
            tracing::error!(%error, "a mute is in force but not in the store");
        }
        self.signal(room, &Signal::Mute { user, until_ms }, Some(user.clone())).await?;
        Ok(until_ms)
    }
}

pub(crate) async fn mute(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let asked: Restrict = read(request_body).await?;
    let until_ms = uplink.mute_until(&id, &asked.user, asked.until_ms()?).await?;
    Ok(Json(json!({ "user": asked.user, "until_ms": until_ms })))
}

/// Lifts a mute; a kick stays.
pub(crate) async fn unmute(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let Lift { user } = read(request_body).await?;
    uplink.lift(&id, &user, RestrictionKind::Mute).await?;
    if let Err(error) = uplink.store.unmute(&id, &user).await {
        tracing::error!(%error, "a mute was lifted but is still in the store");
    }
    uplink.signal(&id, &Signal::Unmute { user: &user }, Some(user.clone())).await?;
    Ok(Json(json!({ "user": user })))
}

pub(crate) async fn kick(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let asked: Restrict = read(request_body).await?;
    let restriction = Restriction { kind: RestrictionKind::Kick, until_ms: asked.until_ms()? };
    let settings = uplink.bus.settings().borrow().clone();
    let known = settings.restrictions.get(&(id.clone(), asked.user.clone()));
    let known = known.and_then(|it| it.kick_until_ms).unwrap_or(0);
    // The signal first, so that the user's own connections see it before they are closed.
    let said = Signal::Kick { user: &asked.user, until_ms: restriction.until_ms.max(known) };
    let sequence = uplink.signal(&id, &said, None).await?;
    let until_ms = uplink.restrict(&id, &asked.user, restriction).await?;
    Ok(Json(json!({ "user": asked.user, "until_ms": until_ms, "sequence": sequence })))
}

/// Lifts a kick; a mute stays.
pub(crate) async fn unkick(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let Lift { user } = read(request_body).await?;
    uplink.lift(&id, &user, RestrictionKind::Kick).await?;
    Ok(Json(json!({ "user": user })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestrictionsPage {
    after: Option<UserId>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Restricted {
    user: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kicked_until: Option<String>,
}

/// Users who are muted or kicked now, in the order of their ids.
pub(crate) async fn restrictions(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    query: Result<Query<RestrictionsPage>, QueryRejection>,
) -> Answer {
    let Query(page) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let id = uplink.known_room(&room)?;
    let limit = page.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    let (settings, now_ms) = (uplink.bus.settings().borrow().clone(), unix_ms());
    let mut found: Vec<_> = settings
        .restrictions
        .iter()
        .filter(|((room, user), it)| {
            *room == id && !it.is_over(now_ms) && page.after.as_ref().is_none_or(|after| user > after)
        })
        .collect();
    found.sort_unstable_by(|a, b| a.0.1.cmp(&b.0.1));
    let more = found.len() > limit;
    found.truncate(limit);
    let until = |it: &barrage_bus::Restrictions, kind| it.until_ms(kind, now_ms).map(rfc3339);
    let restrictions: Vec<_> = found
        .into_iter()
        .map(|((_, user), it)| Restricted {
            user: user.clone(),
            muted_until: until(it, RestrictionKind::Mute),
            kicked_until: until(it, RestrictionKind::Kick),
        })
        .collect();
    let next_after = restrictions.last().filter(|_| more).map(|last| last.user.clone());
    Ok(Json(json!({ "restrictions": restrictions, "next_after": next_after })))
}

/// Refuses the tokens of a user that were minted up to now.
pub(crate) async fn revoke(State(uplink): State<Arc<Uplink>>, Path(user): Path<String>) -> Answer {
    let user = UserId::parse(&user).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    let before = uplink.revoke(Some(user.clone())).await?;
    Ok(Json(json!({ "user": user, "before": before })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeAll {
    all: bool,
}

/// Refuses the tokens of all users that were minted up to now, the caller's included.
pub(crate) async fn revoke_all(State(uplink): State<Arc<Uplink>>, request_body: Body) -> Answer {
    let RevokeAll { all } = read(request_body).await?;
    if !all {
        let message = "all: must be true; POST /v1/admin/users/{user}/revoke revokes those of one user";
        return Err(ApiError::new(Code::BadRequest, message));
    }
    Ok(Json(json!({ "before": uplink.revoke(None).await? })))
}

impl Uplink {
    /// Times of minting are whole seconds: the second that has begun counts as over, so that no
    /// token of it slips through. Returns the time from which new tokens are good.
    async fn revoke(&self, user: Option<UserId>) -> Result<Value, ApiError> {
        let before_secs = unix_ms() / 1_000 + 1;
        self.bus.change(Change::Revoke { user, before_secs }).await.map_err(refused)?;
        Ok(rfc3339(before_secs * 1_000).into())
    }
}
