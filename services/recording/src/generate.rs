//! Generates recordings: danmaku files with the rates, repeats, senders, text lengths and
//! oddities of real ones, and with no text of any of them.
//!
//! Tests and benchmarks read these files, so that a clone of the repository needs nothing
//! beside it. The profiles ([`PROFILES`]) hold the figures of five published recordings of
//! videos and of live rooms. The mix of gifts, super chats and memberships is an estimate: no
//! recording with timed gifts was at hand.
//!
//! The same profile and seed give the same bytes with the same version of `rand`.

mod element;
mod oddities;
pub mod profile;
mod rates;
mod senders;
mod texts;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::skipped::Skipped;
use element::{Danmaku, Element, Kind};
pub use oddities::oddities;
pub use profile::{PROFILES, Profile};
use profile::{Share, Writer};

/// A generated file, and the result that a correct parser gives for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// File name with its extension, the same for every seed.
    pub file_name: String,
    /// Content of the file; the file of oddities is not valid UTF-8.
    pub bytes: Vec<u8>,
    /// The result that a correct parser has for the file.
    pub expected: Expected,
}

/// Number of items of each kind that [`crate::parse`] finds in a generated file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Scrolling danmaku, those in the reverse direction included.
    pub scroll: usize,
    /// Danmaku that are fixed at the top of the picture.
    pub top: usize,
    /// Danmaku that are fixed at the bottom of the picture.
    pub bottom: usize,
    /// Danmaku at a position of their own.
    pub placed: usize,
    /// Gifts and memberships, which the parser returns as one kind.
    pub gifts: usize,
    /// Number of super chats that the parser keeps.
    pub super_chats: usize,
    /// Entries that the parser skips, by reason.
    pub skipped: Skipped,
}

impl Expected {
    /// Number of items that the parser keeps.
    #[must_use]
    pub fn items(&self) -> usize {
        self.scroll + self.top + self.bottom + self.placed + self.gifts + self.super_chats
    }
}

/// Generates one file for each profile, and the file of oddities.
#[must_use]
pub fn all(seed: u64) -> Vec<Generated> {
    let mut files: Vec<_> = PROFILES.iter().map(|profile| recording(profile, seed)).collect();
    files.push(oddities());
    files
}

/// Generates the file of one profile. The danmaku rates are exact; the positions of gifts and
/// super chats are random within the recording.
#[must_use]
pub fn recording(profile: &Profile, seed: u64) -> Generated {
    let mut rng = StdRng::seed_from_u64(seed ^ name_hash(profile.name));
    let mut elements = danmaku(profile, &mut rng);
    elements.extend(element::paid(profile, &mut rng));
    match profile.writer {
        // The site serves a video's danmaku by row id, not by offset.
        Writer::Site { .. } => elements.shuffle(&mut rng),
        Writer::BililiveRecorder | Writer::Blrec => elements.sort_by_key(Element::offset_ms),
    }
    let mut expected = Expected::default();
    let mut text = element::header(profile.writer);
    for (row, element) in elements.iter().enumerate() {
        element.count(&mut expected);
        element.write(profile.writer, row, &mut text);
    }
    text.push_str("</i>\n");
    Generated { file_name: format!("{}.xml", profile.name), bytes: text.into_bytes(), expected }
}

/// Generates all danmaku of a profile, in the order of their seconds.
fn danmaku(profile: &Profile, rng: &mut StdRng) -> Vec<Element> {
    let total = profile.messages as usize;
    let seconds = rates::seconds(profile, rng);
    let modes = dealt(profile.modes, total, rng);
    let senders = senders::senders(profile, &modes, rng);
    let mut texts = texts::Texts::new(profile, &modes, rng);
    let mut burst = None;
    (0..total)
        .map(|at| {
            let second = seconds[at];
            // Some recorders stamp every message of one socket read with one time.
            let offset_ms = match burst {
                Some((of, offset_ms)) if of == second && texts::chance(rng, profile.same_stamp) => offset_ms,
                _ => rates::offset_ms(profile, second, rng),
            };
            burst = Some((second, offset_ms));
            let danmaku = Danmaku::new(modes[at], senders[at], texts.next(modes[at], rng), rng);
            Element { offset_ms, kind: Kind::Danmaku(danmaku) }
        })
        .collect()
}

/// Deals values out by their shares, exact to one item each, in random order. The first value
/// takes the remainder.
fn dealt<T: Copy>(shares: &[Share<T>], total: usize, rng: &mut StdRng) -> Vec<T> {
    let mut dealt = Vec::with_capacity(total);
    for share in shares.iter().skip(1) {
        let wanted = (share.part * total as f64).round() as usize;
        dealt.extend(std::iter::repeat_n(share.value, wanted.min(total - dealt.len())));
    }
    dealt.extend(
        shares
            .first()
            .map(|share| std::iter::repeat_n(share.value, total - dealt.len()))
            .into_iter()
            .flatten(),
    );
    dealt.shuffle(rng);
    dealt
}

/// FNV-1a, so that the files of one seed do not repeat each other.
fn name_hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
