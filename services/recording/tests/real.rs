//! Real recordings: every message that the rules keep, and every other one
//! counted by its reason.

use std::path::Path;

use barrage_recording::{Item, ItemKind, Limits, Mode, Recording, Skipped};

fn recording(name: &str) -> Recording {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/danmaku");
    let path = folder.join(name);
    let file = std::fs::File::open(&path).unwrap_or_else(|error| {
        panic!("{}: {error}: the real recordings must lie beside the repository", path.display())
    });
    barrage_recording::read(std::io::BufReader::new(file), &Limits::default())
        .expect("a real recording is within the limits")
}

fn chats(recording: &Recording, wanted: Mode) -> usize {
    let matches = |item: &&Item| matches!(item.kind, ItemKind::Chat { mode, .. } if mode == wanted);
    recording.items.iter().filter(matches).count()
}

/// Items in all, then by mode, and the seconds of the last one.
fn check(name: &str, modes: [usize; 3], seconds: u64, skipped: Skipped) {
    let recording = recording(name);
    let found = [Mode::Scroll, Mode::Top, Mode::Bottom].map(|mode| chats(&recording, mode));
    assert_eq!(found, modes, "{name}");
    assert_eq!(recording.items.len(), modes.iter().sum::<usize>(), "{name}");
    assert_eq!(recording.skipped, skipped, "{name}: {}", recording.skipped);
    assert!(
        recording.duration_ms().div_ceil(1000).abs_diff(seconds) <= 1,
        "{name}: {}",
        recording.duration_ms()
    );
    assert!(recording.items.is_sorted_by_key(|item| item.offset_ms), "{name}");
}

#[test]
fn four_videos_give_what_their_modes_allow() {
    let none = Skipped::default();
    check("vod-comedy.xml", [979, 151, 70], 180, none);
    check("vod-drama.xml", [1202, 74, 110], 506, none);
    check("vod-anime-music.xml", [801, 124, 35], 220, Skipped { positioned: 279, ..none });
    check("vod-concert-burst.xml", [996 + 58, 19, 38], 287, Skipped { positioned: 1563, ..none });
}

#[test]
fn drawings_are_positioned_or_too_long() {
    let recording = recording("positioned.xml");
    assert_eq!(recording.items.len() as u64 + recording.skipped.total(), 1104);
    assert_eq!(recording.skipped, Skipped { positioned: 659, too_long: 370, ..Skipped::default() });
}
