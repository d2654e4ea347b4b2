use std::pin::Pin;
use std::time::Duration;

use barrage_bus::Subscription;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::schedule::{Intake, Sending, Waits};
use crate::room::Room;

/// Event that a hub handles, one at a time.
#[derive(Debug)]
pub(super) enum Event {
    Bus(barrage_bus::Event),
    /// The bus ended the subscription; the hub must subscribe again.
    SubscriptionEnded,
    /// Events that have come are to be collected.
    Collect,
    /// The shards have written the batch in flight.
    Completed,
    /// The due time of the open batch has come.
    Due,
    /// The time of a message has come that viewers get later.
    Delayed,
    /// Viewers and rates are to be measured.
    Measure,
    /// Viewers came to a quiet room, or left it.
    Stirred,
    /// The gateway ends, and with it all hubs.
    GatewayEnded,
}

/// Sources of a hub's events, borrowed for one wait.
pub(super) struct Sources<'a> {
    pub(super) subscription: &'a mut Subscription,
    pub(super) room: &'a Room,
    pub(super) measure: Pin<&'a mut Sleep>,
    /// Time until the next delayed message is due; `None` without any.
    pub(super) delayed_in: Option<Duration>,
    pub(super) ended: &'a CancellationToken,
    /// Start of the hub, from which times count.
    pub(super) started: Instant,
}

/// Waits for the next event. Sources that `waits` leaves out stay unread. Cancel-safe.
pub(super) async fn next(sources: Sources<'_>, waits: Waits) -> Event {
    let Sources { subscription, room, measure, delayed_in, ended, started } = sources;
    let collect_at = match waits.intake {
        Intake::At(time) => Some(started + time),
        Intake::AtOnce | Intake::Closed => None,
    };
    let due_at = match waits.sending {
        Sending::At(time) => Some(started + time),
        Sending::Idle | Sending::OnCompletion => None,
    };
    tokio::select! {
        event = subscription.next(), if waits.intake == Intake::AtOnce => match event {
            Some(event) => Event::Bus(event),
            None => Event::SubscriptionEnded,
        },
        () = until(collect_at) => Event::Collect,
        () = room.completed.notified(), if waits.sending == Sending::OnCompletion => Event::Completed,
        () = until(due_at) => Event::Due,
        () = until(delayed_in.map(|time| Instant::now() + time)) => Event::Delayed,
        () = measure => Event::Measure,
        () = room.stirred.notified() => Event::Stirred,
        () = ended.cancelled() => Event::GatewayEnded,
    }
}

/// Waits until a moment; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
