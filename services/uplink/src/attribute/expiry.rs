//! Removes attributes whose time is over, at every uplink at once: the first one does it.

use std::time::Duration;

use barrage_bus::{Change, RoomAttributes, Settings, removed_version};
use barrage_protocol::RoomId;
use barrage_protocol::attribute::AttributeKey;
use barrage_protocol::code::Refusal;
use barrage_protocol::state::{Keyed, RoomState, Versioned};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::control::AttributeControl;
use super::form;

/// Attributes that one sweep removes at most, of all rooms; the next sweep comes a second later.
const REMOVED_PER_SWEEP_MAX: usize = 200;

/// Time between two sweeps. An attribute is removed within about two of them.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl AttributeControl {
    /// Removes attributes that are over, until the shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.remove_expired(barrage_clock::unix_ms()).await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Removes the attributes that were over at `now_ms`. One that cannot be removed is logged, and the
    /// next sweep tries it again.
    pub(super) async fn remove_expired(&self, now_ms: u64) {
        let settings = self.settings();
        for (room, key, version) in expired(&settings, now_ms) {
            if let Err(refusal) = self.remove(&room, &key, version).await {
                tracing::debug!(code = refusal.code.label(), "an attribute that is over was not removed");
                return;
            }
        }
    }

    /// Signals the removal first. A process that is killed in between repeats both: the signal has the
    /// same id then, and the same version.
    async fn remove(&self, room: &RoomId, key: &AttributeKey, version: u64) -> Result<(), Refusal> {
        let removed = Versioned::new(removed_version(version), None);
        let state = RoomState { attributes: Keyed::change(key.clone(), removed), ..RoomState::default() };
        let signal = form::expiry(room, key, version)?;
        self.parts.control.under(signal).state(room, &state).await?;
        let change = Change::ExpireAttribute { room: room.clone(), key: key.clone(), version };
        self.parts.bus.change(change).await?;
        Ok(())
    }
}

fn expired(settings: &Settings, now_ms: u64) -> Vec<(RoomId, AttributeKey, u64)> {
    let of_room = |(room, attributes): (&RoomId, &RoomAttributes)| {
        let all: Vec<_> =
            attributes.expired(now_ms).map(|(key, version)| (room.clone(), key.clone(), version)).collect();
        all
    };
    settings.attributes.iter().flat_map(of_room).take(REMOVED_PER_SWEEP_MAX).collect()
}
