//! Compares what was promised with what was shown and archived.

use serde::Serialize;

use super::Seen;
use crate::figure::{Bound, Figure};

/// Longest delay of a gift outside of faults, and after the end of a fault.
const DELAY_MAX_S: f64 = 10.0;
/// Largest number of examples in a judgement.
const EXAMPLES_MAX: usize = 20;
/// Time in milliseconds during which an accepted gift is in flight: a fault that begins within this
/// time may delay the gift.
const IN_FLIGHT_MS: u32 = 1_000;

/// Outage of one process; times are milliseconds since the start of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Words for the report, such as `kill gateway-1`.
    pub description: String,
    /// Begin of the outage.
    pub from_ms: u32,
    /// End of the outage: the process runs again.
    pub to_ms: u32,
}

/// Answers of the server, by number of the message: milliseconds since the start, plus 1; 0 for a
/// message that was not accepted, to which the server owes nothing.
#[derive(Debug, Clone, Default)]
pub struct Promises {
    /// Number of rooms over which the messages were spread in turn.
    pub rooms: usize,
    /// Times at which gifts were accepted.
    pub gifts_ms: Vec<u32>,
    /// Times at which chat was accepted.
    pub chats_ms: Vec<u32>,
}

/// Sums over all pairs of message and viewer. Delays are from acceptance to display.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Judgement {
    /// Gifts that the server accepted.
    pub gifts_accepted: u64,
    /// Pairs of gift and viewer: accepted and never shown.
    pub gifts_lost: u64,
    /// Pairs of gift and viewer: shown more than once.
    pub gifts_doubled: u64,
    /// Accepted gifts that the archive lacks.
    pub gifts_not_archived: u64,
    /// Accepted gifts that the archive has more than once.
    pub gifts_archived_twice: u64,
    /// Longest delay of a gift, in seconds.
    pub gift_delay_max_s: f64,
    /// Delay below which 99 of 100 gifts stayed, in seconds.
    pub gift_delay_p99_s: f64,
    /// Longest delay from the end of the fault during which the gift was accepted, in seconds.
    pub gift_delay_after_fault_max_s: f64,
    /// Chat messages that the server accepted.
    pub chats_accepted: u64,
    /// Pairs of chat and viewer that were never shown, in percent.
    pub chat_lost_pct: f64,
    /// Pairs of chat and viewer: shown more than once.
    pub chats_doubled: u64,
    /// Delay below which 99 of 100 chat messages stayed, in seconds.
    pub chat_delay_p99_s: f64,
    /// Viewers that the server closed for good.
    pub viewers_closed: u64,
    /// Examples of lost gifts: number of the gift, time of acceptance, viewer.
    pub lost: Vec<(usize, u32, usize)>,
    /// Gift with the longest delay after its fault: gift, time of acceptance, viewer.
    pub slowest: (usize, u32, usize),
}

impl Judgement {
    /// Judges a run. `archived` has the number of copies of each gift in the archive; `None` leaves the
    /// archive out.
    #[must_use]
    pub fn new(promises: &Promises, seen: &[Seen], archived: Option<&[u32]>, faults: &[Fault]) -> Self {
        let mut judged = Judgement::default();
        let (mut delays_ms, mut after_fault_ms) = (Vec::new(), 0);
        for (gift, at) in promises.gifts_ms.iter().copied().enumerate().filter(|(_, at)| *at > 0) {
            judged.gifts_accepted += 1;
            let (room, place) = (gift % promises.rooms, gift / promises.rooms);
            for (number, viewer) in seen.iter().enumerate().filter(|(_, viewer)| viewer.room == room) {
                let shown = viewer.gifts.at_ms.get(place).copied().unwrap_or(0);
                if shown == 0 {
                    judged.gifts_lost += 1;
                    if judged.lost.len() < EXAMPLES_MAX {
                        judged.lost.push((gift, at, number));
                    }
                    continue;
                }
                delays_ms.push(shown.saturating_sub(at));
                let late_ms = shown.saturating_sub(expected_from(faults, at));
                if late_ms > after_fault_ms {
                    (after_fault_ms, judged.slowest) = (late_ms, (gift, at, number));
                }
            }
            match archived.map(|copies| copies.get(gift).copied().unwrap_or(0)) {
                Some(0) => judged.gifts_not_archived += 1,
                Some(2..) => judged.gifts_archived_twice += 1,
                Some(1) | None => {}
            }
        }
        judged.gift_delay_max_s = percentile_s(&mut delays_ms, 1.0);
        judged.gift_delay_p99_s = percentile_s(&mut delays_ms, 0.99);
        judged.gift_delay_after_fault_max_s = f64::from(after_fault_ms) / 1_000.0;
        judged.gifts_doubled = seen.iter().map(|viewer| viewer.gifts.duplicates).sum();
        judged.chats_doubled = seen.iter().map(|viewer| viewer.chats.duplicates).sum();
        judged.viewers_closed = seen.iter().filter(|viewer| viewer.closed.is_some()).count() as u64;
        judged.judge_chat(promises, seen);
        judged
    }

    fn judge_chat(&mut self, promises: &Promises, seen: &[Seen]) {
        self.chats_accepted = promises.chats_ms.iter().filter(|at| **at > 0).count() as u64;
        let (mut due, mut lost, mut delays_ms) = (0_u64, 0_u64, Vec::new());
        for viewer in seen {
            let of_room = promises.chats_ms.iter().skip(viewer.room).step_by(promises.rooms);
            for (at, shown) in of_room.zip(&viewer.chats.at_ms).filter(|(at, _)| **at > 0) {
                due += 1;
                if *shown == 0 {
                    lost += 1;
                } else {
                    delays_ms.push(shown.saturating_sub(*at));
                }
            }
        }
        self.chat_lost_pct = 100.0 * lost as f64 / due.max(1) as f64;
        self.chat_delay_p99_s = percentile_s(&mut delays_ms, 0.99);
    }

    /// Figures of the promise about gifts, which each scenario with gifts must keep.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::some("gifts accepted", self.gifts_accepted),
            Figure::none("gifts lost at a viewer", self.gifts_lost),
            Figure::none("gifts doubled at a viewer", self.gifts_doubled),
            Figure::none("gifts not archived", self.gifts_not_archived),
            Figure::none("gifts archived twice", self.gifts_archived_twice),
            Figure::none("viewers closed for good", self.viewers_closed),
            Figure::new(
                "latest gift after the end of its fault",
                self.gift_delay_after_fault_max_s,
                "s",
                Bound::AtMost(DELAY_MAX_S),
            ),
            Figure::new("gift delay p99", self.gift_delay_p99_s, "s", Bound::Free),
            Figure::new("gift delay max", self.gift_delay_max_s, "s", Bound::Free),
            Figure::new("chat delay p99", self.chat_delay_p99_s, "s", Bound::Free),
            Figure::new("chat not shown", self.chat_lost_pct, "%", Bound::Free),
        ]
    }
}

/// Returns a percentile in seconds; 0 without values.
fn percentile_s(delays_ms: &mut [u32], share: f64) -> f64 {
    delays_ms.sort_unstable();
    let at = (delays_ms.len().saturating_sub(1) as f64 * share) as usize;
    f64::from(delays_ms.get(at).copied().unwrap_or(0)) / 1_000.0
}

/// Returns the time from which the delay of a gift counts: its acceptance, or the end of the last of the
/// faults that delayed it.
fn expected_from(faults: &[Fault], accepted_ms: u32) -> u32 {
    let delays = |fault: &&Fault| fault.from_ms <= accepted_ms + IN_FLIGHT_MS && fault.to_ms >= accepted_ms;
    faults.iter().filter(delays).map(|fault| fault.to_ms).max().unwrap_or(accepted_ms)
}

#[cfg(test)]
mod tests;
