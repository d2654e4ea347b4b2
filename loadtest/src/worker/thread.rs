//! One thread of a worker: its share of the viewers and of the posts, on its own runtime. It shares
//! no state with other threads.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use barrage_tls::ClientTls;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::context::Context;
use super::poster;
use super::stay::live;
use crate::clock::Moment;
use crate::measure::interval::Interval;
use crate::measure::ledger::{Ledger, Record};
use crate::plan::{INTERRUPTED_SETTLE_SECS, Plan, Share};
use crate::recording::tape::Tape;

/// Time between two measurements of the load tester's own delay, beside those at every action, in
/// seconds.
const LAG_EVERY_SECS: f64 = 0.01;

/// Becomes true when the user interrupts the run.
pub(crate) type Stop = watch::Receiver<bool>;

/// A report of a thread to its worker.
#[derive(Debug)]
pub(crate) enum Report {
    /// One second of the thread is over.
    Tick { second: u32, interval: Box<Interval> },
    /// The thread's share is over: records of its viewers, and the sent messages.
    Done { records: Vec<Record>, ledger: Ledger },
    /// The thread cannot continue; the text is the reason.
    Failed(String),
}

/// Runs a share of the load to its end.
pub(crate) fn run(
    plan: Arc<Plan>,
    share: Share,
    tls: ClientTls,
    tape: &Arc<Tape>,
    reports: &SyncSender<Report>,
    mut stop: Stop,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(reports.send(Report::Failed(format!("no runtime: {error}"))));
            return;
        }
    };
    let context = Rc::new(Context::new(plan, share, tls));
    let local = LocalSet::new();
    let lag = local.spawn_local(watch_lag(Rc::clone(&context)));
    let ticks = local.spawn_local(tick(Rc::clone(&context), reports.clone()));
    let posts = local.spawn_local(poster::run(Rc::clone(&context), Arc::clone(tape)));
    let ended = local.block_on(&runtime, async {
        let mut viewers = tokio::task::JoinSet::new();
        let to_the_end = async {
            for stay in context.stays() {
                context.until(context.plan.start.after(stay.join_secs)).await;
                viewers.spawn_local(live(Rc::clone(&context), stay));
            }
            while viewers.join_next().await.is_some() {}
        };
        tokio::select! {
            () = to_the_end => {}
            Ok(_) = stop.wait_for(|stop| *stop) => {
                posts.abort();
                tokio::time::sleep(Duration::from_secs_f64(INTERRUPTED_SETTLE_SECS)).await;
                context.end_early();
                while viewers.join_next().await.is_some() {}
                ticks.abort();
                drop(reports.send(report(&context, context.second().min(context.seconds() - 1))));
                return Ok(());
            }
        }
        let posted = posts.await.map_err(|error| error.to_string());
        drop(ticks.await);
        // The last second contains everything that came late.
        drop(reports.send(report(&context, context.seconds() - 1)));
        posted?
    });
    lag.abort();
    let last = match ended {
        Ok(()) => Report::Done {
            records: context.records.take(),
            ledger: std::mem::take(&mut context.seen.borrow_mut().ledger),
        },
        Err(message) => Report::Failed(message),
    };
    // The worker has stopped reading when the run was given up.
    drop(reports.send(last));
}

/// The report of a second, with the counts since the last one.
fn report(context: &Context, second: u32) -> Report {
    Report::Tick { second, interval: context.take_interval() }
}

/// Sends the report of each second but the last, when the second is over.
async fn tick(context: Rc<Context>, reports: SyncSender<Report>) {
    for second in 0..context.seconds() - 1 {
        let over = context.plan.start.after(f64::from(second) + 1.0).instant();
        tokio::time::sleep_until(over).await;
        // The worker reads reports faster than they come. If it does not, the second is added to
        // the next one.
        if let Err(TrySendError::Full(Report::Tick { interval, .. })) =
            reports.try_send(report(&context, second))
        {
            context.interval.borrow_mut().add(&interval);
        }
    }
}

/// Measures the delay of this thread's timers: its other measurements may be as late.
async fn watch_lag(context: Rc<Context>) {
    tokio::time::sleep_until(context.plan.start.instant()).await;
    loop {
        context.until(Moment::now().after(LAG_EVERY_SECS)).await;
    }
}
