//! Real recordings, where `BARRAGE_RECORDINGS` names a folder of danmaku files: every message
//! that the rules keep, and every other one counted by its reason. Without the variable only
//! the generated recordings are tested (`generated.rs`).

use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;

use barrage_recording::generate::PROFILES;
use barrage_recording::{Item, ItemKind, Limits, Mode, Recording, Skipped};

/// The folder of real recordings. The first call says on standard error what is tested.
fn folder() -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let folder = std::env::var_os("BARRAGE_RECORDINGS").filter(|folder| !folder.is_empty());
    let folder = folder.map(PathBuf::from);
    SAID.call_once(|| {
        let said = match &folder {
            Some(folder) => format!("real recordings of {} are tested", folder.display()),
            None => "only generated recordings are tested: BARRAGE_RECORDINGS is not set".into(),
        };
        // Past the test harness, which hides the output of tests that pass.
        drop(writeln!(std::io::stderr(), "{said}"));
    });
    folder
}

/// A file of the folder; `None` when the folder does not have it.
fn file(folder: &std::path::Path, name: &str) -> Option<Vec<u8>> {
    let path = folder.join(name);
    path.is_file().then(|| std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn parse(bytes: &[u8]) -> Recording {
    barrage_recording::parse(bytes, &Limits::default()).expect("a real recording is within the limits")
}

fn chats(recording: &Recording, wanted: Mode) -> usize {
    let matches = |item: &&Item| matches!(item.kind, ItemKind::Chat { mode, .. } if mode == wanted);
    recording.items.iter().filter(matches).count()
}

/// Items by mode, entries of mode 7 (kept, or skipped for their text), and the seconds of the last item.
fn check(name: &str, modes: [usize; 3], mode_7: usize, seconds: u64) {
    let Some(recording) = folder().and_then(|folder| file(&folder, name)).map(|bytes| parse(&bytes)) else {
        return;
    };
    let mut found = [Mode::Scroll, Mode::Top, Mode::Bottom].map(|mode| chats(&recording, mode));
    found[0] += chats(&recording, Mode::Reverse);
    assert_eq!(found, modes, "{name}");
    let placed = |item: &&Item| matches!(item.kind, ItemKind::Chat { mode: Mode::Placed(_), .. });
    let placed = recording.items.iter().filter(placed).count();
    assert_eq!(recording.items.len(), modes.iter().sum::<usize>() + placed, "{name}");
    assert_eq!(placed as u64 + recording.skipped.total(), mode_7 as u64, "{name}: {}", recording.skipped);
    assert!(
        recording.duration_ms().div_ceil(1000).abs_diff(seconds) <= 1,
        "{name}: {}",
        recording.duration_ms()
    );
    assert!(recording.items.is_sorted_by_key(|item| item.offset_ms), "{name}");
}

#[test]
fn four_videos_give_what_their_modes_allow() {
    check("vod-comedy.xml", [979, 151, 70], 0, 180);
    check("vod-drama.xml", [1202, 74, 110], 0, 506);
    check("vod-anime-music.xml", [801, 124, 35], 279, 220);
    check("vod-concert-burst.xml", [996 + 58, 19, 38], 1563, 287);
}

#[test]
fn drawings_are_kept_or_too_long() {
    let Some(bytes) = folder().and_then(|folder| file(&folder, "positioned.xml")) else { return };
    let recording = parse(&bytes);
    assert_eq!(recording.items.len() as u64 + recording.skipped.total(), 1104);
    assert_eq!(recording.skipped, Skipped { too_long: 370, ..Skipped::default() });
}

#[test]
fn every_file_of_the_folder_is_read_or_refused_with_a_reason() {
    let Some(folder) = folder() else { return };
    let listed = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = 0;
    for entry in listed {
        let path = entry.expect("the folder can be listed").path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            files += 1;
            let recording = parse(&std::fs::read(&path).expect("the file can be read"));
            let total = recording.items.len() as u64 + recording.skipped.total();
            assert!(total > 0, "{}: no entry was read or skipped", path.display());
        }
    }
    assert!(files > 0, "BARRAGE_RECORDINGS={}: no .xml file is in this folder", folder.display());
}

/// The generator's profiles are the figures of the real files.
#[test]
fn profiles_have_the_figures_of_the_real_files() {
    let Some(folder) = folder() else { return };
    for profile in PROFILES {
        let Some(bytes) = file(&folder, &format!("{}.xml", profile.name)) else { continue };
        let found = crate::statistics::of(&String::from_utf8_lossy(&bytes));
        let name = profile.name;
        let figures = [found.messages, found.peak_1s, found.peak_10s, found.senders];
        let wanted =
            [profile.messages, profile.peak_1s, profile.peak_10s, profile.senders].map(|n| n as usize);
        assert_eq!(figures, wanted, "{name}: messages, peak in 1 s, peak in 10 s, senders");
        let close = |what: &str, found: f64, wanted: f64, tolerance: f64| {
            assert!((found - wanted).abs() <= tolerance, "{name}: {what}: {found}, profile {wanted}");
        };
        close("repeats", found.repeats, profile.repeats, 0.01);
        close("rare senders", found.rare_senders, profile.rare_senders_share, 0.01);
        close("first sender", found.first_sender, profile.first_sender_share, 0.01);
        assert_eq!(found.paid, [0; 3], "{name}: a video has no gifts");
        assert!(found.modes.len() >= 3, "{name}: modes {:?}", found.modes);
        close("seconds", found.seconds as f64, f64::from(profile.seconds), 1.0);
        if profile.name != "positioned" {
            close("median length", found.chars_p50 as f64, f64::from(profile.chars_p50), 1.0);
            close("95th percentile", found.chars_p95 as f64, f64::from(profile.chars_p95), 2.0);
            assert_eq!(found.chars_max, profile.chars_max as usize, "{name}: longest text");
        }
    }
}
