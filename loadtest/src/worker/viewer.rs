//! One viewer's stay: it comes, watches, is lost and comes back, and leaves in its time.

use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::code::Advice;
use rand::RngExt;
use tokio::time::Instant;

use super::connect::{self, Failure, Route};
use super::source::Pace;
use super::thread::Thread;
use super::track::{Lateness, Track};
use super::watch::{End, Watch};
use crate::clock::Moment;
use crate::interval::tally;
use crate::ledger::mix;
use crate::population::Stay;

/// Exponent at which the backoff stops growing, whatever its ceiling.
const DOUBLINGS_MAX: u32 = 16;

/// A viewer between its arrival and its leaving.
pub(crate) struct Viewer {
    pub(crate) thread: Rc<Thread>,
    pub(crate) number: u32,
    pub(crate) room: usize,
    pub(crate) pace: Pace,
    pub(crate) track: Track,
    /// Whether it ever got a hello.
    pub(crate) joined: bool,
    /// Whether the resume brings what we ourselves kept from coming.
    pub(crate) resume: Lateness,
    /// When it leaves, or the run ends.
    pub(crate) leave: Instant,
    /// What the next latency of a connect counts from.
    pub(crate) since: Moment,
}

/// Lives one stay and leaves its record.
pub(crate) async fn live(thread: Rc<Thread>, stay: Stay) {
    let leave_secs = stay.leave_secs.unwrap_or(thread.end_secs());
    let mut viewer = Viewer {
        number: stay.viewer,
        room: thread.popularity.room_of(stay.viewer),
        pace: pace(&thread, stay.viewer),
        track: Track::default(),
        joined: false,
        resume: Lateness::Measured,
        leave: thread.plan.start.after(leave_secs).instant(),
        since: thread.plan.start.after(stay.join_secs),
        thread,
    };
    let connected_at_end = viewer.run().await;
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
        let mut attempt = 0;
        loop {
            if Instant::now() >= self.leave {
                return false;
            }
            match self.connect(&mut route, attempt).await {
                Ok(connection) => {
                    let ended = Watch::new(self, connection).run().await;
                    if ended.had_hello {
                        attempt = 0;
                    }
                    match self.ended(ended.end, &mut route, attempt).await {
                        Next::Done { connected } => return connected,
                        Next::Again => {}
                    }
                }
                Err(failure) => {
                    tally(&mut self.thread.interval.borrow_mut().refusals, &failure.reason, 1);
                    if failure.advice == Advice::Never {
                        return false;
                    }
                    route.endpoints.clear();
                    self.back_off(&route, attempt, failure.retry_after).await;
                }
            }
            attempt += 1;
        }
    }

    async fn connect(&mut self, route: &mut Route, attempt: u32) -> Result<connect::Connection, Failure> {
        if route.endpoints.is_empty() {
            *route = connect::ask(&self.thread, self.room).await?.into();
        }
        let endpoint = route.endpoints.get(attempt as usize % route.endpoints.len().max(1));
        let endpoint = endpoint.ok_or_else(|| Failure {
            reason: "entry: no gateway".into(),
            advice: Advice::Backoff,
            retry_after: Duration::ZERO,
        })?;
        let after = self.joined.then_some(self.track.record.last);
        connect::open(&self.thread, endpoint, self.number, self.pace, after).await
    }

    async fn ended(&mut self, end: End, route: &mut Route, attempt: u32) -> Next {
        route.endpoints.clear();
        if self.joined {
            self.since = Moment::now();
        }
        self.track.reconnected();
        self.resume = Lateness::Measured;
        match end {
            End::Left => return Next::Done { connected: true },
            End::Cut => {
                self.resume = Lateness::Ours;
                self.back_off(route, 0, Duration::ZERO).await;
            }
            End::Moved { endpoints } => {
                tally(&mut self.thread.interval.borrow_mut().closes, "reconnect", 1);
                route.endpoints = endpoints;
            }
            End::Closed { reason, advice, retry_after } => {
                tally(&mut self.thread.interval.borrow_mut().closes, &reason, 1);
                match advice {
                    Advice::Never => return Next::Done { connected: false },
                    Advice::Now => {}
                    Advice::Backoff | Advice::Named => self.back_off(route, attempt, retry_after).await,
                }
            }
        }
        Next::Again
    }

    /// Full jitter, as the protocol asks of clients; never beyond the time to leave.
    async fn back_off(&self, route: &Route, attempt: u32, at_least: Duration) {
        let ceiling = route.backoff_base.saturating_mul(1 << attempt.min(DOUBLINGS_MAX));
        let ceiling = ceiling.min(route.backoff_max).max(Duration::from_millis(1));
        let wait = at_least + ceiling.mul_f64(rand::rng().random::<f64>());
        tokio::time::sleep_until((Instant::now() + wait).min(self.leave)).await;
    }
}

enum Next {
    Done { connected: bool },
    Again,
}
