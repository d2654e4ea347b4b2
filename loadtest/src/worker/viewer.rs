//! One viewer's stay: it comes, watches, is lost and comes back, and leaves in its time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::code::{Advice, Code};
use rand::RngExt;
use tokio::time::Instant;

use super::connect::{self, Connection, Failure, Route, Wish};
use super::source::Pace;
use super::thread::Thread;
use super::track::{Lateness, Track};
use super::watch::{End, Watch};
use crate::clock::Moment;
use crate::interval::tally;
use crate::ledger::mix;
use crate::population::Stay;

/// Who moved so lately should not have to again.
const MOVED_LATELY: Duration = Duration::from_secs(5 * 60);
/// Exponent at which the backoff stops growing, whatever its ceiling.
const DOUBLINGS_MAX: u32 = 16;

/// A viewer between its arrival and its leaving.
pub(crate) struct Viewer {
    pub(crate) thread: Rc<Thread>,
    pub(crate) number: u32,
    pub(crate) room: usize,
    pub(crate) pace: Pace,
    pub(crate) track: Track,
    /// How it comes to its next hello.
    pub(crate) coming: Coming,
    /// Whether the resume brings what we ourselves kept from coming.
    pub(crate) resume: Lateness,
    /// When it leaves, or the run ends.
    pub(crate) leave: Instant,
    /// What the next latency of a connect counts from.
    pub(crate) since: Moment,
    /// When it moved to another gateway last.
    moved_at: Cell<Option<Moment>>,
    /// Whether its connection has had its hello.
    pub(crate) is_connected: bool,
}

/// How a viewer comes to a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coming {
    /// For the first time.
    New,
    /// After its connection was lost.
    Back,
    /// From a connection that served until now.
    Moved,
}

/// Lives one stay and leaves its record.
pub(crate) async fn live(thread: Rc<Thread>, stay: Stay) {
    let leave_secs = stay.leave_secs.unwrap_or(thread.end_secs());
    let mut viewer = Viewer {
        number: stay.viewer,
        room: thread.popularity.room_of(stay.viewer),
        pace: pace(&thread, stay.viewer),
        track: Track::default(),
        coming: Coming::New,
        resume: Lateness::Measured,
        moved_at: Cell::default(),
        is_connected: false,
        leave: thread.plan.start.after(leave_secs).instant(),
        since: thread.plan.start.after(stay.join_secs),
        thread,
    };
    let thread = Rc::clone(&viewer.thread);
    let connected_at_end = tokio::select! {
        connected = viewer.run() => connected,
        () = thread.told_to_leave() => {
            // One that was still on its way to its first hello had no time to arrive.
            if viewer.coming == Coming::New {
                return;
            }
            viewer.is_connected
        }
    };
    let mut record = viewer.track.record;
    record.room = viewer.room as u32;
    record.lost = !connected_at_end;
    // What a slow reader has not read yet is not lost.
    record.stayed = connected_at_end && stay.leave_secs.is_none() && viewer.pace == Pace::Full;
    viewer.thread.records.borrow_mut().push(record);
}

fn pace(thread: &Thread, viewer: u32) -> Pace {
    let share = thread.plan.scenario.slow.share;
    if chance(u64::from(viewer) ^ 0x510e) < share { Pace::Slow } else { Pace::Full }
}

/// A number from 0 to 1 that is always the same for the same thing.
pub(crate) fn chance(of: u64) -> f64 {
    (mix(of) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Viewer {
    /// Whether it was connected when it left.
    async fn run(&mut self) -> bool {
        let mut route = Route::default();
        let (mut attempt, mut successor) = (0, None);
        loop {
            let connected = match successor.take() {
                Some(connection) => Ok(connection),
                None if Instant::now() >= self.leave => return false,
                None => self.connect(&mut route).await,
            };
            match connected {
                Ok(connection) => {
                    let ended = Watch::new(self, connection).run().await;
                    if ended.had_hello {
                        attempt = 0;
                    }
                    match self.ended(ended.end, ended.successor, &route, attempt).await {
                        Next::Done { connected } => return connected,
                        Next::Again => {}
                        Next::Take(connection) => successor = Some(connection),
                    }
                }
                Err(failure) if failure.advice == Advice::Never => return false,
                Err(failure) => self.back_off(&route, attempt, failure.retry_after).await,
            }
            attempt += 1;
        }
    }

    /// By way of entry, in its turn. A ticket that is early by the gateway's clock is shown
    /// once more: it keeps its place.
    async fn connect(&mut self, route: &mut Route) -> Result<Connection, Failure> {
        let asked = connect::ask(&self.thread, self.room).await;
        *route = asked.inspect_err(|failure| self.refused(&failure.reason))?.into();
        if let Some(ticket) = &route.ticket {
            self.thread.interval.borrow_mut().tickets += 1;
            self.wait(Duration::from_millis(ticket.wait_ms)).await;
            if Instant::now() >= self.leave {
                self.refused("left before its ticket's moment");
                return Err(Failure::network("left"));
            }
        }
        match connect::first_of(&self.thread, route, self.wish()).await {
            Err(early) if early.code == Some(Code::TooEarly) => {
                self.wait(early.retry_after).await;
                connect::first_of(&self.thread, route, self.wish()).await
            }
            connected => connected,
        }
    }

    /// It is at another gateway; whether the last time is less than five minutes ago.
    pub(crate) fn has_moved(&self, now: Moment) -> bool {
        let before = self.moved_at.replace(Some(now));
        before.is_some_and(|before| now.since(before) < MOVED_LATELY)
    }

    /// What it asks of a gateway now.
    pub(crate) fn wish(&self) -> Wish {
        let after = (self.coming != Coming::New).then_some(self.track.record.last);
        Wish { viewer: self.number, room: self.room, pace: self.pace, after }
    }

    fn refused(&self, reason: &str) {
        tally(&mut self.thread.interval.borrow_mut().refusals, reason, 1);
    }

    async fn ended(&mut self, end: End, successor: Option<Connection>, route: &Route, attempt: u32) -> Next {
        if self.coming != Coming::New {
            self.since = Moment::now();
            self.coming = Coming::Back;
        }
        self.track.reconnected();
        self.resume = Lateness::Measured;
        match end {
            End::Left => return Next::Done { connected: true },
            End::Cut => {
                self.resume = Lateness::Ours;
                self.back_off(route, 0, Duration::ZERO).await;
            }
            End::Moved => self.coming = Coming::Moved,
            End::Closed { reason, advice, retry_after } => {
                tally(&mut self.thread.interval.borrow_mut().closes, &reason, 1);
                match advice {
                    _ if successor.is_some() => {}
                    Advice::Never => return Next::Done { connected: false },
                    Advice::Now => {}
                    Advice::Backoff | Advice::Named => self.back_off(route, attempt, retry_after).await,
                }
            }
        }
        successor.map_or(Next::Again, Next::Take)
    }

    /// Full jitter, as the protocol asks of clients; never beyond the time to leave.
    async fn back_off(&self, route: &Route, attempt: u32, at_least: Duration) {
        let ceiling = route.backoff_base.saturating_mul(1 << attempt.min(DOUBLINGS_MAX));
        let ceiling = ceiling.min(route.backoff_max).max(Duration::from_millis(1));
        let wait = at_least + ceiling.mul_f64(rand::rng().random::<f64>());
        if at_least.is_zero() {
            tokio::time::sleep_until((Instant::now() + wait).min(self.leave)).await;
        } else {
            self.wait(wait).await;
        }
    }

    /// Waits as it was told to, and counts as waiting; never beyond the time to leave.
    async fn wait(&self, wait: Duration) {
        let waiting = &self.thread.waiting;
        waiting.set(waiting.get() + 1);
        tokio::time::sleep_until((Instant::now() + wait).min(self.leave)).await;
        waiting.set(waiting.get() - 1);
    }
}

enum Next {
    Done {
        connected: bool,
    },
    Again,
    /// Goes on with a connection that is open already.
    Take(Connection),
}
