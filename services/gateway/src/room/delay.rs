use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Hidden, Settings};
use barrage_protocol::action::RoomRole;
use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use barrage_token::Role;
use parking_lot::Mutex;
use serde::Deserialize;

/// Hiding signals that a room with a delay remembers, for repairs. Beyond, the oldest is forgotten: a
/// repair behind it may return the hidden message, with its signal.
const HIDES_MAX: usize = 256;

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

/// A signal that hides messages before its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hide {
    at: Sequence,
    what: Hidden,
}

impl Hide {
    /// Reads a hiding signal; `None` for every other message.
    pub(crate) fn of(message: &Message) -> Option<Hide> {
        #[derive(Deserialize)]
        #[serde(tag = "signal", rename_all = "snake_case")]
        enum Signal {
            Recall { sequence: Sequence },
            Purge { user: UserId },
            Clear {},
        }
        if message.class != Class::Signal {
            return None;
        }
        let what = match serde_json::from_slice(&message.body).ok()? {
            Signal::Recall { sequence } => Hidden::Message(sequence),
            Signal::Purge { user } => Hidden::User(user),
            Signal::Clear {} => Hidden::All,
        };
        Some(Hide { at: message.sequence, what })
    }

    /// Whether the signal hides this message. Signals are hidden by a recall alone.
    fn hides(&self, message: &Message) -> bool {
        message.sequence < self.at
            && match &self.what {
                Hidden::Message(sequence) => message.sequence == *sequence,
                Hidden::User(user) => message.class != Class::Signal && message.sender.as_ref() == Some(user),
                Hidden::All => message.class != Class::Signal,
            }
    }
}

/// The newest hiding signals of a room, which may be ahead of the position of its viewers.
#[derive(Debug, Default)]
pub(crate) struct Hides(Mutex<VecDeque<Hide>>);

impl Hides {
    pub(crate) fn add(&self, hide: Hide) {
        let mut hides = self.0.lock();
        if hides.len() >= HIDES_MAX {
            hides.pop_front();
        }
        hides.push_back(hide);
    }

    /// Removes the messages that one of the signals hides.
    pub(crate) fn filter(&self, messages: &mut Vec<Arc<Message>>) {
        let hides = self.0.lock();
        if !hides.is_empty() {
            messages.retain(|message| !hides.iter().any(|hide| hide.hides(message)));
        }
    }
}

/// Messages of a room that its viewers get later, in the order of the chain; pure.
///
/// Bounded by what the bus delivers within the delay, 10 s at most.
#[derive(Debug, Default)]
pub(crate) struct DelayQueue {
    waiting: VecDeque<Arc<Message>>,
}

impl DelayQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Position of the newest message that waits.
    pub(crate) fn position(&self) -> Option<Sequence> {
        self.waiting.back().map(|message| message.sequence)
    }

    pub(crate) fn push(&mut self, message: Arc<Message>) {
        self.waiting.push_back(message);
    }

    /// Time until the next message is due, by Unix time.
    pub(crate) fn due_in(&self, delay_ms: u64, now_ms: u64) -> Option<Duration> {
        let at_ms = self.waiting.front()?.at_ms;
        Some(Duration::from_millis(at_ms.saturating_add(delay_ms).saturating_sub(now_ms)))
    }

    /// Takes the next message when its time has come.
    pub(crate) fn pop_due(&mut self, delay_ms: u64, now_ms: u64) -> Option<Arc<Message>> {
        self.due_in(delay_ms, now_ms)?.is_zero().then(|| self.waiting.pop_front()).flatten()
    }
}

#[cfg(test)]
mod tests;
