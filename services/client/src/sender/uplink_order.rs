//! The order in which a client tries its uplinks: that of entry, corrected by what this client saw. Pure.

use std::collections::HashMap;

/// Time for which an uplink that did not answer is tried last.
const FAILED_MS: u64 = 60_000;
/// Time for which a race time counts. The client measures every ten minutes.
const RACED_MS: u64 = 20 * 60_000;
/// Race times that differ by less are equal: entry's order, which spreads the load, decides there.
const STEP_MS: u64 = 25;

/// Uplinks that entry or the configuration names, with what this client saw of them.
#[derive(Debug, Default)]
pub(super) struct UplinkOrder {
    named: Vec<String>,
    seen: HashMap<String, Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    failed_at_ms: Option<u64>,
    /// Race time, and when it was measured.
    raced: Option<(u64, u64)>,
}

impl UplinkOrder {
    /// Takes the uplinks in the order of entry. What is known of others is forgotten, which bounds the
    /// memory to one answer.
    pub(super) fn name(&mut self, named: Vec<String>) {
        self.seen.retain(|url, _| named.contains(url));
        self.named = named;
    }

    /// Notes that no server of Barrage answered at this uplink.
    pub(super) fn failed(&mut self, at_ms: u64, url: &str) {
        if let Some(seen) = self.seen(url) {
            seen.failed_at_ms = Some(at_ms);
        }
    }

    /// Notes an answer of this uplink, a refusal included.
    pub(super) fn answered(&mut self, url: &str) {
        if let Some(seen) = self.seen(url) {
            seen.failed_at_ms = None;
        }
    }

    /// Notes the result of a race: its time, or `None` when the uplink did not arrive.
    pub(super) fn raced(&mut self, at_ms: u64, url: &str, elapsed_ms: Option<u64>) {
        match (elapsed_ms, self.seen(url)) {
            (Some(elapsed_ms), Some(seen)) => seen.raced = Some((elapsed_ms, at_ms)),
            (None, Some(_)) => self.failed(at_ms, url),
            (_, None) => {}
        }
    }

    /// Returns the uplinks in the order to try. First those that answer: by race time in steps of 25 ms
    /// beyond the fastest, an unmeasured one as the fastest, equal ones as entry named them. Then those that
    /// failed within a minute, the oldest failure first.
    pub(super) fn order(&self, now_ms: u64) -> Vec<&str> {
        let of = |url: &String| self.seen.get(url).copied().unwrap_or_default();
        let raced_ms = |url: &String| {
            let raced = of(url).raced.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < RACED_MS);
            raced.map(|(elapsed_ms, _)| elapsed_ms)
        };
        let fastest_ms = self.named.iter().filter_map(raced_ms).min().unwrap_or_default();
        let key = |url: &String| {
            let failed = of(url).failed_at_ms.filter(|at_ms| now_ms.saturating_sub(*at_ms) < FAILED_MS);
            let steps = raced_ms(url).map_or(0, |ms| (ms - fastest_ms) / STEP_MS);
            // A failure orders by its time alone, plus one, so that one at 0 is a failure too.
            failed.map_or((0, steps), |at_ms| (at_ms + 1, 0))
        };
        let mut order: Vec<_> = self.named.iter().map(|url| (key(url), url.as_str())).collect();
        order.sort_by_key(|(key, _)| *key);
        order.into_iter().map(|(_, url)| url).collect()
    }

    fn seen(&mut self, url: &str) -> Option<&mut Seen> {
        self.named.iter().any(|named| named == url).then(|| self.seen.entry(url.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        steps: Vec<Step>,
    }

    #[derive(Deserialize)]
    struct Step {
        at_ms: u64,
        #[serde(flatten)]
        event: Event,
        order: Vec<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Event {
        Named(Vec<String>),
        Failed(String),
        Answered(String),
        Raced(Vec<(String, Option<u64>)>),
    }

    #[test]
    fn order_is_that_of_the_shared_vectors() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../vectors/uplink-order.json")).unwrap();
        assert!(cases.len() >= 6);
        for Case { name, steps } in cases {
            let mut order = UplinkOrder::default();
            for (number, Step { at_ms, event, order: wanted }) in steps.into_iter().enumerate() {
                match event {
                    Event::Named(named) => order.name(named),
                    Event::Failed(url) => order.failed(at_ms, &url),
                    Event::Answered(url) => order.answered(&url),
                    Event::Raced(times) => {
                        times.iter().for_each(|(url, ms)| order.raced(at_ms, url, *ms));
                    }
                }
                assert_eq!(order.order(at_ms), wanted, "{name}, step {number}");
            }
        }
    }
}
