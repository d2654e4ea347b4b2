//! One viewer: its state between its connections.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::code::Code;
use rand::RngExt;
use tokio::time::Instant;

use super::connect::{self, Connection, Failure, Route, Wish};
use super::context::{Context, chance};
use super::track::{Lateness, Track};
use crate::clock::Moment;
use crate::load::population::Stay;
use crate::measure::interval::tally;
use crate::net::source::Pace;

/// Time within which a viewer should not have to move twice.
const MOVED_LATELY: Duration = Duration::from_secs(5 * 60);

/// A viewer between its join and its leave.
pub(crate) struct Viewer {
    pub(crate) context: Rc<Context>,
    pub(crate) number: u32,
    pub(crate) room: usize,
    pub(crate) pace: Pace,
    pub(crate) track: Track,
    /// How the viewer gets its next hello.
    pub(crate) coming: Coming,
    /// Whether the resume brings messages that the load tester itself delayed.
    pub(crate) resume: Lateness,
    /// Time at which the viewer leaves or the run ends.
    pub(crate) leave: Instant,
    /// Time from which the latency of the next connect counts.
    pub(crate) since: Moment,
    /// Time of the last move to another gateway.
    moved_at: Cell<Option<Moment>>,
    /// Whether the connection has had its hello.
    pub(crate) is_connected: bool,
}

/// Reason of the hello that a viewer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coming {
    /// The viewer joins its room for the first time.
    New,
    /// The viewer reconnects after it lost its connection.
    Back,
    /// By a move from a connection that served until then.
    Moved,
}

fn pace(context: &Context, viewer: u32) -> Pace {
    let share = context.plan.scenario.slow.share;
    if chance(u64::from(viewer) ^ 0x510e) < share { Pace::Slow } else { Pace::Full }
}

impl Viewer {
    /// A viewer at the begin of a stay.
    pub(crate) fn new(context: Rc<Context>, stay: &Stay) -> Self {
        let leave_secs = stay.leave_secs.unwrap_or(context.end_secs());
        Viewer {
            number: stay.viewer,
            room: context.popularity.room_of(stay.viewer),
            pace: pace(&context, stay.viewer),
            track: Track::default(),
            coming: Coming::New,
            resume: Lateness::Measured,
            moved_at: Cell::default(),
            is_connected: false,
            leave: context.plan.start.after(leave_secs).instant(),
            since: context.plan.start.after(stay.join_secs),
            context,
        }
    }

    /// Connects through entry, in turn. A ticket that is early by the gateway's clock is used once
    /// more, because it keeps its place.
    pub(crate) async fn connect(&mut self, route: &mut Route) -> Result<Connection, Failure> {
        let asked = connect::ask(&self.context, self.room).await;
        *route = asked.inspect_err(|failure| self.refused(&failure.reason))?.into();
        if let Some(ticket) = &route.ticket {
            self.context.interval.borrow_mut().tickets += 1;
            self.wait(Duration::from_millis(ticket.wait_ms)).await;
            if Instant::now() >= self.leave {
                self.refused("left before its turn");
                return Err(Failure::network("left"));
            }
        }
        match connect::first_of(&self.context, route, self.wish()).await {
            Err(early) if early.code == Some(Code::TooEarly) => {
                self.wait(early.retry_after).await;
                connect::first_of(&self.context, route, self.wish()).await
            }
            connected => connected,
        }
    }

    /// Notes a move to another gateway. Returns whether the last move is less than five minutes
    /// ago.
    pub(crate) fn has_moved(&self, now: Moment) -> bool {
        let before = self.moved_at.replace(Some(now));
        before.is_some_and(|before| now.since(before) < MOVED_LATELY)
    }

    /// Request of the viewer to a gateway.
    pub(crate) fn wish(&self) -> Wish {
        let after = (self.coming != Coming::New).then_some(self.track.record.last);
        Wish { viewer: self.number, room: self.room, pace: self.pace, after }
    }

    fn refused(&self, reason: &str) {
        tally(&mut self.context.interval.borrow_mut().refusals, reason, 1);
    }

    /// Waits with full jitter, as the protocol requires of clients; never beyond the time to leave.
    pub(crate) async fn back_off(&self, route: &Route, attempt: u32, at_least: Duration) {
        let ceiling = barrage_backoff::ceiling(route.backoff_base, route.backoff_max, attempt);
        let wait = at_least + ceiling.mul_f64(rand::rng().random::<f64>());
        if at_least.is_zero() {
            tokio::time::sleep_until((Instant::now() + wait).min(self.leave)).await;
        } else {
            self.wait(wait).await;
        }
    }

    /// Waits as ordered, and counts as waiting; never beyond the time to leave.
    async fn wait(&self, wait: Duration) {
        let waiting = &self.context.waiting;
        waiting.set(waiting.get() + 1);
        tokio::time::sleep_until((Instant::now() + wait).min(self.leave)).await;
        waiting.set(waiting.get() - 1);
    }
}
