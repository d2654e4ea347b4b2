//! Report of a run: figures and violations.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;

use super::Fault;
use super::viewers::{Records, Seen};

/// Longest delay of a gift outside of faults, and after the end of a fault.
const DELAY_MAX_S: f64 = 10.0;

/// Figures of a run. Delays are from acceptance to display.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    gifts_accepted: u64,
    /// Pairs of gift and viewer: accepted and never shown.
    gifts_lost: u64,
    /// Pairs of gift and viewer: shown more than once.
    gifts_doubled: u64,
    gifts_not_archived: u64,
    gifts_archived_twice: u64,
    gift_delay_max_s: f64,
    /// Longest delay from the end of the fault during which the gift was accepted.
    gift_delay_after_fault_max_s: f64,
    /// Pairs of gift and viewer: shown later than the bound.
    gifts_late: u64,
    posts_failed: u64,
    chat_accepted: u64,
    /// Percentage of the pairs of chat and viewer that were never shown.
    chat_lost_pct: f64,
    chat_doubled: u64,
    chat_delay_p50_s: f64,
    chat_delay_p99_s: f64,
    chat_delay_max_s: f64,
    viewers: usize,
    viewers_closed: u64,
    reconnect_peak_per_s: u32,
    faults: Vec<String>,
    seed: u64,
    /// Examples of lost gifts: gift, time of acceptance, viewer, and the times of the nearest gifts
    /// that the viewer received before and after.
    lost: Vec<(usize, u32, usize, u32, u32)>,
    /// Examples of viewers that were closed for good: time and message.
    closed: Vec<(u32, String)>,
    /// Gift with the longest delay after its fault.
    slowest: Slowest,
}

/// A late gift and the log of its viewer; times are milliseconds since the start.
#[derive(Debug, Default, Serialize)]
struct Slowest {
    gift: usize,
    accepted_ms: u32,
    viewer: usize,
    shown_ms: u32,
    /// Viewers of the room that received the gift 10 s late or later.
    late_in_room: usize,
    log: Vec<(u32, String)>,
}

impl Slowest {
    fn new(gift: usize, accepted_ms: u32, viewer: usize, seen: &[Seen], rooms: usize) -> Slowest {
        let (it, place) = (&seen[viewer], gift / rooms);
        let shown_ms = it.gifts.at_ms[place];
        let joined_ms =
            it.log.iter().rev().find(|(at, line)| *at <= accepted_ms && line.starts_with("hello"));
        let from_ms = joined_ms.map_or(0, |(at, _)| *at).min(accepted_ms.saturating_sub(5_000));
        let log = it.log.iter().filter(|(at, _)| *at >= from_ms && *at < shown_ms + 1_000);
        let is_late =
            |other: &&Seen| other.room == it.room && other.gifts.at_ms[place] > accepted_ms + 10_000;
        let late_in_room = seen.iter().filter(is_late).count();
        Slowest { gift, accepted_ms, viewer, shown_ms, late_in_room, log: log.cloned().collect() }
    }
}

/// Figures of the chat.
struct Chat {
    accepted: u64,
    /// Pairs of accepted chat and viewer.
    due: u64,
    lost: u64,
    /// Delays from acceptance to display, sorted.
    delays_ms: Vec<u32>,
}

impl Chat {
    fn new(accepted_ms: &[u32], seen: &[Seen], rooms: usize) -> Chat {
        let mut chat = Chat { accepted: 0, due: 0, lost: 0, delays_ms: Vec::new() };
        chat.accepted = accepted_ms.iter().filter(|at| **at > 0).count() as u64;
        for viewer in seen {
            let of_room = accepted_ms.iter().skip(viewer.room).step_by(rooms);
            for (at, shown) in of_room.zip(&viewer.chats.at_ms).filter(|(at, _)| **at > 0) {
                chat.due += 1;
                if *shown == 0 {
                    chat.lost += 1;
                } else {
                    chat.delays_ms.push(shown.saturating_sub(*at));
                }
            }
        }
        chat.delays_ms.sort_unstable();
        chat
    }

    fn delay_s(&self, share: f64) -> f64 {
        let last = self.delays_ms.len().saturating_sub(1);
        let at = (last as f64 * share) as usize;
        f64::from(self.delays_ms.get(at).copied().unwrap_or(0)) / 1_000.0
    }
}

/// Largest number of examples in the report.
const EXAMPLES_MAX: usize = 20;

impl Report {
    pub(crate) fn new(
        records: &Records,
        seen: &[Seen],
        faults: &[Fault],
        archived: &[u32],
        seed: u64,
        joined_by: usize,
    ) -> Self {
        let rooms = records.scale.rooms;
        let plain = |all: &[AtomicU32]| all.iter().map(|at| at.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let accepted = plain(&records.gifts_accepted_ms);
        let (mut lost, mut late, mut delay_ms, mut after_fault_ms) = (0, 0, 0, 0);
        let (mut examples, mut slowest) = (Vec::new(), (0, 0, 0));
        for (gift, at) in accepted.iter().enumerate().filter(|(_, at)| **at > 0) {
            for (number, viewer) in seen.iter().enumerate().filter(|(_, it)| it.room == gift % rooms) {
                let place = gift / rooms;
                let shown = viewer.gifts.at_ms[place];
                if shown == 0 {
                    lost += 1;
                    if lost % 37 == 1 && examples.len() < EXAMPLES_MAX {
                        let near = |gifts: &[u32]| {
                            gifts.iter().copied().filter(|shown| *shown > 0).collect::<Vec<_>>()
                        };
                        let before = near(&viewer.gifts.at_ms[..place]).into_iter().max().unwrap_or(0);
                        let after = near(&viewer.gifts.at_ms[place..]).into_iter().min().unwrap_or(0);
                        examples.push((gift, *at, number, before, after));
                    }
                    continue;
                }
                delay_ms = delay_ms.max(shown.saturating_sub(*at));
                let late_ms = shown.saturating_sub(expected_from(faults, *at));
                late += u64::from(f64::from(late_ms) > DELAY_MAX_S * 1_000.0);
                if late_ms > after_fault_ms {
                    (after_fault_ms, slowest) = (late_ms, (gift, *at, number));
                }
            }
        }
        let times = |is: fn(u32) -> bool| {
            let gifts = accepted.iter().zip(archived).filter(|(at, count)| **at > 0 && is(**count));
            gifts.count() as u64
        };
        let chat = Chat::new(&plain(&records.chats_accepted_ms), seen, rooms);
        Report {
            gifts_accepted: accepted.iter().filter(|at| **at > 0).count() as u64,
            gifts_lost: lost,
            gifts_doubled: seen.iter().map(|viewer| viewer.gifts.duplicates).sum(),
            gifts_not_archived: times(|count| count == 0),
            gifts_archived_twice: times(|count| count > 1),
            gift_delay_max_s: f64::from(delay_ms) / 1_000.0,
            gift_delay_after_fault_max_s: f64::from(after_fault_ms) / 1_000.0,
            gifts_late: late,
            posts_failed: records.posts_failed.load(Ordering::Relaxed),
            chat_accepted: chat.accepted,
            chat_lost_pct: 100.0 * chat.lost as f64 / chat.due.max(1) as f64,
            chat_doubled: seen.iter().map(|viewer| viewer.chats.duplicates).sum(),
            chat_delay_p50_s: chat.delay_s(0.5),
            chat_delay_p99_s: chat.delay_s(0.99),
            chat_delay_max_s: chat.delay_s(1.0),
            viewers: seen.len(),
            viewers_closed: seen.iter().filter(|viewer| viewer.closed.is_some()).count() as u64,
            reconnect_peak_per_s: records.hellos.lock().iter().skip(joined_by).copied().max().unwrap_or(0),
            faults: faults
                .iter()
                .map(|fault| format!("{} {}-{}", fault.description, fault.from_ms, fault.to_ms))
                .collect(),
            seed,
            lost: examples,
            closed: seen
                .iter()
                .filter(|viewer| viewer.closed.is_some())
                .filter_map(|viewer| viewer.log.last().cloned())
                .take(EXAMPLES_MAX)
                .collect(),
            slowest: Slowest::new(slowest.0, slowest.1, slowest.2, seen, rooms),
        }
    }

    /// Lists the figures that break a guarantee.
    pub(crate) fn violations(&self) -> Vec<String> {
        let counts = [
            ("gifts lost", self.gifts_lost),
            ("gifts duplicated", self.gifts_doubled),
            ("gifts not archived", self.gifts_not_archived),
            ("gifts archived twice", self.gifts_archived_twice),
            ("viewers closed for good", self.viewers_closed),
        ];
        let mut violations: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        if self.gifts_accepted == 0 {
            violations.push("no gift was accepted".into());
        }
        if self.gift_delay_after_fault_max_s > DELAY_MAX_S {
            violations.push(format!("a gift took {} s after the fault", self.gift_delay_after_fault_max_s));
        }
        violations
    }
}

/// Time in milliseconds during which an accepted gift is in flight: a fault that begins within this
/// time may delay the gift.
const IN_FLIGHT_MS: u32 = 1_000;

/// Returns the time from which the delay of a gift counts: its acceptance, or the end of the fault
/// that delayed it.
fn expected_from(faults: &[Fault], accepted_ms: u32) -> u32 {
    let delays = |fault: &&Fault| fault.from_ms <= accepted_ms + IN_FLIGHT_MS && fault.to_ms >= accepted_ms;
    faults.iter().find(delays).map_or(accepted_ms, |fault| fault.to_ms)
}
