//! Numbers of envelopes: what was lost between couriers and this gateway.

use std::collections::HashMap;
use std::time::Duration;

/// Silence of a courier after which its last envelope may have been lost: it sends one each second.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Maximum couriers of one lane. Of more, the one that was silent for longest is forgotten, which counts as a loss
/// when it is heard again.
const SOURCES_MAX: usize = 8;
/// Maximum number of lanes; the bus has fewer.
const LANES_MAX: usize = 1_024;

#[derive(Debug, Clone, Copy)]
struct Source {
    id: u64,
    number: u64,
    heard_at: Duration,
}

/// The last envelope of each lane and courier.
#[derive(Debug, Default)]
pub(crate) struct MailChains {
    lanes: HashMap<u16, Vec<Source>>,
}

impl MailChains {
    /// Takes an envelope; returns whether mail before it may be lost. A courier that is new here counts as a loss:
    /// the one before it may have committed changes of which it told nobody.
    pub(crate) fn take(&mut self, lane: u16, source: u64, number: u64, now: Duration) -> bool {
        if self.lanes.len() >= LANES_MAX && !self.lanes.contains_key(&lane) {
            return true;
        }
        let sources = self.lanes.entry(lane).or_default();
        if let Some(known) = sources.iter_mut().find(|it| it.id == source) {
            let is_next = number == known.number.wrapping_add(1);
            (known.number, known.heard_at) = (number, now);
            return !is_next;
        }
        if sources.len() >= SOURCES_MAX {
            let silent = (0..sources.len()).min_by_key(|at| sources[*at].heard_at);
            silent.map(|at| sources.swap_remove(at));
        }
        sources.push(Source { id: source, number, heard_at: now });
        true
    }

    /// Forgets couriers that are silent; returns whether there was one.
    pub(crate) fn expire(&mut self, now: Duration) -> bool {
        let mut is_any = false;
        for sources in self.lanes.values_mut() {
            sources.retain(|source| {
                let is_heard = now.saturating_sub(source.heard_at) <= SILENCE_MAX;
                is_any |= !is_heard;
                is_heard
            });
        }
        is_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn missing_number_and_unknown_courier_are_losses() {
        let mut chains = MailChains::default();
        let mut take = |lane, source, number| chains.take(lane, source, number, secs(1));
        assert!(take(0, 7, 1), "a courier that is new here");
        assert!(!take(0, 7, 2) && !take(0, 7, 3));
        assert!(take(0, 7, 5) && !take(0, 7, 6));
        assert!(take(1, 7, 1), "another lane has its own numbers");
        assert!(take(0, 8, 1) && !take(0, 8, 2) && !take(0, 7, 7), "two couriers of one lane");
        assert!(take(0, 7, 7), "a number again is no next one");
    }

    #[test]
    fn silent_courier_is_a_loss_once() {
        let mut chains = MailChains::default();
        chains.take(0, 7, 1, secs(1));
        chains.take(1, 7, 1, secs(4));
        assert!(!chains.expire(secs(6)) && chains.expire(secs(7)) && !chains.expire(secs(8)));
        assert!(!chains.take(1, 7, 2, secs(8)) && chains.take(0, 7, 2, secs(8)));
    }

    #[test]
    fn many_couriers_and_lanes_are_bounded() {
        let mut chains = MailChains::default();
        for source in 0..100 {
            assert!(chains.take(0, source, 1, secs(source)));
        }
        assert_eq!(chains.lanes[&0].len(), SOURCES_MAX);
        assert!(!chains.take(0, 99, 2, secs(100)));
        for lane in 0..u16::MAX {
            chains.take(lane, 1, 1, secs(100));
        }
        assert_eq!(chains.lanes.len(), LANES_MAX);
    }
}
