//! Senders of the messages: a few of them write most.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::profile::{Mode, Profile};

/// The sender of each message, as a number below [`Profile::senders`]. The most active one is
/// number 0. Positioned danmaku and drawings come from the first senders: few people draw.
pub(super) fn senders(profile: &Profile, modes: &[Mode], rng: &mut StdRng) -> Vec<u32> {
    let is_drawn = |mode: &&Mode| matches!(mode, Mode::Positioned | Mode::Drawing);
    let counts = counts(profile, modes.len(), rng);
    let mut drawing: Vec<u32> = counts
        .iter()
        .enumerate()
        .flat_map(|(sender, count)| std::iter::repeat_n(sender as u32, *count))
        .collect();
    let mut writing = drawing.split_off(modes.iter().filter(is_drawn).count());
    drawing.shuffle(rng);
    writing.shuffle(rng);
    let (mut drawing, mut writing) = (drawing.into_iter(), writing.into_iter());
    let next = |mode| if is_drawn(&mode) { drawing.next() } else { writing.next() };
    modes.iter().map(next).map(Option::unwrap_or_default).collect()
}

/// The number of messages of each sender.
fn counts(profile: &Profile, total: usize, rng: &mut StdRng) -> Vec<usize> {
    let senders = profile.senders as usize;
    let mut counts = vec![1_usize; senders];
    let first = (profile.first_sender_share * total as f64) as usize;
    counts[0] = first.clamp(1, total - (senders - 1));
    let mut left = total - counts.iter().sum::<usize>();
    let active = (((1.0 - profile.rare_senders_share) * senders as f64).round() as usize).clamp(1, senders);
    // Active senders write three or more each, by Zipf's law; the rest of a third write two.
    for count in counts.iter_mut().take(active).skip(1) {
        let more = left.min(2);
        *count += more;
        left -= more;
    }
    for count in counts.iter_mut().skip(active) {
        if left > 0 && rng.random_bool(0.25) {
            *count += 1;
            left -= 1;
        }
    }
    let harmonic: f64 = (1..active).map(|rank| 1.0 / rank as f64).sum();
    while left > 0 && active > 1 {
        let mut at = rng.random_range(0.0..harmonic);
        let rank = (1..active).find(|rank| {
            at -= 1.0 / *rank as f64;
            at <= 0.0
        });
        // The first sender stays the most active one: where a sender has caught up, another
        // active one takes the message.
        let has_room = |sender: &usize| counts[*sender] + 1 < counts[0];
        let drawn = rank.filter(has_room).or_else(|| {
            let from = rng.random_range(1..active);
            (from..active).chain(1..from).find(has_room)
        });
        counts[drawn.unwrap_or(0)] += 1;
        left -= 1;
    }
    counts[0] += left;
    counts
}
