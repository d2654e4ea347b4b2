//! The user of an event stream: its count of connections, and its mail.

use std::sync::Arc;

use barrage_bus::UserHash;
use barrage_protocol::UserId;

use crate::context::Context;
use crate::dispatch::{Connection, Listening};
use crate::mail::Slot;

/// User of an event stream, until the stream ends. The stream counts among the user's connections, and is rung for
/// its mail once it is attached.
pub(super) struct StreamUser {
    context: Arc<Context>,
    user: UserId,
    listener: u64,
    is_attached: bool,
}

impl StreamUser {
    pub(super) fn new(context: &Arc<Context>, user: UserId, listening: &Listening) -> Self {
        let (context, listener) = (Arc::clone(context), listening.id);
        let max = context.config.user_connections_max;
        context.dispatch.add_connection(&user, Connection::Listener(listener), max);
        StreamUser { context, user, listener, is_attached: false }
    }

    /// Attaches the stream to its user's mail, of which it gets bells.
    pub(super) fn attach(&mut self, listening: &Listening) {
        let user = UserHash::of(&self.user);
        listening.attach(user);
        self.context.metrics.attached.inc();
        let now = std::time::Duration::from_millis(barrage_clock::steady_ms());
        self.context.attached.add(user, Slot::Listener(self.listener), now);
        self.is_attached = true;
    }
}

impl Drop for StreamUser {
    fn drop(&mut self) {
        self.context.dispatch.remove_connection(&self.user, Connection::Listener(self.listener));
        if self.is_attached {
            self.context.metrics.attached.dec();
            self.context.attached.remove(&UserHash::of(&self.user), Slot::Listener(self.listener));
        }
    }
}
