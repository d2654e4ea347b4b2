//! Pre-warms: announced flash crowds, for which the autoscaler starts gateways ahead of time. A
//! pre-warm is a setting of its room, so it is durable and reaches every process.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::{Change, Prewarm, RoomPatch, Settings};
use barrage_http::{ApiError, body};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::entry::Entry;

const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum duration: gateways are kept running for it.
const LASTS_SECS_MAX: u64 = 86_400;
/// Maximum time from now to the start.
const AHEAD_MS_MAX: u64 = 366 * 86_400 * 1_000;
const VIEWERS_MAX: u64 = 100_000_000;

/// The body of a request that announces a flash crowd.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrewarmRequest {
    /// Time (RFC 3339) at which the viewers come: not over, within a year.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    /// Room that the viewers come to; it exists.
    room: RoomId,
    /// Expected viewers, 1 to 100,000,000.
    #[schemars(range(min = 1, max = 100_000_000))]
    viewers: u64,
    /// Expected stay in seconds, 1 to 86,400.
    #[schemars(range(min = 1, max = 86_400))]
    lasts_secs: u64,
}

/// A pre-warm as answers and lists have it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PrewarmView {
    /// Id, by which the pre-warm is deleted.
    id: String,
    /// Time (RFC 3339) at which the viewers come.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    /// Room that the viewers come to.
    room: RoomId,
    /// Number of expected viewers.
    viewers: u64,
    /// Expected stay in seconds.
    lasts_secs: u64,
}

/// Pre-warms that are not over.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PrewarmList {
    /// Pre-warms in the order of their times.
    prewarms: Vec<PrewarmView>,
}

impl PrewarmView {
    fn of(room: &RoomId, prewarm: Prewarm) -> Self {
        let at = OffsetDateTime::from_unix_timestamp((prewarm.at_ms / 1_000).cast_signed());
        PrewarmView {
            id: id(room, prewarm),
            at: at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            room: room.clone(),
            viewers: prewarm.viewers,
            lasts_secs: prewarm.lasts_secs,
        }
    }
}

/// Returns the id: one for each room and start. An announcement under the same id changes the
/// pre-warm.
fn id(room: &RoomId, prewarm: Prewarm) -> String {
    format!("{room}.{}", prewarm.at_ms / 1_000)
}

/// Checks an announcement and returns its change. Pure.
fn announce(
    settings: &Settings,
    request: &PrewarmRequest,
    now_ms: u64,
) -> Result<(Change, Prewarm), Refusal> {
    let wrong = |why: String| Err(Refusal::new(Code::BadRequest, why));
    let at_ms = u64::try_from(request.at.unix_timestamp()).unwrap_or(0).saturating_mul(1_000);
    let prewarm = Prewarm { at_ms, lasts_secs: request.lasts_secs, viewers: request.viewers };
    if !(1..=VIEWERS_MAX).contains(&request.viewers) {
        return wrong(format!("viewers: 1 to {VIEWERS_MAX}"));
    }
    if !(1..=LASTS_SECS_MAX).contains(&request.lasts_secs) {
        return wrong(format!("lasts_secs: 1 to {LASTS_SECS_MAX}"));
    }
    if prewarm.is_over(now_ms) || at_ms > now_ms.saturating_add(AHEAD_MS_MAX) {
        return wrong("at: a time that is not over, within a year".into());
    }
    if !settings.rooms.contains_key(&request.room) {
        return Err(Refusal::new(Code::UnknownRoom, "there is no such room; make it first"));
    }
    Ok((Change::Patch(request.room.clone(), RoomPatch::SetPrewarm(prewarm)), prewarm))
}

/// Returns the change that deletes a pre-warm; `None` when none has this id.
fn take_back(settings: &Settings, wanted: &str, now_ms: u64) -> Option<Change> {
    let live = settings.prewarms(now_ms);
    let (room, found) = live.into_iter().find(|(room, prewarm)| id(room, *prewarm) == wanted)?;
    Some(Change::Patch(room.clone(), RoomPatch::CancelPrewarm { at_ms: found.at_ms }))
}

/// Announces a pre-warm, or changes one with the same id.
pub(super) async fn post(
    State(entry): State<Arc<Entry>>,
    request_body: Body,
) -> Result<(StatusCode, Json<PrewarmView>), ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let request: PrewarmRequest = body::json(&bytes)?;
    let settings = Arc::clone(&entry.bus.settings().borrow());
    let (change, prewarm) = announce(&settings, &request, barrage_clock::unix_ms())?;
    entry.bus.change(change).await?;
    Ok((StatusCode::CREATED, Json(PrewarmView::of(&request.room, prewarm))))
}

/// Lists the pre-warms that are not over.
pub(super) async fn list(State(entry): State<Arc<Entry>>) -> Json<PrewarmList> {
    let settings = Arc::clone(&entry.bus.settings().borrow());
    let live = settings.prewarms(barrage_clock::unix_ms());
    let prewarms = live.into_iter().map(|(room, prewarm)| PrewarmView::of(room, prewarm)).collect();
    Json(PrewarmList { prewarms })
}

/// Deletes a pre-warm that is not over.
pub(super) async fn delete(
    State(entry): State<Arc<Entry>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let settings = Arc::clone(&entry.bus.settings().borrow());
    let Some(change) = take_back(&settings, &id, barrage_clock::unix_ms()) else {
        return Err(ApiError::new(Code::NotFound, "there is no such pre-warm, or it is over"));
    };
    entry.bus.change(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::{BusConfig, PREWARMS_MAX, RoomSettings};

    const NOW_MS: u64 = 1_800_000_000_000;

    fn request(room: &str, in_secs: i64, lasts_secs: u64) -> PrewarmRequest {
        let at = OffsetDateTime::from_unix_timestamp(1_800_000_000 + in_secs).unwrap();
        PrewarmRequest { at, room: room.parse().unwrap(), viewers: 300_000, lasts_secs }
    }

    fn apply(settings: &mut Settings, request: &PrewarmRequest, now_ms: u64) -> Result<(), Code> {
        let (change, _) = announce(settings, request, now_ms).map_err(|refusal| refusal.code)?;
        let applied = settings.apply(&change, &BusConfig::default(), now_ms);
        applied.map(drop).map_err(|error| Refusal::from(error).code)
    }

    #[test]
    fn prewarm_is_a_setting_of_its_room_until_it_is_over() {
        let mut settings = Settings::default();
        for room in ["a", "b"] {
            let title = room.to_owned();
            let made = RoomSettings { title, mute_all: true, ..RoomSettings::default() };
            settings.rooms.insert(room.parse().unwrap(), made);
        }
        assert_eq!(apply(&mut settings, &request("c", 60, 60), NOW_MS), Err(Code::UnknownRoom));
        for (at, lasts) in [(-61, 60), (60, 0), (60, 86_401), (400 * 86_400, 60)] {
            assert_eq!(apply(&mut settings, &request("a", at, lasts), NOW_MS), Err(Code::BadRequest));
        }
        apply(&mut settings, &request("a", 600, 60), NOW_MS).unwrap();
        apply(&mut settings, &request("b", 60, 60), NOW_MS).unwrap();
        apply(&mut settings, &request("a", 600, 120), NOW_MS).unwrap();
        let live = |settings: &Settings, now_ms| {
            let live = settings.prewarms(now_ms);
            live.into_iter().map(|(room, one)| (id(room, one), one.lasts_secs)).collect::<Vec<_>>()
        };
        let both = [("b.1800000060".to_owned(), 60), ("a.1800000600".to_owned(), 120)];
        assert_eq!(live(&settings, NOW_MS), both);
        assert_eq!(live(&settings, NOW_MS + 120_000), both[1..]);
        let change = take_back(&settings, "a.1800000600", NOW_MS).unwrap();
        let kept = settings.clone().apply(&change, &BusConfig::default(), NOW_MS).unwrap().room();
        assert!((kept.title.as_str(), kept.prewarms.len(), kept.mute_all) == ("a", 0, true));
        assert!(take_back(&settings, "b.1800000060", NOW_MS + 120_000).is_none());
    }

    #[test]
    fn prewarms_are_bounded_and_those_that_are_over_are_replaced() {
        let mut settings = Settings::default();
        settings.rooms.insert("a".parse().unwrap(), RoomSettings::default());
        for n in 0..PREWARMS_MAX as i64 {
            apply(&mut settings, &request("a", 100 * n, 50), NOW_MS).unwrap();
        }
        assert_eq!(apply(&mut settings, &request("a", 50, 50), NOW_MS), Err(Code::Conflict));
        apply(&mut settings, &request("a", 100, 60), NOW_MS).unwrap();
        apply(&mut settings, &request("a", 150, 50), NOW_MS + 50_000).unwrap();
        assert_eq!(settings.rooms[&"a".parse::<RoomId>().unwrap()].prewarms.len(), PREWARMS_MAX);
    }
}
