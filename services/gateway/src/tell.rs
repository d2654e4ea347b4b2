//! Telling a shard's viewers, one by one, to go elsewhere.

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::frame::{Reconnect, ServerFrame};
use rand::seq::SliceRandom;
use tokio::time::Instant;

use crate::audience::Audience;
use crate::drain::{Cause, Leaving};
use crate::shard::Shard;
use crate::viewer::Viewer;

/// How often those whose turn has come are told.
pub(crate) const TELL_EVERY: Duration = Duration::from_millis(100);
/// The least time that a viewer gets between being told and being closed.
pub(crate) const MOVE_MIN: Duration = Duration::from_secs(1);

/// A shard's part in sending viewers away.
pub(crate) struct Telling {
    leaving: Arc<Leaving>,
    /// Those not told yet, in random order.
    waiting: Vec<Weak<Viewer>>,
    all: usize,
}

impl Shard {
    /// Begins; whatever was under way is replaced.
    pub(crate) fn depart(&self, leaving: Arc<Leaving>) {
        let mut viewers = self.untold();
        // At random up or down, so that shards with few viewers give their share too.
        let chosen = viewers.len() as f64 * leaving.share + rand::random::<f64>();
        viewers.retain(|viewer| !leaving.spares(viewer.resumed_at.get()));
        viewers.shuffle(&mut rand::rng());
        viewers.truncate(if leaving.cause.is_drain() { usize::MAX } else { chosen as usize });
        let waiting: Vec<_> = viewers.iter().map(Rc::downgrade).collect();
        *self.telling.borrow_mut() = Some(Telling { leaving, all: waiting.len(), waiting });
    }

    /// Who was told already may go or stay.
    pub(crate) fn stay(&self) {
        *self.telling.borrow_mut() = None;
        for viewer in self.rooms.borrow().values().flat_map(Audience::iter) {
            viewer.leave_by.set(None);
        }
    }

    /// Tells those whose turn has come.
    pub(crate) fn tell(&self) {
        let mut telling = self.telling.borrow_mut();
        let Some(Telling { leaving, waiting, all }) = telling.as_mut() else { return };
        let elapsed = leaving.begun.elapsed();
        let left = *all - leaving.span.told_by(elapsed, *all);
        while waiting.len() > left {
            if let Some(viewer) = waiting.pop().and_then(|viewer| viewer.upgrade()) {
                self.send_away(&viewer, leaving);
            }
        }
        if elapsed < leaving.span.telling {
            return;
        }
        if leaving.cause.is_drain() {
            // Those who were on their way in when it began.
            for viewer in self.untold() {
                self.send_away(&viewer, leaving);
            }
        } else {
            *telling = None;
        }
    }

    fn untold(&self) -> Vec<Rc<Viewer>> {
        let rooms = self.rooms.borrow();
        rooms
            .values()
            .flat_map(Audience::iter)
            .filter(|viewer| viewer.leave_by.get().is_none())
            .cloned()
            .collect()
    }

    fn send_away(&self, viewer: &Viewer, leaving: &Leaving) {
        let now = Instant::now();
        let left = leaving.ends_at().saturating_duration_since(now).max(MOVE_MIN);
        viewer.leave_by.set(Some(now + left));
        let endpoints = viewer.room.borrow().as_ref().map(|room| leaving.endpoints(&room.id));
        viewer.send(&ServerFrame::Reconnect(frame(leaving.cause, left, endpoints.unwrap_or_default())));
        self.shared.metrics.moved(leaving.cause);
    }
}

/// The frame that sends a viewer away; within a slice, each has a time of its own.
pub(crate) fn frame(
    cause: Cause,
    left: Duration,
    endpoints: Vec<barrage_protocol::entry::Endpoint>,
) -> Reconnect {
    let message = match cause {
        Cause::Shutdown | Cause::Drain => {
            "this gateway is leaving; open a connection elsewhere, then close this one"
        }
        Cause::GiveBack => {
            "this gateway has too much to do; open a connection elsewhere, then close this one"
        }
    };
    let slice_ms = u64::try_from(TELL_EVERY.as_millis()).unwrap_or(u64::MAX);
    Reconnect {
        after_ms: rand::random_range(0..slice_ms),
        deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        endpoints,
        message: message.into(),
    }
}
