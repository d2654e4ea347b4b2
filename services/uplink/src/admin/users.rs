//! Admin calls on the users of a room: mute, kick, lift, list.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use barrage_bus::{Restriction, RestrictionKind, Restrictions, Settings};
use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId, Sequence, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, page_limit, read_body, read_query};
use crate::text::rfc3339;

/// Maximum length of a mute or kick: ten years, in effect for ever.
const RESTRICTION_SECS_MAX: u64 = 315_360_000;

/// Maximum length of a reason in bytes.
const REASON_BYTES_MAX: usize = 1_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restrict {
    /// User to mute or kick.
    user: UserId,
    /// Length in seconds from now, 1 to 315,360,000 (ten years).
    #[schemars(range(min = 1, max = 315_360_000))]
    secs: u64,
    /// Why, for the audit log alone: at most 1,000 bytes. The user does not see the reason.
    #[schemars(length(max = 1_000))]
    reason: Option<String>,
}

/// A user who is muted or kicked now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RestrictedAnswer {
    /// User who is muted or kicked.
    user: UserId,
    /// End in Unix milliseconds; a longer mute or kick that was set before stays in force.
    until_ms: u64,
    /// Sequence of the signal. A mute has none here: its signal goes to the user's devices alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
}

/// Mutes a user in a room. A longer mute that was set before stays in force.
pub(super) async fn mute(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<RestrictedAnswer> {
    restrict(&admin, &room, request_body, RestrictionKind::Mute).await
}

/// Removes a user from a room. A longer kick that was set before stays in force.
pub(super) async fn kick(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<RestrictedAnswer> {
    restrict(&admin, &room, request_body, RestrictionKind::Kick).await
}

async fn restrict(
    admin: &AdminContext,
    room: &str,
    request_body: Body,
    kind: RestrictionKind,
) -> Answer<RestrictedAnswer> {
    let room = place(admin, room, kind)?;
    let Restrict { user, secs, reason } = read_body(request_body).await?;
    check_reason(reason.as_deref())?;
    if !(1..=RESTRICTION_SECS_MAX).contains(&secs) {
        return Err(ApiError::new(Code::BadRequest, format!("secs: 1 to {RESTRICTION_SECS_MAX}")));
    }
    let restriction = Restriction { kind, until_ms: barrage_clock::unix_ms() + secs * 1_000 };
    let restricted = admin.control.restrict(&room, &user, restriction).await?;
    let sequence = (kind == RestrictionKind::Kick).then_some(restricted.sequence);
    Ok(Json(RestrictedAnswer { user, until_ms: restricted.until_ms, sequence }))
}

/// Returns the room of a mute or kick. Letters take mutes alone.
fn place(admin: &AdminContext, room: &str, kind: RestrictionKind) -> Result<RoomId, ApiError> {
    Ok(match kind {
        RestrictionKind::Mute => admin.control.known_room_or_letters(room)?,
        RestrictionKind::Kick => admin.control.known_room(room)?,
    })
}

/// Checks the length of a reason. The audit log keeps the whole body of a call, the reason with it.
fn check_reason(reason: Option<&str>) -> Result<(), ApiError> {
    if reason.is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(ApiError::new(Code::BadRequest, format!("reason: at most {REASON_BYTES_MAX} bytes")));
    }
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lift {
    /// User whose mute or kick ends now.
    user: UserId,
    /// Why, for the audit log alone: at most 1,000 bytes.
    #[schemars(length(max = 1_000))]
    reason: Option<String>,
}

/// The user whose mute or kick ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Lifted {
    /// User of the request.
    user: UserId,
}

/// Lifts a mute; a kick stays in force.
pub(super) async fn unmute(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<Lifted> {
    lift(&admin, &room, request_body, RestrictionKind::Mute).await
}

/// Lifts a kick; a mute stays in force.
pub(super) async fn unkick(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<Lifted> {
    lift(&admin, &room, request_body, RestrictionKind::Kick).await
}

async fn lift(admin: &AdminContext, room: &str, request_body: Body, kind: RestrictionKind) -> Answer<Lifted> {
    let room = place(admin, room, kind)?;
    let Lift { user, reason } = read_body(request_body).await?;
    check_reason(reason.as_deref())?;
    admin.control.lift(&room, &user, kind).await?;
    Ok(Json(Lifted { user }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestrictionsQuery {
    /// Lists the users after this one: `next_after` of the page before.
    after: Option<UserId>,
    /// Users of a page, 1 to 1,000; 100 when absent.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<usize>,
}

/// A page of the users who are muted or kicked in a room.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RestrictionsPage {
    /// Users in the order of their ids.
    restrictions: Vec<RestrictedUser>,
    /// Value of `after` for the next page; null on the last page.
    next_after: Option<UserId>,
}

/// A user who is muted or kicked in a room.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RestrictedUser {
    /// User who is muted or kicked.
    user: UserId,
    /// End of the mute (RFC 3339); absent when the user is not muted.
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<String>,
    /// End of the kick (RFC 3339); absent when the user is not kicked.
    #[serde(skip_serializing_if = "Option::is_none")]
    kicked_until: Option<String>,
}

/// Lists the users who are muted or kicked now, in the order of their ids.
pub(super) async fn list_restrictions(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    query: Result<Query<RestrictionsQuery>, QueryRejection>,
) -> Answer<RestrictionsPage> {
    let RestrictionsQuery { after, limit } = read_query(query)?;
    let room = admin.control.known_room_or_letters(&room)?;
    let limit = page_limit(limit)?;
    let (settings, now_ms) = (admin.control.settings(), barrage_clock::unix_ms());
    let (restrictions, next_after) = page(&settings, &room, after.as_ref(), limit, now_ms);
    Ok(Json(RestrictionsPage { restrictions, next_after }))
}

/// Returns one page of restricted users, and the user after whom the next page starts.
fn page(
    settings: &Settings,
    room: &RoomId,
    after: Option<&UserId>,
    limit: usize,
    now_ms: u64,
) -> (Vec<RestrictedUser>, Option<UserId>) {
    let is_listed = |of_room: &RoomId, user: &UserId, restrictions: &Restrictions| {
        of_room == room && !restrictions.is_over(now_ms) && after.is_none_or(|after| user > after)
    };
    let mut found: Vec<_> = settings
        .restrictions
        .iter()
        .filter(|((of_room, user), restrictions)| is_listed(of_room, user, restrictions))
        .map(|((_, user), restrictions)| (user, restrictions))
        .collect();
    found.sort_unstable_by_key(|(user, _)| *user);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let until = |restrictions: &Restrictions, kind| restrictions.until_ms(kind, now_ms).map(rfc3339);
    let users: Vec<_> = found
        .into_iter()
        .map(|(user, restrictions)| RestrictedUser {
            user: user.clone(),
            muted_until: until(restrictions, RestrictionKind::Mute),
            kicked_until: until(restrictions, RestrictionKind::Kick),
        })
        .collect();
    let next_after = users.last().filter(|_| has_more).map(|last| last.user.clone());
    (users, next_after)
}

#[cfg(test)]
mod tests {
    use barrage_bus::{BusConfig, Change, RoomPatch};

    use super::*;

    #[test]
    fn restrictions_are_listed_by_user_in_pages() {
        let (room, now_ms) = (RoomId::parse("r").unwrap(), 1_000_000);
        let mut settings = Settings::default();
        let ensure = Change::Patch(room.clone(), RoomPatch::Ensure { title: "R".into() });
        settings.apply(&ensure, &BusConfig::default(), now_ms).unwrap();
        for (user, kind) in
            [("c", RestrictionKind::Kick), ("a", RestrictionKind::Mute), ("b", RestrictionKind::Mute)]
        {
            let restriction = Restriction { kind, until_ms: now_ms + 1_000 };
            let change = Change::Restrict { room: room.clone(), user: user.parse().unwrap(), restriction };
            settings.apply(&change, &BusConfig::default(), now_ms).unwrap();
        }
        let users = |after: Option<&str>, now_ms| {
            let after = after.map(|after| after.parse().unwrap());
            let (users, next_after) = page(&settings, &room, after.as_ref(), 2, now_ms);
            let names: Vec<_> = users.iter().map(|found| found.user.to_string()).collect();
            (names, next_after.map(|user| user.to_string()))
        };
        assert_eq!(users(None, now_ms), (vec!["a".into(), "b".into()], Some("b".into())));
        assert_eq!(users(Some("b"), now_ms), (vec!["c".into()], None));
        assert_eq!(users(None, now_ms + 1_000), (vec![], None), "restrictions that are over");
    }
}
