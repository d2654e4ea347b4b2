use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::Settings;
use barrage_protocol::action::RoomRole;
use barrage_protocol::{Message, RoomId, Sequence, UserId};
use barrage_token::Role;

use super::hide::{Hide, left_of};

/// Part of a room's viewers with a chain position of its own on a gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// All viewers of a room without a delay; with one, those that get it later.
    #[default]
    Everyone,
    /// Moderators and above of a room with a delay, who get it at once.
    Staff,
}

impl View {
    /// The views of viewers and of moderators.
    pub(crate) const ALL: [View; 2] = [View::Everyone, View::Staff];

    /// Returns the view of a user with this role in the token.
    pub(crate) fn of(settings: &Settings, room: &RoomId, user: Option<&UserId>, role: Role) -> View {
        if delay_ms(settings, room) == 0 {
            return View::Everyone;
        }
        let given = user.zip(settings.roles.get(room)).map(|(user, roles)| roles.given(user));
        let is_staff = role >= Role::Moderator || given.is_some_and(|given| given >= RoomRole::Moderator);
        if is_staff { View::Staff } else { View::Everyone }
    }
}

/// Returns the delay of a room in milliseconds; 0 for none.
pub(crate) fn delay_ms(settings: &Settings, room: &RoomId) -> u64 {
    settings.rooms.get(room).map_or(0, |room| u64::from(room.moderation_delay_secs) * 1_000)
}

/// A message that waits, or the place of one that was hidden meanwhile.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) sequence: Sequence,
    /// `None` once a signal has hidden it.
    pub(crate) message: Option<Arc<Message>>,
    /// Steady time of the arrival in milliseconds.
    arrived_ms: u64,
    /// Age at the arrival in milliseconds: part of the delay was over.
    age_ms: u64,
}

/// Messages of a room that its viewers get later, in the order of the chain; pure.
///
/// The delay counts by the steady clock of this process from the arrival on, so that no clock of another
/// machine shows a message early or holds up those behind it. Bounded by what the bus delivers within the
/// delay, 10 s at most.
#[derive(Debug, Default)]
pub(crate) struct DelayQueue {
    waiting: VecDeque<Waiting>,
}

impl DelayQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Position of the newest message that waits.
    pub(crate) fn position(&self) -> Option<Sequence> {
        self.waiting.back().map(|waiting| waiting.sequence)
    }

    /// Adds the next message of the chain, of an age in milliseconds, or the place of a hidden one.
    pub(crate) fn push(
        &mut self,
        sequence: Sequence,
        message: Option<Arc<Message>>,
        age_ms: u64,
        now_ms: u64,
    ) {
        self.waiting.push_back(Waiting { sequence, message, arrived_ms: now_ms, age_ms });
    }

    /// Removes what a signal hides. Its place stays, so that the chain has no gap.
    pub(crate) fn hide(&mut self, hide: &Hide) {
        for waiting in &mut self.waiting {
            waiting.message =
                waiting.message.take().and_then(|message| left_of(&std::iter::once(hide), message));
        }
    }

    /// Time until the next message is due, by steady time.
    pub(crate) fn due_in(&self, delay_ms: u64, now_ms: u64) -> Option<Duration> {
        let next = self.waiting.front()?;
        let waited_ms = now_ms.saturating_sub(next.arrived_ms).saturating_add(next.age_ms);
        Some(Duration::from_millis(delay_ms.saturating_sub(waited_ms)))
    }

    /// Takes the next message when its time has come.
    pub(crate) fn pop_due(&mut self, delay_ms: u64, now_ms: u64) -> Option<Waiting> {
        self.due_in(delay_ms, now_ms)?.is_zero().then(|| self.waiting.pop_front()).flatten()
    }
}

#[cfg(test)]
mod tests;
