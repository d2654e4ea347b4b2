use std::sync::Arc;
use std::time::Duration;

use barrage_clock::steady_ms;
use barrage_protocol::{Class, Message, Sequence};

use super::hub::Hub;
use crate::room::{DelayQueue, Hide, View, delay_ms};

/// The part of a hub that shows messages later, in a room with a moderation delay.
impl Hub {
    /// Position in the chain after the messages that the hub has, those included that viewers get later.
    pub(super) fn taken_to(&self) -> Sequence {
        self.delayed.position().unwrap_or_else(|| self.batcher.position())
    }

    /// Takes the next message of the chain: at once, or for later in a room with a delay.
    pub(super) fn take_message(&mut self, message: Arc<Message>) {
        if message.sequence <= self.taken_to() {
            return;
        }
        if self.delayed.is_empty() && !self.room.is_delayed() {
            return self.push(message);
        }
        if let Some(hide) = Hide::of(&message) {
            self.delayed.hide(&hide);
            self.room.hides.add(hide);
            // Messages that viewers see already disappear at once. The signal comes again at its place.
            self.books.took(message.class);
            self.batcher.push_ahead(Arc::clone(&message), self.started.elapsed());
        }
        let sequence = message.sequence;
        // A signal may quote a message that was hidden while the signal was on its way.
        let shown =
            if message.class == Class::Signal { self.room.hides.left_of(message) } else { Some(message) };
        self.delayed.push(sequence, shown, 0, steady_ms());
        self.release_delayed();
    }

    /// Gives viewers the delayed messages whose time has come, but for those that were hidden meanwhile, and
    /// as long as the batch takes more: the many that wait at the end of a delay become many batches.
    pub(super) fn release_delayed(&mut self) {
        let delay_ms = self.room.delay_ms();
        while !self.batcher.is_full()
            && let Some(due) = self.delayed.pop_due(delay_ms, steady_ms())
        {
            match due.message {
                Some(message) => self.push(message),
                None => self.batcher.pass(due.sequence, self.started.elapsed()),
            }
        }
    }

    /// Time until the next delayed message is due; `None` without any, and while a full batch goes first.
    pub(super) fn delayed_in(&self) -> Option<Duration> {
        if self.delayed.is_empty() || self.batcher.is_full() {
            return None;
        }
        self.delayed.due_in(self.room.delay_ms(), steady_ms())
    }

    /// Delay of the room in milliseconds, by the settings of this moment. Moderators have none.
    pub(super) fn delay_ms(&self) -> u64 {
        match self.room.key.view {
            View::Everyone => delay_ms(&self.context.bus.settings().borrow(), &self.room.id),
            View::Staff => 0,
        }
    }

    /// Starts at an earlier position with messages that are not due yet.
    pub(super) fn resume_delayed(&mut self, waiting: DelayQueue) {
        self.delayed = waiting;
    }
}
