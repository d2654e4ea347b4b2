//! Emotes of a text, found as ranges. Pure.

use barrage_bus::{EmoteWords, Settings, SharedMap};
use barrage_protocol::emote::Emote;
use barrage_protocol::{Digest, RoomId};

/// Maximum emotes of one text that are found; further words stay text.
const RANGES_MAX: usize = 50;

/// Emotes that count in one room: its own before the platform's.
#[derive(Debug, Clone, Copy)]
pub(super) struct EmoteSets<'a> {
    room: Option<&'a EmoteWords>,
    platform: &'a EmoteWords,
    /// Media that were removed everywhere: their emotes are words again.
    removed: &'a SharedMap<Digest, u64>,
}

impl<'a> EmoteSets<'a> {
    pub(super) fn of(settings: &'a Settings, room: &RoomId) -> Self {
        EmoteSets {
            room: settings.room_emotes.get(room),
            platform: &settings.platform_emotes,
            removed: &settings.removed_media,
        }
    }

    /// Returns the emote for which a whole word stands.
    pub(super) fn find(self, word: &str) -> Option<&'a Emote> {
        let found = self.room.and_then(|room| room.find(word)).or_else(|| self.platform.find(word))?;
        let is_removed = found.media.as_ref().is_some_and(|media| self.removed.contains_key(&media.digest));
        (!is_removed).then_some(found)
    }

    /// Returns start, end and id of each emote of a cleaned text. A word between spaces stands for an
    /// emote as a whole or not at all, so that of names within each other the longest counts. Positions
    /// are in UTF-16 code units, as browsers, Java and Swift count.
    pub(super) fn ranges(self, text: &str) -> Vec<(u32, u32, &'a str)> {
        if self.room.is_none_or(EmoteWords::is_empty) && self.platform.is_empty() {
            return Vec::new();
        }
        let (mut ranges, mut start) = (Vec::new(), 0);
        for word in text.split(' ') {
            let end = start + utf16_len(word);
            if let Some(emote) = self.find(word) {
                ranges.push((start, end, emote.id.as_str()));
                if ranges.len() == RANGES_MAX {
                    break;
                }
            }
            start = end + 1;
        }
        ranges
    }
}

/// Returns the length in UTF-16 code units. Texts are bounded far below the range of `u32`.
fn utf16_len(word: &str) -> u32 {
    let units = if word.is_ascii() { word.len() } else { word.encode_utf16().count() };
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use barrage_protocol::emote::EmoteSet;
    use proptest::prelude::*;

    use super::*;

    fn words(names: &[&str]) -> EmoteWords {
        let emote = |(at, name): (usize, &&str)| Emote {
            id: format!("e{at}"),
            name: (*name).to_owned(),
            url: "/e.png".into(),
            px: vec![28],
            ..Emote::default()
        };
        EmoteWords::new(EmoteSet { emotes: names.iter().enumerate().map(emote).collect() })
    }

    fn ranges(names: &[&str], text: &str) -> Vec<(u32, u32, String)> {
        let platform = words(names);
        let removed = SharedMap::default();
        let found = EmoteSets { room: None, platform: &platform, removed: &removed }.ranges(text);
        found.into_iter().map(|(start, end, id)| (start, end, id.to_owned())).collect()
    }

    #[test]
    fn names_within_each_other_are_whole_words() {
        let names = ["Kap", "Kappa", "KappaPride", ":)"];
        let found =
            |text| ranges(&names, text).into_iter().map(|(start, end, id)| format!("{start}-{end} {id}"));
        let found = |text| found(text).collect::<Vec<_>>().join(", ");
        assert_eq!(found("Kappa KappaPride Kap"), "0-5 e1, 6-16 e2, 17-20 e0");
        assert_eq!(found("Kappa, xKappa KappaKappa kappa"), "");
        assert_eq!(found("hi :) Kappa"), "3-5 e3, 6-11 e1");
    }

    #[test]
    fn positions_are_utf16_code_units() {
        let text = "弹幕 😀 Kappa 👩‍👩‍👧 Kappa";
        let units: Vec<u16> = text.encode_utf16().collect();
        let found = ranges(&["Kappa"], text);
        assert_eq!(found.len(), 2);
        for (start, end, _) in found {
            let word = String::from_utf16(&units[start as usize..end as usize]).unwrap();
            assert_eq!(word, "Kappa");
        }
    }

    #[test]
    fn a_room_goes_before_the_platform_and_the_number_is_bounded() {
        let (room, platform) = (words(&["Kappa"]), words(&["x", "Kappa", "LUL"]));
        let removed = SharedMap::default();
        let sets = EmoteSets { room: Some(&room), platform: &platform, removed: &removed };
        assert_eq!(sets.ranges("Kappa LUL"), [(0, 5, "e0"), (6, 9, "e2")]);
        assert_eq!(sets.ranges(&"x ".repeat(100)).len(), RANGES_MAX);
    }

    proptest! {
        #[test]
        fn ranges_are_words_of_the_text_in_order(text in "([ab😀弹]{1,3} ?){0,20}") {
            let names = ["a", "ab", "b😀", "弹", "aba"];
            let units: Vec<u16> = text.encode_utf16().collect();
            let mut last = 0;
            for (start, end, id) in ranges(&names, &text) {
                prop_assert!(start >= last && end > start);
                let word = String::from_utf16(&units[start as usize..end as usize]).unwrap();
                prop_assert_eq!(names[id[1..].parse::<usize>().unwrap()], word);
                prop_assert!(start == 0 || units[start as usize - 1] == u16::from(b' '));
                prop_assert!(units.get(end as usize).is_none_or(|unit| *unit == u16::from(b' ')));
                last = end;
            }
        }
    }

    #[test]
    fn ten_thousand_emotes_cost_little_time() {
        let names: Vec<_> = (0..10_000).map(|n| format!("emote{n}")).collect();
        let platform = words(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let removed = SharedMap::default();
        let sets = EmoteSets { room: None, platform: &platform, removed: &removed };
        let texts: Vec<_> = (0..100).map(|n| format!("emote{n} is not emoteX 弹幕 ").repeat(8)).collect();
        assert_eq!(sets.ranges(&texts[7]).len(), 8);
        let mut times: Vec<_> = (0..5_000)
            .map(|n| {
                let started = barrage_clock::now();
                std::hint::black_box(sets.ranges(&texts[n % texts.len()]));
                Instant::elapsed(&started)
            })
            .collect();
        times.sort_unstable();
        // 20 µs with optimisation on a machine of its own; tests have neither.
        assert!(times[times.len() * 99 / 100].as_micros() < 400, "p99 {:?}", times[times.len() * 99 / 100]);
    }
}
