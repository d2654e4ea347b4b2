use std::sync::Arc;
use std::time::Duration;

use barrage_clock::unix_ms;
use barrage_protocol::{Message, Sequence};

use super::hub::Hub;
use crate::room::{Hide, View, delay_ms};

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
            self.room.hides.add(hide);
            // Messages that viewers see already disappear at once. The signal comes again at its place.
            self.books.took(message.class);
            self.batcher.push_ahead(Arc::clone(&message), self.started.elapsed());
        }
        self.delayed.push(message);
        self.release_delayed();
    }

    /// Gives viewers the delayed messages whose time has come, but for those that were hidden meanwhile.
    pub(super) fn release_delayed(&mut self) {
        let delay_ms = self.delay_ms();
        while let Some(message) = self.delayed.pop_due(delay_ms, unix_ms()) {
            let mut shown = vec![Arc::clone(&message)];
            self.room.hides.filter(&mut shown);
            if shown.is_empty() {
                self.batcher.pass(message.sequence, self.started.elapsed());
            } else {
                self.push(message);
            }
        }
    }

    /// Time until the next delayed message is due; `None` without any.
    pub(super) fn delayed_in(&self) -> Option<Duration> {
        if self.delayed.is_empty() { None } else { self.delayed.due_in(self.delay_ms(), unix_ms()) }
    }

    /// Delay of the room in milliseconds, by the settings of this moment. Moderators have none.
    pub(super) fn delay_ms(&self) -> u64 {
        match self.room.key.view {
            View::Everyone => delay_ms(&self.context.bus.settings().borrow(), &self.room.id),
            View::Staff => 0,
        }
    }

    /// Starts at an earlier position with messages that are not due yet.
    pub(super) fn resume_delayed(&mut self, waiting: Vec<Arc<Message>>) {
        waiting.into_iter().for_each(|message| self.delayed.push(message));
    }
}
