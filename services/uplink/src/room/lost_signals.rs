//! Signals of the room's state that a process did not publish: those of changes whose uplink was killed
//! in between.

use std::collections::HashMap;
use std::time::Duration;

use barrage_bus::{Change, SignalMark, StatePart};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MessageId, RoomId};
use futures_util::{StreamExt, stream};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::control::RoomControl;
use super::signal::SignalId;

/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Maximum time of one sweep, also while the bus does not answer.
const SWEEP_MAX: Duration = Duration::from_secs(10);
/// Time in milliseconds for which a mark does not move when a signal is lost. An uplink that lives publishes
/// its signals within milliseconds, and notes them within a sweep. One that is slower makes the signal come
/// twice, which changes nothing: states merge by version.
const LOST_AFTER_MS: u64 = 3_000;
/// Parts of rooms that one sweep mends at most; the next sweep comes a second later.
const MENDED_PER_SWEEP_MAX: usize = 1_000;
/// Parts that are mended at the same time: enough that one sweep is through in less than a second.
const MENDED_AT_ONCE: usize = 16;

/// Next step for a part of a room's state whose mark is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mend {
    /// The signals up to this version are published: note it.
    Note(u64),
    /// The signal of a change is lost: publish the state, and note the version.
    Publish(u64),
    /// The mark has not stood still for long enough.
    Wait,
}

/// Decides by the version that the known signals lead to, and by the time for which this has not moved. The age
/// of the newest change says nothing: in a busy room it is always young.
fn mend(mark: SignalMark, reached: u64, still_ms: u64) -> Mend {
    if reached >= mark.changed {
        Mend::Note(mark.changed)
    } else if still_ms >= LOST_AFTER_MS {
        Mend::Publish(mark.changed)
    } else if reached > mark.signalled {
        Mend::Note(reached)
    } else {
        Mend::Wait
    }
}

/// Marks that were behind at the last sweep: the version that signals lead to, and the steady time in
/// milliseconds at which it was seen first. Bounded by the parts that are behind.
#[derive(Debug, Default)]
pub(crate) struct Watched(HashMap<(RoomId, StatePart), (u64, u64)>);

impl RoomControl {
    /// Notes published signals, publishes lost ones, and removes super chats that are over, until the shutdown.
    pub(crate) async fn run_signals(&self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched = Watched::default();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => return,
            }
            let sweep = async {
                self.expire_super_chats(barrage_clock::unix_ms()).await;
                self.mend_signals(&mut watched, barrage_clock::steady_ms()).await;
            };
            tokio::select! {
                swept = tokio::time::timeout(SWEEP_MAX, sweep) => if swept.is_err() {
                    tracing::debug!("the bus was too slow for a sweep of signals");
                },
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Looks at each part of a room's state whose mark is behind. A failure is logged, and the next sweep tries
    /// again: a part that fails does not hold up the others.
    pub(crate) async fn mend_signals(&self, watched: &mut Watched, now_ms: u64) {
        let settings = self.settings();
        let mut due = Vec::new();
        let mut now_watched = HashMap::new();
        for (room, part, mark) in settings.behind() {
            let reached = self.signalled().reached(room, part, mark);
            let key = (room.clone(), part);
            let known = watched.0.get(&key).filter(|(before, _)| *before == reached);
            let since_ms = known.map_or(now_ms, |(_, since_ms)| *since_ms);
            now_watched.insert(key, (reached, since_ms));
            let mend = mend(mark, reached, now_ms.saturating_sub(since_ms));
            if mend != Mend::Wait && due.len() < MENDED_PER_SWEEP_MAX {
                due.push((room.clone(), part, mend));
            }
        }
        watched.0 = now_watched;
        let mending = stream::iter(due).for_each_concurrent(MENDED_AT_ONCE, |(room, part, mend)| async move {
            let mended = match mend {
                Mend::Note(up_to) => self.note(&room, part, up_to).await,
                Mend::Publish(up_to) => self.publish_lost(&room, part, up_to).await,
                Mend::Wait => Ok(()),
            };
            if let Err(refusal) = mended {
                let code = refusal.code.label();
                tracing::debug!(%room, part = part.label(), code, "a signal of a room's state was not mended");
            }
        });
        mending.await;
    }

    /// Publishes a part of the state whose signal is lost. All uplinks do so under one id, so that the room
    /// gets one signal.
    async fn publish_lost(&self, room: &RoomId, part: StatePart, up_to: u64) -> Result<(), Refusal> {
        let id = MessageId::parse(&format!("state-{}-{up_to}", part.label()))
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        let state = self.settings().state_part(room, part);
        let sequence = self.under(SignalId { id, fingerprint: up_to }).state(room, &state).await?;
        tracing::info!(%room, part = part.label(), %sequence, "published a signal that another process lost");
        self.note(room, part, up_to).await
    }

    async fn note(&self, room: &RoomId, part: StatePart, up_to: u64) -> Result<(), Refusal> {
        self.bus().change(Change::Signalled { room: room.clone(), part, up_to }).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_lost_when_the_mark_stands_still_and_noted_before() {
        let mark = SignalMark { changed: 12, signalled: 7 };
        assert_eq!(mend(mark, 12, 0), Mend::Note(12));
        assert_eq!(mend(mark, 7, LOST_AFTER_MS - 1), Mend::Wait);
        assert_eq!(mend(mark, 9, LOST_AFTER_MS - 1), Mend::Note(9));
        assert_eq!(mend(mark, 7, LOST_AFTER_MS), Mend::Publish(12));
        assert_eq!(
            mend(mark, 12, LOST_AFTER_MS),
            Mend::Note(12),
            "published by this process, and noted late"
        );
    }
}
