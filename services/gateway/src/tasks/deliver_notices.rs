//! Delivers notices, the messages for one user: to the user's connections here, again while they
//! are not acknowledged, and on the next connect as long as the bus keeps them. An acknowledgement
//! travels to all gateways over the same topic.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{BusError, Event, RangeLimits, Subscription, Topic};
use barrage_clock::unix_ms;
use barrage_protocol::{Message, Sequence};
use tokio::time::{Instant, MissedTickBehavior};

use crate::context::Context;
use crate::load::HEARTBEAT_EVERY;
use crate::viewer::Ack;

/// Acknowledgements published in one call to the bus at most.
const ACKS_TOGETHER: usize = 64;
/// First pause before the bus is asked again; each pause is twice as long.
const RETRY_MIN: Duration = Duration::from_millis(200);
/// Longest pause before the bus is asked again.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Least time between two sends of one notice.
const RESEND_MIN_MS: u64 = 100;

/// Delivers notices until the gateway ends. `kept` is the bus's retention: an older notice is
/// forgotten. When the bus fails, asks it again for as long as the process lives.
pub(crate) async fn deliver_notices(context: &Context, kept: Duration) {
    let ended = &context.lifecycle.ended;
    let mut position = Sequence::ZERO;
    let mut pause = RETRY_MIN;
    loop {
        let began = Instant::now();
        tokio::select! {
            followed = follow(context, kept, &mut position) => match followed {
                Ok(()) => tracing::warn!("the bus ended the subscription of notices; subscribing again"),
                Err(error) => tracing::warn!(%error, "the bus refused the notices; trying again"),
            },
            () = ended.cancelled() => return,
        }
        if began.elapsed() > RETRY_MAX {
            pause = RETRY_MIN;
        }
        tokio::select! {
            () = context.lifecycle.heartbeats.notices.while_waiting(tokio::time::sleep(pause)) => {}
            () = ended.cancelled() => return,
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Follows the topic from a position until the subscription ends.
async fn follow(context: &Context, kept: Duration, position: &mut Sequence) -> Result<(), BusError> {
    let heartbeat = &context.lifecycle.heartbeats.notices;
    let subscribing = context.bus.subscribe(&Topic::Direct);
    let mut subscription: Subscription = heartbeat.while_waiting(subscribing).await?;
    catch_up(context, position).await?;
    let resend = Duration::from_millis(context.config.notice_resend_ms.max(RESEND_MIN_MS));
    let mut resends = tokio::time::interval_at(Instant::now() + resend, resend);
    resends.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beats = tokio::time::interval(HEARTBEAT_EVERY);
    loop {
        tokio::select! {
            event = subscription.next() => match event {
                None => return Ok(()),
                Some(Event::Message(message)) if message.sequence > *position => {
                    *position = message.sequence;
                    take(context, message).await;
                }
                Some(Event::Lagged) => catch_up(context, position).await?,
                Some(Event::Message(_) | Event::Pulse(_)) => {}
            },
            () = context.notices.acknowledged.notified() => publish_acks(context).await,
            _ = resends.tick() => resend_pending(context, kept).await,
            _ = beats.tick() => heartbeat.beat(),
        }
    }
}

async fn resend_pending(context: &Context, kept: Duration) {
    let kept_ms = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
    context.notices.expire(unix_ms().saturating_sub(kept_ms));
    for (user, message) in context.notices.take_resends(context.config.notice_sends_max) {
        context.dispatch.notify_sockets(&user, &message).await;
    }
    publish_acks(context).await;
}

/// Reads the missed notices up to the newest.
async fn catch_up(context: &Context, position: &mut Sequence) -> Result<(), BusError> {
    loop {
        let reading = context.bus.range(&Topic::Direct, *position, None, RangeLimits::default());
        let range = context.lifecycle.heartbeats.notices.while_waiting(reading).await?;
        let is_done = range.covered_to <= *position;
        *position = range.covered_to;
        for message in range.messages {
            take(context, message).await;
        }
        if is_done {
            return Ok(());
        }
    }
}

/// Publishes the acknowledgements of this gateway's connections. Those that the bus does not take
/// stay, and are tried again after `gateway.notice_resend_ms`.
async fn publish_acks(context: &Context) {
    loop {
        let acks = context.notices.take_acks(ACKS_TOGETHER);
        if acks.is_empty() {
            return;
        }
        let publishing = context.bus.publish(acks.iter().map(Ack::draft).collect());
        if let Err(error) = context.lifecycle.heartbeats.notices.while_waiting(publishing).await {
            tracing::debug!(%error, "the bus did not take acknowledgements; trying again");
            context.notices.put_back(acks);
            return;
        }
    }
}

/// Takes a message of the topic: an acknowledgement, or a notice for all connections of its user.
/// Event streams and polls, which lose nothing, get a notice once.
async fn take(context: &Context, message: Arc<Message>) {
    if let Some((user, sequences)) = Ack::read(&message) {
        context.notices.forget(user, &sequences);
        return;
    }
    let Some(user) = message.to.clone() else { return };
    if !context.notices.add(&user, Arc::clone(&message)) {
        context.metrics.notices_not_kept.inc();
    }
    context.dispatch.listeners.notify(&user, &message);
    context.dispatch.notify_sockets(&user, &message).await;
    context.notices.mark_sent(&user, message.sequence);
}
