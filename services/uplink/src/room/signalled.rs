//! Signals of the room's state that a process did not publish: those of changes whose uplink was killed
//! in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Change, Changed, SignalMark, StatePart};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MessageId, RoomId};
use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::control::{RoomControl, SignalId};

/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Age of a change in milliseconds at which its signal counts as lost. An uplink that lives publishes it
/// within milliseconds, and notes it within a sweep. One that is slower makes the signal come twice, which
/// changes nothing: states merge by version.
const LOST_AFTER_MS: u64 = 3_000;
/// Lost signals that one sweep publishes at most; the next sweep comes a second later.
const LOST_PER_SWEEP_MAX: usize = 200;
/// Published signals that one part of a room remembers. Beyond, the newest is forgotten, and comes again
/// as a lost one.
const STEPS_MAX: usize = 256;

/// Versions before and after a change.
type Step = (u64, u64);

/// Signals that this process has published, until the settings have them noted.
///
/// Each is a step from the version before its change to the one after. Steps are noted in one piece from
/// the mark on: a gap is a change of another process, whose signal may be missing.
#[derive(Debug, Default)]
pub(crate) struct Signalled(Mutex<HashMap<(RoomId, StatePart), Vec<Step>>>);

impl Signalled {
    /// Remembers that the signal of a change was published.
    pub(super) fn published(&self, room: &RoomId, changed: &Changed) {
        let Some((part, before, after)) = changed.signal_step() else { return };
        let mut steps = self.0.lock();
        let steps = steps.entry((room.clone(), part)).or_default();
        if steps.len() < STEPS_MAX {
            steps.push((before, after));
        }
    }

    /// Returns the version up to which the steps lead from a mark, and forgets those that it covers.
    fn reached(&self, room: &RoomId, part: StatePart, mark: SignalMark) -> u64 {
        let mut all = self.0.lock();
        let key = (room.clone(), part);
        let Some(steps) = all.get_mut(&key) else { return mark.signalled };
        let mut reached = mark.signalled;
        while let Some((_, after)) =
            steps.iter().find(|(before, after)| *before <= reached && *after > reached)
        {
            reached = *after;
        }
        // Those up to the mark are noted. The others stay until the note is stored.
        steps.retain(|(_, after)| *after > mark.signalled);
        if steps.is_empty() {
            all.remove(&key);
        }
        reached
    }
}

/// Next step for a part of a room's state whose mark is behind.
#[derive(Debug, PartialEq, Eq)]
enum Mend {
    /// The signals up to this version are published: note it.
    Note(u64),
    /// The signal of a change is lost: publish the state, and note the version.
    Publish(u64),
    /// The change is too young to be lost.
    Wait,
}

fn mend(mark: SignalMark, reached: u64, now_ms: u64) -> Mend {
    if reached >= mark.changed {
        Mend::Note(mark.changed)
    } else if mark.changed.saturating_add(LOST_AFTER_MS) <= now_ms {
        Mend::Publish(mark.changed)
    } else if reached > mark.signalled {
        Mend::Note(reached)
    } else {
        Mend::Wait
    }
}

impl RoomControl {
    /// Notes published signals and publishes lost ones, until the shutdown.
    pub(crate) async fn run_signals(&self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.mend_signals(barrage_clock::unix_ms()).await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Removes super chats that are over, and looks at each part of a room's state whose mark is behind. A failure is logged, and the next sweep
    /// tries again.
    pub(crate) async fn mend_signals(&self, now_ms: u64) {
        if let Err(refusal) = self.expire_super_chats(now_ms).await {
            tracing::debug!(code = refusal.code.label(), "super chats that are over were not removed");
        }
        let settings = self.settings();
        let behind = settings.behind().map(|(room, part, mark)| {
            let reached = self.signalled().reached(room, part, mark);
            (room, part, mend(mark, reached, now_ms))
        });
        let due: Vec<_> =
            behind.filter(|(_, _, mend)| *mend != Mend::Wait).take(LOST_PER_SWEEP_MAX).collect();
        for (room, part, mend) in due {
            let mended = match mend {
                Mend::Note(up_to) => self.note(room, part, up_to).await,
                Mend::Publish(up_to) => self.publish_lost(room, part, up_to).await,
                Mend::Wait => Ok(()),
            };
            if let Err(refusal) = mended {
                tracing::debug!(code = refusal.code.label(), "a signal of a room's state was not mended");
                return;
            }
        }
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

/// Makes the memory that all controls of a process share.
pub(super) fn memory() -> Arc<Signalled> {
    Arc::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    #[test]
    fn steps_lead_from_the_mark_up_to_the_first_gap() {
        let (memory, room): (_, RoomId) = (Signalled::default(), "r".parse().unwrap());
        let key = (room.clone(), StatePart::Settings);
        memory.0.lock().insert(key.clone(), vec![(5, 9), (0, 3), (3, 5), (12, 14)]);
        let mark = |signalled| SignalMark { changed: 14, signalled };
        let reached = |signalled| memory.reached(&room, StatePart::Settings, mark(signalled));
        assert_eq!((reached(0), reached(3), reached(9)), (9, 9, 9), "the step from 9 to 12 is another's");
        assert_eq!(memory.0.lock()[&key], [(12, 14)]);
        assert_eq!((reached(12), reached(14)), (14, 14));
        assert!(memory.0.lock().is_empty());
    }

    #[test]
    fn a_signal_is_lost_after_a_time_and_noted_before() {
        let mark = SignalMark { changed: NOW_MS, signalled: 7 };
        assert_eq!(mend(mark, NOW_MS, NOW_MS), Mend::Note(NOW_MS));
        assert_eq!(mend(mark, 7, NOW_MS + LOST_AFTER_MS - 1), Mend::Wait);
        assert_eq!(mend(mark, 9, NOW_MS + LOST_AFTER_MS - 1), Mend::Note(9));
        assert_eq!(mend(mark, 7, NOW_MS + LOST_AFTER_MS), Mend::Publish(NOW_MS));
    }
}
