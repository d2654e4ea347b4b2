//! One round over the rungs of a ladder: from the best one that may work to one that is open.

use barrage_protocol::entry::{Endpoint, Transport};
use tokio::time::Instant;

use super::first::{self, Join};
use super::{entry, is_misunderstood};
use crate::error::ConnectError;
use crate::ladder::{FailureCause, Ladder, LadderAction, LadderEvent};
use crate::link::Link;

/// A copy of the session's ladder with the events of this round, which the session's ladder learns from
/// when the round is over. So a round can run beside an open connection.
pub(crate) struct Round {
    ladder: Ladder<Transport>,
    started: Instant,
    pub(crate) events: Vec<(u64, LadderEvent<Transport>)>,
}

impl Round {
    /// Begins a round from the state of `ladder`, whose times count from `started`.
    pub(crate) fn new(ladder: Ladder<Transport>, started: Instant) -> Self {
        Round { ladder, started, events: Vec::new() }
    }

    /// Opens a connection to one of the endpoints, of the best transport that the network passes.
    pub(super) async fn open(&mut self, join: &Join<'_>, all: &[Endpoint]) -> Result<Link, ConnectError> {
        let mut offered: Vec<_> = all.iter().map(|endpoint| endpoint.transport).collect();
        offered.dedup();
        let mut last = ConnectError::Failed("entry named no endpoint".into());
        let mut next = self.note(LadderEvent::Connect { offered });
        while let Some(rung) = next {
            let mut list = entry::of(all, rung);
            if rung == Transport::Ws {
                list = join.raced(list).await;
            }
            next = match first::of(join, &list).await {
                Ok(Some(link)) => {
                    self.note(LadderEvent::Opened { rung });
                    return Ok(link);
                }
                Ok(None) => self.note(LadderEvent::Failed { rung, cause: FailureCause::Blocked }),
                Err(error) => {
                    let cause = cause(&error);
                    last = error;
                    self.note(LadderEvent::Failed { rung, cause })
                }
            };
        }
        Err(last)
    }

    /// Takes an event and returns the rung to open next; `None` when the round is over.
    fn note(&mut self, event: LadderEvent<Transport>) -> Option<Transport> {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
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

/// Whether a server refused the connect, or the network stood in the way.
pub(super) fn cause(error: &ConnectError) -> FailureCause {
    match error {
        ConnectError::Refused(refusal) if !is_misunderstood(refusal.code) => FailureCause::Refused,
        ConnectError::Refused(_) | ConnectError::Timeout | ConnectError::Failed(_) => FailureCause::Blocked,
    }
}
