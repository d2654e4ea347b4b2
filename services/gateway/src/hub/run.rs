use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrage_bus::{Subscription, Topic};
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tracing::Instrument;

use super::delayed_start::{self, Start};
use super::hub::{End, Hub};
use crate::admission::Eviction;
use crate::context::Context;
use crate::room::{Room, StartHub};

/// First pause before the bus is asked for a subscription again; each pause is twice as long.
const RETRY_MIN: Duration = Duration::from_millis(200);
/// Longest pause before the bus is asked for a subscription again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Returns the function that starts a room's hub on the main runtime: a shard's own runtime only
/// fans out.
pub(crate) fn starter(context: Weak<Context>, main: Handle) -> StartHub {
    Box::new(move |room| {
        // Without a context the gateway has ended.
        let Some(context) = context.upgrade() else { return };
        let span = tracing::info_span!("room", room = %room.id);
        let tasks = context.lifecycle.tasks.clone();
        tasks.spawn_on(run_guarded(room, context).instrument(span), &main);
    })
}

/// Runs a room's hub. When the hub panics, the gateway forgets the room and closes its viewers,
/// which come back to a new hub.
async fn run_guarded(room: Arc<Room>, context: Arc<Context>) {
    let running = AssertUnwindSafe(run(Arc::clone(&room), Arc::clone(&context)));
    if running.catch_unwind().await.is_err() {
        tracing::error!("hub of the room failed; its viewers are closed");
        context.rooms.abandon(&room);
        context.dispatch.evict(Eviction::failed(room.id.clone())).await;
    }
}

/// Subscribes, and runs until the room has had no viewers for the linger time.
async fn run(room: Arc<Room>, context: Arc<Context>) {
    let topic = Topic::Room(room.id.clone());
    // Boxed: futures of the start would make the task of each room larger for as long as it runs.
    let Some(subscription) = Box::pin(subscribe(&room, &context, &topic)).await else { return };
    Box::pin(catch_up(&room, &context)).await;
    let start = Box::pin(delayed_start::find(&room, &context, &topic, subscription.start)).await;
    let Some(Start { position, waiting }) = start else { return };
    room.set_position(position);
    room.changed.send_replace(position);
    let mut hub = Hub::new(topic.clone(), position, Arc::clone(&room), Arc::clone(&context));
    hub.resume_delayed(waiting);
    let _is_first = room.ready.set(());
    context.metrics.rooms.inc();
    context.metrics.heat_changed(None, Some(hub.heat()));
    let mut next = Some(subscription);
    while let Some(subscription) = next.take() {
        let End::SubscriptionLost = hub.run(subscription).await else { break };
        tracing::warn!("the bus ended the subscription of the room; subscribing again");
        next = Box::pin(subscribe(&room, &context, &topic)).await;
        if next.is_some() {
            Box::pin(hub.repair_gap(None)).await;
        }
    }
    context.metrics.heat_changed(Some(hub.heat()), None);
    context.rooms.abandon(&room);
    context.metrics.rooms.dec();
}

/// Waits until the settings have every change of the room's state whose signal is before the
/// subscription. A change is durable before its signal.
async fn catch_up(room: &Room, context: &Context) {
    let caught_up = room.heartbeat.while_waiting(context.bus.catch_up(&room.id)).await;
    if let Err(error) = caught_up {
        tracing::warn!(%error, "newcomers may get an older state of the room until the settings come");
    }
}

/// Subscribes, as often as it takes. `None` when the gateway ends, or when the room has no viewers
/// any more and is forgotten.
async fn subscribe(room: &Arc<Room>, context: &Context, topic: &Topic) -> Option<Subscription> {
    let ended = &context.lifecycle.ended;
    let mut pause = RETRY_MIN;
    loop {
        let subscribed = tokio::select! {
            subscribed = room.heartbeat.while_waiting(context.bus.subscribe(topic)) => subscribed,
            () = ended.cancelled() => return None,
        };
        match subscribed {
            Ok(subscription) => return Some(subscription),
            Err(error) => tracing::warn!(%error, "the bus refused the subscription of the room"),
        }
        tokio::select! {
            () = room.heartbeat.while_waiting(tokio::time::sleep(pause)) => {}
            () = ended.cancelled() => return None,
        }
        pause = (pause * 2).min(RETRY_MAX);
        if context.rooms.leave_if_empty(room) {
            return None;
        }
    }
}
