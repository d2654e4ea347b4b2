//! Drain of one event stream. No shard owns event streams, so each draws its own moment.

use std::sync::Arc;

use barrage_protocol::RoomId;
use barrage_protocol::frame::Reconnect;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::drain::{Drain, reconnect_frame, time_left};

/// Follows the drain in force for one event stream.
pub(super) struct SseDrain {
    changes: watch::Receiver<Option<Arc<Drain>>>,
    /// Moment of the next step, if the drain concerns this stream.
    next: Option<(Instant, Arc<Drain>)>,
    is_notified: bool,
    /// Moment at which the viewer joined with a position; `None` for a new viewer.
    resumed_at: Option<Instant>,
}

/// Step of a drain that has become due.
pub(super) enum Step {
    /// Send the viewer this frame, on behalf of this drain.
    Notify(Arc<Drain>, Box<Reconnect>),
    /// Close the stream: the viewer has not moved in time.
    Close,
}

impl SseDrain {
    /// A share that is given back when the stream begins does not concern the stream.
    pub(super) fn new(changes: watch::Receiver<Option<Arc<Drain>>>, resumed_at: Option<Instant>) -> Self {
        SseDrain { changes, next: None, is_notified: false, resumed_at }
    }

    /// Waits for the drain's next step, for ever without a drain. A stream without a room is of the inbox. Cancel-safe.
    pub(super) async fn next(&mut self, room: Option<&RoomId>) -> Step {
        loop {
            let at = self.next.as_ref().map(|(at, _)| *at);
            tokio::select! {
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.update(),
                    // The end of the gateway is near and closes the stream.
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {
                    let Some((_, drain)) = self.next.take() else { continue };
                    if self.is_notified {
                        return Step::Close;
                    }
                    return self.notify(drain, room);
                }
            }
        }
    }

    fn notify(&mut self, drain: Arc<Drain>, room: Option<&RoomId>) -> Step {
        self.is_notified = true;
        let now = Instant::now();
        let left = time_left(drain.ends_at().saturating_duration_since(now));
        self.next = Some((now + left, Arc::clone(&drain)));
        let frame = reconnect_frame(drain.cause, left, drain.targets.draw(room));
        Step::Notify(drain, Box::new(frame))
    }

    fn update(&mut self) {
        let drain = self.changes.borrow_and_update().clone();
        match drain {
            None => (self.next, self.is_notified) = (None, false),
            Some(drain) if self.is_notified || drain.exempts(self.resumed_at) => {}
            Some(drain) if rand::random::<f64>() < drain.share => {
                let at = drain.started_at + drain.schedule.notify_for.mul_f64(rand::random());
                self.next = Some((at, drain));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::drain::{Cause, DrainSchedule, Drains, Targets};

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_notified_within_the_schedule_and_closed_at_the_deadline() {
        let drains = Drains::none();
        let mut stream = SseDrain::new(drains.subscribe(), None);
        let schedule = DrainSchedule { notify_for: Duration::from_secs(5), deadline: Duration::from_secs(9) };
        let (started_at, targets) = (Instant::now(), Targets::default());
        drains.set(Some(Arc::new(Drain { cause: Cause::Drain, share: 1.0, schedule, started_at, targets })));
        let room = "demo".parse().unwrap();
        assert!(matches!(stream.next(Some(&room)).await, Step::Notify(..)));
        assert!(started_at.elapsed() <= Duration::from_secs(5));
        assert!(matches!(stream.next(Some(&room)).await, Step::Close));
        assert_eq!(started_at.elapsed().as_secs(), 9);
    }
}
