//! Seconds of the messages: exact peaks over 1 s and 10 s, a wandering rate elsewhere.

use rand::RngExt;
use rand::rngs::StdRng;

use super::profile::{OffsetForm, Profile, Writer};

/// Length of the longer of the two windows with an exact peak, in seconds.
const WINDOW_SECS: usize = 10;
/// Attempts to place a message below both peaks, before any free second is taken.
const TRIES_MAX: usize = 1_000;

/// Returns the second of each message, in ascending order.
pub(super) fn seconds(profile: &Profile, rng: &mut StdRng) -> Vec<u32> {
    let length = profile.active_secs as usize;
    let mut counts = vec![0_u32; length];
    let peak_at = peak(profile, &mut counts, rng);
    let last = u32::from(profile.seconds > profile.active_secs);
    let mut left = profile.messages - counts.iter().sum::<u32>() - last;
    // The first and the last second are taken, so that the length is exact.
    for edge in [0, length - 1] {
        if last == 0 && counts[edge] == 0 && left > 0 {
            counts[edge] += 1;
            left -= 1;
        }
    }
    let weights = weights(profile, peak_at, rng);
    place(profile, &weights, peak_at / WINDOW_SECS, left, &mut counts, rng);
    let mut seconds = Vec::with_capacity(profile.messages as usize);
    for (second, count) in counts.iter().enumerate() {
        seconds.extend(std::iter::repeat_n(second as u32, *count as usize));
    }
    seconds.extend((0..last).map(|_| profile.seconds));
    seconds
}

/// Fills the busiest window; returns its busiest second.
fn peak(profile: &Profile, counts: &mut [u32], rng: &mut StdRng) -> usize {
    let windows = counts.len() / WINDOW_SECS;
    let first = profile.spike.map_or(0, |spike| spike.rise_secs as usize / WINDOW_SECS + 1);
    let window = rng.random_range(first.min(windows - 1)..windows) * WINDOW_SECS;
    let at = window + rng.random_range(0..WINDOW_SECS);
    counts[at] = profile.peak_1s;
    let mut left = profile.peak_10s.saturating_sub(profile.peak_1s);
    while left > 0 {
        let second = window + rng.random_range(0..WINDOW_SECS);
        if second != at && counts[second] < profile.peak_1s {
            counts[second] += 1;
            left -= 1;
        }
    }
    at
}

/// The usual rate of each second: a random walk, with the spike's rise where there is one.
fn weights(profile: &Profile, peak_at: usize, rng: &mut StdRng) -> Vec<f64> {
    let mut level: f64 = 1.0;
    (0..profile.active_secs as usize)
        .map(|second| {
            level = (level * rng.random_range(0.8..1.25)).clamp(0.3, 3.0);
            let Some(spike) = profile.spike else { return level };
            let peak_per_s = f64::from(profile.peak_10s) / WINDOW_SECS as f64;
            let before = (peak_at as f64 - second as f64).abs() / f64::from(spike.rise_secs);
            let share = (1.0 - before).max(0.0);
            level + (peak_per_s / spike.base_per_s - 1.0) * share * share
        })
        .collect()
}

/// Places the rest by weight: no second reaches the peak, no window the busiest one.
fn place(
    profile: &Profile,
    weights: &[f64],
    peak_window: usize,
    left: u32,
    counts: &mut [u32],
    rng: &mut StdRng,
) {
    let cumulative: Vec<f64> = weights
        .iter()
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let whole = cumulative.last().copied().unwrap_or_default();
    let windows = counts.len().div_ceil(WINDOW_SECS);
    let mut in_window: Vec<u32> =
        (0..windows).map(|n| counts.iter().skip(n * WINDOW_SECS).take(WINDOW_SECS).sum()).collect();
    let has_room = |second: usize, counts: &[u32], in_window: &[u32]| {
        let window = second / WINDOW_SECS;
        window != peak_window
            && counts[second] + 1 < profile.peak_1s
            && in_window[window] + 1 < profile.peak_10s
    };
    for _ in 0..left {
        let drawn = (0..TRIES_MAX).find_map(|_| {
            let at = rng.random_range(0.0..whole);
            let second = cumulative.partition_point(|sum| *sum <= at);
            has_room(second, counts, &in_window).then_some(second)
        });
        let second = drawn.or_else(|| (0..counts.len()).find(|second| has_room(*second, counts, &in_window)));
        let second = second.expect("a profile's peaks leave room for its messages");
        counts[second] += 1;
        in_window[second / WINDOW_SECS] += 1;
    }
}

/// A time within a second that stays in this second in the file's form.
pub(super) fn offset_ms(profile: &Profile, second: u32, rng: &mut StdRng) -> u64 {
    let step_ms = match profile.writer {
        Writer::Site { offset: OffsetForm::OneDecimal, .. } => 100,
        Writer::Site { offset: OffsetForm::FiveDecimals | OffsetForm::Float32, .. }
        | Writer::BililiveRecorder
        | Writer::Blrec => 1,
    };
    u64::from(second) * 1_000 + rng.random_range(0..990 / step_ms) * step_ms
}
