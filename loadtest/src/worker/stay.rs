//! One viewer's stay: it joins, watches, reconnects after a loss, and leaves at its time.

use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::code::Advice;
use tokio::time::Instant;

use super::connect::{Connection, Route};
use super::context::Context;
use super::track::Lateness;
use super::viewer::{Coming, Viewer};
use super::watch::{End, Watch};
use crate::clock::Moment;
use crate::load::population::Stay;
use crate::measure::interval::tally;
use crate::net::source::Pace;

/// Lives one stay, and adds its record to the context.
pub(crate) async fn live(context: Rc<Context>, stay: Stay) {
    let mut viewer = Viewer::new(Rc::clone(&context), &stay);

    let connected_at_end = tokio::select! {
        connected = run(&mut viewer) => connected,
        () = context.left_early() => {
            // A viewer that was still joining had no time to arrive.
            if viewer.coming == Coming::New {
                return;
            }
            viewer.is_connected
        }
    };
    let mut record = viewer.track.record;
    record.room = viewer.room as u32;
    record.lost = !connected_at_end;
    // Bytes that a slow reader has not read yet are not lost.
    record.stayed = connected_at_end && stay.leave_secs.is_none() && viewer.pace == Pace::Full;
    context.records.borrow_mut().push(record);
}

/// Runs the stay. Returns whether the viewer was connected when it left.
async fn run(viewer: &mut Viewer) -> bool {
    let mut route = Route::default();
    let (mut attempt, mut successor) = (0, None);
    loop {
        let connected = match successor.take() {
            Some(connection) => Ok(connection),
            None if Instant::now() >= viewer.leave => return false,
            None => viewer.connect(&mut route).await,
        };
        match connected {
            Ok(connection) => {
                let ended = Watch::new(viewer, connection).run().await;
                if ended.had_hello {
                    attempt = 0;
                }
                match after(viewer, ended.end, ended.successor, &route, attempt).await {
                    Next::Done { connected } => return connected,
                    Next::Again => {}
                    Next::Take(connection) => successor = Some(connection),
                }
            }
            Err(failure) if failure.advice == Advice::Never => return false,
            Err(failure) => viewer.back_off(&route, attempt, failure.retry_after).await,
        }
        attempt += 1;
    }
}

/// Decides what follows the end of a connection, and waits until then.
async fn after(
    viewer: &mut Viewer,
    end: End,
    successor: Option<Connection>,
    route: &Route,
    attempt: u32,
) -> Next {
    if viewer.coming != Coming::New {
        viewer.since = Moment::now();
        viewer.coming = Coming::Back;
    }
    viewer.track.reconnected();
    viewer.resume = Lateness::Measured;
    match end {
        End::Left => return Next::Done { connected: true },
        End::Cut => {
            viewer.resume = Lateness::Ours;
            viewer.back_off(route, 0, Duration::ZERO).await;
        }
        End::Moved => viewer.coming = Coming::Moved,
        End::Closed { reason, advice, retry_after } => {
            tally(&mut viewer.context.interval.borrow_mut().closes, &reason, 1);
            match advice {
                _ if successor.is_some() => {}
                Advice::Never => return Next::Done { connected: false },
                Advice::Now => {}
                Advice::Backoff | Advice::Named => viewer.back_off(route, attempt, retry_after).await,
            }
        }
    }
    successor.map_or(Next::Again, Next::Take)
}

/// Continuation of a stay after a connection.
enum Next {
    /// The stay is over, by its time or by a final refusal.
    Done { connected: bool },
    /// The viewer connects again after a wait.
    Again,
    /// Continue with a connection that is already open.
    Take(Connection),
}
