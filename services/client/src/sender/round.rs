//! One round of a post over the ways to an uplink: ordinary requests, then the tunnel.

use parking_lot::Mutex;
use tokio::time::Instant;

use super::UplinkTransport;
use crate::ladder::{EndCause, FailureCause, Ladder, LadderAction, LadderEvent, LadderLimits};

/// Ladder of the uplink, shared by the posts of one sender.
#[derive(Debug)]
pub(super) struct SharedLadder {
    ladder: Mutex<Ladder<UplinkTransport>>,
    started: Instant,
}

impl SharedLadder {
    pub(super) fn new(config: LadderLimits) -> Self {
        let ladder = Ladder::new(vec![UplinkTransport::Http, UplinkTransport::Tunnel], config);
        SharedLadder { ladder: Mutex::new(ladder), started: Instant::now() }
    }

    /// Returns the way of the last answered post; `None` before the first.
    pub(super) fn carrying(&self) -> Option<UplinkTransport> {
        self.ladder.lock().carrying()
    }
}

/// Round of one post over the rungs, on a copy of the ladder. Posts are sent at the same time, so the shared
/// ladder learns from a whole round at its end.
pub(super) struct Round<'a> {
    shared: &'a SharedLadder,
    ladder: Ladder<UplinkTransport>,
    events: Vec<(u64, LadderEvent<UplinkTransport>)>,
}

impl<'a> Round<'a> {
    pub(super) fn begin(shared: &'a SharedLadder) -> Self {
        Round { shared, ladder: shared.ladder.lock().clone(), events: Vec::new() }
    }

    pub(super) fn connect(&mut self) -> Option<UplinkTransport> {
        self.note(LadderEvent::Connect { offered: vec![UplinkTransport::Http, UplinkTransport::Tunnel] })
    }

    /// Takes a blockage and returns the next rung; `None` after the last.
    pub(super) fn blocked(&mut self, rung: UplinkTransport) -> Option<UplinkTransport> {
        if self.ladder.carrying() == Some(rung) {
            // No connection shows that the network passes this rung meanwhile.
            self.note(LadderEvent::Ended { cause: EndCause::Closed });
        }
        self.note(LadderEvent::Failed { rung, cause: FailureCause::Blocked })
    }

    /// Ends the round with an answer of a server, and teaches the shared ladder.
    pub(super) fn end(mut self, answered: LadderEvent<UplinkTransport>) {
        self.note(answered);
        let mut ladder = self.shared.ladder.lock();
        for (at_ms, event) in self.events {
            ladder.step(at_ms, rand::random(), event);
        }
    }

    fn note(&mut self, event: LadderEvent<UplinkTransport>) -> Option<UplinkTransport> {
        let at_ms = u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.push((at_ms, event.clone()));
        self.ladder.step(at_ms, rand::random(), event).into_iter().find_map(|action| match action {
            LadderAction::Open { rung } => Some(rung),
            LadderAction::Probe { .. }
            | LadderAction::Use { .. }
            | LadderAction::Abandon { .. }
            | LadderAction::GiveUp => None,
        })
    }
}
