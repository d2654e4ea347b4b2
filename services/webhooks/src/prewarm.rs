//! The event of an announced crowd: shortly before its viewers come, a receiver learns what they fetch first, so that
//! a CDN can be warmed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Prewarm, Settings};
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::{RoomId, Sequence};
use barrage_store::NewDelivery;
use serde::Serialize;

use crate::config::EndpointConfig;
use crate::endpoint::Endpoint;
use crate::error::WebhooksError;
use crate::event::{self, ROOM_PREWARM};

/// Number under which the time of the last event is stored; no bus has so many partitions.
const PARTITION: u16 = u16::MAX - 2;
/// Time between two looks at the announced crowds of all rooms.
const LOOK: Duration = Duration::from_secs(2);
/// Time before the arrival at which the event is made, in milliseconds: copies in a CDN are then fresh.
const AHEAD_MS: u64 = 600_000;
/// Largest number of addresses in an event; further ones are left out.
const URLS_MAX: usize = 1_000;

/// Data of `room.prewarm`: the crowd, and what its viewers fetch first.
#[derive(Debug, Serialize)]
struct Announced<'a> {
    room: &'a RoomId,
    at_ms: u64,
    lasts_secs: u64,
    viewers: u64,
    urls: Vec<String>,
}

/// Stores the events of crowds that come soon, until an error that only an operator can repair. After a restart within
/// an announced stay an event may come again, under the same id.
pub(crate) async fn follow(bus: Arc<dyn Bus>, endpoint: Arc<Endpoint>) -> Result<(), WebhooksError> {
    if !event::wants(&endpoint.settings.events, ROOM_PREWARM) {
        std::future::pending::<()>().await;
    }
    let settings = bus.settings();
    let mut seen = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK).await;
        if endpoint.is_disabled() || endpoint.fill() >= 2.0 {
            continue;
        }
        let (now_ms, current) = (barrage_clock::unix_ms(), settings.borrow().clone());
        let due = due(&current, &endpoint.settings, now_ms);
        let is_new = |event: &&NewDelivery| !seen.contains(&event.event);
        let new: Vec<_> = due.iter().filter(is_new).cloned().collect();
        seen = due.into_iter().map(|event| event.event).collect();
        if !new.is_empty() {
            let deliveries = endpoint.store.deliveries();
            endpoint
                .retried(|| deliveries.enqueue(endpoint.name(), PARTITION, Sequence(now_ms), &new))
                .await?;
            endpoint.add_pending(new.len());
        }
    }
}

/// Makes the events of all crowds that come within [`AHEAD_MS`] or are there.
fn due(settings: &Settings, wanted: &EndpointConfig, now_ms: u64) -> Vec<NewDelivery> {
    let is_soon =
        |prewarm: &&Prewarm| prewarm.at_ms <= now_ms.saturating_add(AHEAD_MS) && !prewarm.is_over(now_ms);
    let mut events = Vec::new();
    for (room, of_room) in settings.rooms.iter() {
        if !wanted.rooms.is_empty() && !wanted.rooms.contains(room) {
            continue;
        }
        for prewarm in of_room.prewarms.iter().filter(is_soon) {
            let sets = settings.room_emotes.get(room).into_iter().chain([&settings.platform_emotes]);
            let urls = sets.flat_map(|emotes| urls(emotes.set())).take(URLS_MAX).collect();
            let Prewarm { at_ms, lasts_secs, viewers } = *prewarm;
            let data = Announced { room, at_ms, lasts_secs, viewers, urls };
            events.push(event::make(format!("prewarm/{room}/{at_ms}"), ROOM_PREWARM, now_ms, data));
        }
    }
    events
}

/// Returns the address of each picture of a set, in each of its sizes.
fn urls(set: &EmoteSet) -> impl Iterator<Item = String> {
    set.emotes.iter().flat_map(|emote| {
        let sizes =
            if emote.url.contains("{px}") { &emote.px[..] } else { &emote.px[..emote.px.len().min(1)] };
        sizes.iter().map(|px| emote.url.replace("{px}", &px.to_string()))
    })
}
