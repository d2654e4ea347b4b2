use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::session;
use super::shard::{SWEEP_EVERY, Shard};
use crate::context::Context;
use crate::dispatch::Command;
use crate::drain::NOTIFY_EVERY;

/// Time for close frames to be written, before the end of the thread.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// Memory that a viewer takes, rounded up.
const VIEWER_BYTES: usize = 2 * 1024;
/// Viewers for which memory is reserved at once.
const RESERVED_MAX: usize = 32;

/// Records the end of a shard's thread, also by a panic. Before the gateway's end, that ends the
/// gateway.
struct EndOfShard(Arc<Context>);

impl Drop for EndOfShard {
    fn drop(&mut self) {
        let lifecycle = &self.0.lifecycle;
        if !lifecycle.ended.is_cancelled() {
            lifecycle.heartbeats.fail();
            lifecycle.failed.cancel();
        }
    }
}

/// Builds a shard's runtime, on which [`run`] runs.
pub(crate) fn build_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Runs a shard on this thread until the gateway ends.
pub(crate) fn run(
    index: usize,
    context: &Arc<Context>,
    runtime: &Runtime,
    commands: mpsc::Receiver<Command>,
) {
    let _end = EndOfShard(Arc::clone(context));
    let _span = tracing::info_span!("shard", index).entered();
    context.load.add_worker(runtime.handle().clone());
    let shard = Shard::new(index, Arc::clone(context));
    LocalSet::new().block_on(runtime, serve(shard, commands));
}

async fn serve(shard: Rc<Shard>, mut commands: mpsc::Receiver<Command>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut notify = tokio::time::interval(NOTIFY_EVERY);
    notify.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut deadline: Option<Instant> = None;
    loop {
        tokio::select! {
            // Deliveries before sweeps: under load the sweep waits, not the viewers.
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(Command::Adopt(arrivals)) => {
                    reserve(arrivals.len());
                    arrivals.into_iter().for_each(|arrival| session::adopt(&shard, arrival));
                }
                Some(Command::Shutdown) => {
                    shard.close_all();
                    deadline = Some(Instant::now() + CLOSE_MAX);
                }
                Some(command) => shard.handle(command),
            },
            _ = notify.tick(), if shard.has_drain() => shard.notify_drained(),
            _ = sweep.tick() => shard.sweep(),
            () = until(deadline) => return,
        }
        // No viewer is left: the deadline need not pass.
        if deadline.is_some() && shard.is_empty() && commands.is_empty() {
            return;
        }
    }
}

/// Lets the thread's heap grow once for a handful of viewers. glibc grows the heap of a thread page by
/// page, with a system call for each, which would be one for every other viewer. Freed memory at the end of
/// the heap stays, below its trim threshold of 128 KiB.
fn reserve(viewers: usize) {
    let bytes = viewers.min(RESERVED_MAX) * VIEWER_BYTES;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(bytes)));
}

/// Waits until a moment; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
