//! When a viewer behind an event stream is sent elsewhere: each draws a moment of its
//! own, for no shard knows it.

use std::sync::Arc;

use barrage_protocol::RoomId;
use barrage_protocol::frame::Reconnect;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::drain::Leaving;
use crate::tell;

/// What is to come for one viewer.
pub(crate) struct Farewell {
    changes: watch::Receiver<Option<Arc<Leaving>>>,
    next: Option<(Instant, Arc<Leaving>)>,
    is_told: bool,
    /// When it came with a place in the chain; none if it is new.
    resumed_at: Option<Instant>,
}

/// What has become due.
pub(crate) enum Due {
    /// Tell it, for this reason.
    Tell(Arc<Leaving>, Box<Reconnect>),
    /// Close it.
    Close,
}

impl Farewell {
    /// Nothing yet; who came while a share is given back is not part of it.
    pub(crate) fn new(changes: watch::Receiver<Option<Arc<Leaving>>>, resumed_at: Option<Instant>) -> Self {
        Farewell { changes, next: None, is_told: false, resumed_at }
    }

    /// Waits for the next thing to do. Cancel-safe.
    pub(crate) async fn due(&mut self, room: &RoomId) -> Due {
        loop {
            let at = self.next.as_ref().map(|(at, _)| *at);
            tokio::select! {
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.changed(),
                    // The gateway's own end is near, and closes the stream.
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {
                    let Some((_, leaving)) = self.next.take() else { continue };
                    if self.is_told {
                        return Due::Close;
                    }
                    return self.tell(leaving, room);
                }
            }
        }
    }

    fn tell(&mut self, leaving: Arc<Leaving>, room: &RoomId) -> Due {
        self.is_told = true;
        let now = Instant::now();
        let left = leaving.ends_at().saturating_duration_since(now).max(tell::MOVE_MIN);
        self.next = Some((now + left, Arc::clone(&leaving)));
        let frame = tell::frame(leaving.cause, left, leaving.endpoints(room));
        Due::Tell(leaving, Box::new(frame))
    }

    fn changed(&mut self) {
        let leaving = self.changes.borrow_and_update().clone();
        match leaving {
            None => (self.next, self.is_told) = (None, false),
            Some(leaving) if self.is_told || leaving.spares(self.resumed_at) => {}
            Some(leaving) if rand::random::<f64>() < leaving.share => {
                let at = leaving.begun + leaving.span.telling.mul_f64(rand::random());
                self.next = Some((at, leaving));
            }
            Some(_) => {}
        }
    }
}
