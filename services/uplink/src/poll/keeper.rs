//! The work of every second: results into pulses, ends of polls, and the deletion of single votes.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{PulseDraft, Settings};
use barrage_protocol::RoomId;
use barrage_protocol::poll::{Poll, PollCounts};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::control::PollControl;

/// Ticks after which the votes of all running polls are published, also unchanged ones: newcomers and
/// gateways that have just subscribed to the room need them.
const REPEAT_TICKS: u64 = 5;
/// Ticks between two looks for votes to delete.
const SWEEP_TICKS: u64 = 30;
/// Time from the end of a poll to the deletion of its single votes: its result is compared before.
const SWEEP_AFTER_MS: u64 = 60_000;
/// Votes that one transaction deletes.
const SWEEP_VOTES: usize = 5_000;

impl PollControl {
    /// Writes votes, publishes results every `period`, and closes polls at their end, until the shutdown.
    pub(crate) async fn run(&self, period: Duration, shutdown: CancellationToken) {
        tokio::join!(self.votes.run(self.store(), shutdown.clone()), self.keep(period, shutdown));
    }

    async fn keep(&self, period: Duration, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settings = self.parts.bus.settings();
        let mut running = running(&settings.borrow_and_update());
        for ticks in 0_u64.. {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => return,
            }
            if settings.has_changed().unwrap_or(false) {
                running = self::running(&settings.borrow_and_update());
            }
            let changed = self.votes.take_changed();
            for (room, poll) in &running {
                if poll.is_over(barrage_clock::unix_ms()) {
                    self.close_at_end(room, poll).await;
                } else if ticks.is_multiple_of(REPEAT_TICKS)
                    || changed.contains(&(room.clone(), poll.id.clone()))
                {
                    self.publish(room, poll).await;
                }
            }
            if ticks.is_multiple_of(SWEEP_TICKS) {
                self.sweep(&shutdown).await;
            }
        }
    }

    /// Publishes the votes so far. A poll that the store has lost is stored again.
    async fn publish(&self, room: &RoomId, poll: &Poll) {
        let found = match self.store().poll(room, &poll.id).await {
            Ok(None) => self.store().open_poll(room, poll).await.map(Some),
            found => found,
        };
        match found {
            Ok(Some(record)) => {
                let counts = PollCounts { id: poll.id.clone(), votes: record.votes };
                self.parts.bus.pulse(room, PulseDraft { poll: Some(counts), ..PulseDraft::default() });
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the votes of a poll cannot be read"),
        }
    }

    async fn close_at_end(&self, room: &RoomId, poll: &Poll) {
        match self.finish(room, &poll.id).await {
            Ok(Some(_)) => {}
            Ok(None) => self.publish(room, poll).await,
            Err(refusal) => {
                tracing::warn!(code = refusal.code.label(), "a poll was not closed at its end; trying again");
            }
        }
    }

    async fn sweep(&self, shutdown: &CancellationToken) {
        let before_ms = barrage_clock::unix_ms().saturating_sub(SWEEP_AFTER_MS);
        while !shutdown.is_cancelled() {
            match self.store().sweep_votes(before_ms, SWEEP_VOTES).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "votes of closed polls were not deleted");
                    return;
                }
            }
        }
    }
}

fn running(settings: &Arc<Settings>) -> Vec<(RoomId, Poll)> {
    let polls = settings
        .rooms
        .iter()
        .filter_map(|(room, found)| Some((room.clone(), found.poll.as_deref().cloned()?)));
    polls.collect()
}
