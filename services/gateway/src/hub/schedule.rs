use std::time::Duration;

use crate::room::Batcher;

/// Open batch of a hub at one moment. Times are since the hub's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenBatch {
    /// Due time by the batching window; `None` when there is nothing to send.
    pub(super) due: Option<Duration>,
    /// Whether a wave has news to be sent: messages, kept or dropped, or its pulse.
    pub(super) has_waiting: bool,
    /// Whether signals or gifts wait to be sent. Read only once the batch is due.
    pub(super) has_precious: bool,
    /// Whether the batch takes no further messages.
    pub(super) is_full: bool,
    /// Whether a shard has not yet written the batch before.
    pub(super) is_in_flight: bool,
}

/// When the hub takes events off its subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intake {
    /// As they come: nothing waits, so that a quiet room's message is sent at once.
    AtOnce,
    /// All that have come, at this time.
    At(Duration),
    /// Not before the shards have written the batch before: the open batch is full.
    Closed,
}

/// When the hub sends the open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// There is nothing to send until a message or a pulse comes.
    Idle,
    At(Duration),
    /// The batch is due, and goes once the shards have written the batch before.
    OnCompletion,
}

/// Events that a hub waits for, beside measurements and the gateway's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waits {
    pub(super) intake: Intake,
    pub(super) sending: Sending,
}

/// Decision of a hub about its open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) waits: Waits,
    /// Whether the batch is to be sent now.
    pub(super) sends_now: bool,
}

/// Decides when a hub collects events and sends batches; pure.
///
/// A room has one batch in flight: while a shard still writes it, the next batch grows.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Time between two collections while a batch waits, by the measured cost of a wake. Waking for every
    /// message would take the core from the shards. `bus.subscriber_lag_max` bounds the events that wait
    /// meanwhile; beyond, the hub has lagged and reads the gap off the bus.
    pub(super) collect_every: Duration,
    collected_at: Duration,
    /// Time at which a batch goes that waits for the egress limit.
    held_until: Option<Duration>,
}

impl Schedule {
    /// Records that all events that had come were collected.
    pub(super) fn collected(&mut self, now: Duration) {
        self.collected_at = now;
    }

    /// Whether the batch must wait for the egress limit. Signals and gifts do not wait. A batch
    /// waits once, so that each room gets its turn however busy the other rooms are.
    pub(super) fn needs_hold(&self, batch: &OpenBatch, now: Duration) -> bool {
        self.held_until.is_none() && !batch.has_precious && batch.due.is_some_and(|due| due <= now)
    }

    /// Holds the batch back for the egress limit.
    pub(super) fn hold(&mut self, until: Duration) {
        self.held_until = Some(until);
    }

    pub(super) fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    /// Ends the hold, when the batch is sent; returns its time.
    pub(super) fn take_hold(&mut self) -> Option<Duration> {
        self.held_until.take()
    }

    /// Whether the hub takes no message: the open batch is full, and loses no chat to one more. A full batch of chat
    /// that waits for the egress limit goes on taking messages, of which a sample stays.
    pub(super) fn is_closed(&self, batcher: &Batcher, is_in_flight: bool) -> bool {
        batcher.is_full() && (is_in_flight || !self.is_held() || batcher.has_precious())
    }

    fn due(&self, batch: &OpenBatch, now: Duration) -> Option<Duration> {
        let due = batch.due?;
        if due > now || batch.has_precious { Some(due) } else { Some(self.held_until.unwrap_or(due)) }
    }

    pub(super) fn plan(&self, batch: &OpenBatch, now: Duration) -> Plan {
        let due = self.due(batch, now);
        let sends_now = !batch.is_in_flight && due.is_some_and(|due| due <= now);
        let sending = match due {
            None => Sending::Idle,
            Some(due) if due <= now && batch.is_in_flight => Sending::OnCompletion,
            Some(due) => Sending::At(due),
        };
        let next = self.collected_at + self.collect_every;
        let intake = if batch.is_full && batch.is_in_flight {
            Intake::Closed
        } else if batch.has_waiting {
            Intake::At(due.filter(|due| *due > now).map_or(next, |due| due.min(next)))
        } else {
            Intake::AtOnce
        };
        Plan { waits: Waits { intake, sending }, sends_now }
    }
}

/// Time for which a room stays subscribed after its last viewer has left; pure.
#[derive(Debug)]
pub(super) struct Linger {
    linger: Duration,
    empty_since: Option<Duration>,
}

impl Linger {
    pub(super) fn new(linger: Duration) -> Self {
        Linger { linger, empty_since: None }
    }

    /// Takes the number of viewers; true when the room has been empty for the whole time.
    pub(super) fn is_over(&mut self, viewers: u64, now: Duration) -> bool {
        self.empty_since = (viewers == 0).then(|| self.empty_since.unwrap_or(now));
        self.empty_since.is_some_and(|since| now.saturating_sub(since) >= self.linger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: OpenBatch =
        OpenBatch { due: None, has_waiting: false, has_precious: false, is_full: false, is_in_flight: false };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn schedule() -> Schedule {
        Schedule { collect_every: ms(10), ..Schedule::default() }
    }

    #[test]
    fn a_quiet_hub_takes_the_next_message_at_once() {
        let schedule = schedule();
        let waits = Waits { intake: Intake::AtOnce, sending: Sending::Idle };
        assert_eq!(schedule.plan(&QUIET, ms(5)).waits, waits);
    }

    #[test]
    fn a_busy_hub_collects_at_intervals_and_before_it_sends() {
        let mut schedule = schedule();
        schedule.collected(ms(100));
        let batch = OpenBatch { due: Some(ms(150)), has_waiting: true, ..QUIET };
        let waits = |now| schedule.plan(&batch, ms(now)).waits;
        assert_eq!(waits(101), Waits { intake: Intake::At(ms(110)), sending: Sending::At(ms(150)) });
        let soon = OpenBatch { due: Some(ms(104)), ..batch };
        assert_eq!(schedule.plan(&soon, ms(101)).waits.intake, Intake::At(ms(104)));
    }

    #[test]
    fn a_due_batch_waits_for_the_shards_and_grows_until_it_is_full() {
        let mut schedule = schedule();
        schedule.hold(ms(50));
        let batch = OpenBatch { due: Some(ms(50)), has_waiting: true, is_in_flight: true, ..QUIET };
        let waits = schedule.plan(&batch, ms(60)).waits;
        assert_eq!(waits, Waits { intake: Intake::At(ms(10)), sending: Sending::OnCompletion });
        assert!(!schedule.plan(&batch, ms(60)).sends_now);
        let full = OpenBatch { is_full: true, ..batch };
        assert_eq!(schedule.plan(&full, ms(60)).waits.intake, Intake::Closed);
        let written = OpenBatch { is_in_flight: false, ..full };
        assert!(schedule.plan(&written, ms(60)).sends_now);
    }

    #[test]
    fn a_batch_waits_for_the_egress_limit_once_and_gifts_do_not() {
        let mut schedule = schedule();
        let batch = OpenBatch { due: Some(ms(50)), has_waiting: true, ..QUIET };
        assert!(!schedule.needs_hold(&batch, ms(49)));
        assert!(schedule.needs_hold(&batch, ms(50)));
        schedule.hold(ms(80));
        assert!(!schedule.needs_hold(&batch, ms(60)), "held already");
        assert!(!schedule.plan(&batch, ms(60)).sends_now && schedule.plan(&batch, ms(80)).sends_now);
        let with_gift = OpenBatch { has_precious: true, ..batch };
        assert!(schedule.plan(&with_gift, ms(60)).sends_now);
        assert_eq!(schedule.take_hold(), Some(ms(80)));
        assert!(schedule.needs_hold(&batch, ms(90)), "the next batch");
    }

    #[test]
    fn a_room_lingers_after_its_last_viewer_and_anew_after_each_one() {
        let mut linger = Linger::new(ms(30));
        assert!(!linger.is_over(1, ms(0)));
        assert!(!linger.is_over(0, ms(10)));
        assert!(!linger.is_over(0, ms(39)));
        assert!(linger.is_over(0, ms(40)));
        assert!(!linger.is_over(2, ms(41)));
        assert!(!linger.is_over(0, ms(42)));
    }
}
