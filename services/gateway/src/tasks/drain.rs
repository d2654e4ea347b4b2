//! Starts and cancels drains, and waits for the drain at the shutdown.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::context::Context;
use crate::dispatch::Command;
use crate::drain::{Cause, Drain, DrainSchedule, Peers, Targets};

/// Time between two looks at whether the last viewer has left.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns the other gateways, by the registry.
pub(crate) fn peers(context: &Context) -> Peers {
    let gateways = context.bus.gateways();
    Peers::of(&context.config.id, gateways.iter().map(|gateway| &gateway.report))
}

/// Starts to send a share of the viewers to other gateways, within a time or at the pace that the
/// peers admit.
pub(crate) async fn start(context: &Context, cause: Cause, share: f64, within: Option<Duration>) {
    let viewers = (context.gate.places.taken() as f64 * share) as u64;
    let schedule = within.map_or_else(|| paced(context, viewers), DrainSchedule::within);
    let drain = Arc::new(Drain {
        cause,
        share,
        schedule,
        started_at: Instant::now(),
        targets: targets(context, cause),
    });
    context.metrics.draining.set(i64::from(cause.is_drain()));
    context.drains.set(Some(Arc::clone(&drain)));
    let deadline_secs = schedule.deadline.as_secs_f64();
    tracing::info!(cause = cause.label(), viewers, deadline_secs, "drain started");
    context.dispatch.broadcast(|| Command::StartDrain(Arc::clone(&drain))).await;
}

fn paced(context: &Context, viewers: u64) -> DrainSchedule {
    let least = Duration::from_secs(context.config.drain_secs);
    let most = Duration::from_secs(context.config.drain_secs_max);
    DrainSchedule::paced(viewers, &peers(context), least, most)
}

/// Names the peers when a share is given back, because entry might name this gateway again. In a
/// drain the viewers ask entry, which no longer names it.
fn targets(context: &Context, cause: Cause) -> Targets {
    if cause.is_drain() {
        return Targets::default();
    }
    let gateways = context.bus.gateways();
    Targets::of(&context.config.id, gateways.iter().map(|gateway| &gateway.report))
}

/// Cancels the drain: viewers not yet notified stay.
pub(crate) async fn cancel(context: &Context) {
    context.metrics.draining.set(0);
    context.drains.set(None);
    tracing::info!(viewers = context.gate.places.taken(), "drain cancelled");
    context.dispatch.broadcast(|| Command::CancelDrain).await;
}

/// Waits for the shutdown, then drains: returns when the viewers have gone or their time is over.
pub(crate) async fn drain_on_shutdown(context: &Context) {
    context.lifecycle.shutdown.cancelled().await;
    start(context, Cause::Shutdown, 1.0, None).await;
    let ends_at = context.drains.current().map_or_else(Instant::now, |drain| drain.ends_at());
    while context.gate.places.taken() > 0 && Instant::now() < ends_at {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
