//! Generated recordings: the parser finds the items that the generator wrote, and the figures
//! of a file lie within stated tolerances of its profile.

use std::io::Write;
use std::time::{Duration, Instant};

use barrage_recording::generate::{self, Expected, Generated, PROFILES, Profile};
use barrage_recording::{ItemKind, Limits, Mode, Recording};
use proptest::prelude::*;

fn parse(file: &Generated) -> Recording {
    barrage_recording::parse(&file.bytes, &Limits::default()).expect("a generated file is within the limits")
}

fn found(recording: &Recording) -> Expected {
    let mut found = Expected { skipped: recording.skipped, ..Expected::default() };
    for item in &recording.items {
        match item.kind {
            ItemKind::Chat { mode: Mode::Scroll | Mode::Reverse, .. } => found.scroll += 1,
            ItemKind::Chat { mode: Mode::Top, .. } => found.top += 1,
            ItemKind::Chat { mode: Mode::Bottom, .. } => found.bottom += 1,
            ItemKind::Chat { mode: Mode::Placed(_), .. } => found.placed += 1,
            ItemKind::Gift { .. } => found.gifts += 1,
            ItemKind::SuperChat { .. } => found.super_chats += 1,
        }
    }
    found
}

fn within(what: &str, found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{what}: {found}, wanted {wanted} ± {tolerance}");
}

/// Number of plain texts from which the quantiles of their lengths are checked.
const TEXTS_MIN: usize = 200;

/// Rates, counts and senders are exact; repeats may differ by 3 of 100 messages, the median
/// length by 2 characters. The 95th percentile may differ by half: a long text that is repeated often can be
/// a twentieth of all by itself (seed 11152354509165636078 of `vod-anime-music`).
fn check(profile: &Profile, file: &Generated) {
    let name = profile.name;
    let found = crate::statistics::of(std::str::from_utf8(&file.bytes).expect("profiles are in UTF-8"));
    assert_eq!(found.messages, profile.messages as usize, "{name}: messages");
    assert_eq!(found.peak_1s, profile.peak_1s as usize, "{name}: peak in 1 s");
    assert_eq!(found.peak_10s, profile.peak_10s as usize, "{name}: peak in 10 s");
    assert_eq!(found.senders, profile.senders as usize, "{name}: senders");
    within(&format!("{name}: seconds"), found.seconds as f64, f64::from(profile.seconds), 1.0);
    within(&format!("{name}: rare senders"), found.rare_senders, profile.rare_senders_share, 0.05);
    within(&format!("{name}: first sender"), found.first_sender, profile.first_sender_share, 0.03);
    within(&format!("{name}: repeats"), found.repeats, profile.repeats, 0.03);
    // The statistics leave placed texts aside.
    if file.expected.items() - file.expected.placed >= TEXTS_MIN {
        within(&format!("{name}: median length"), found.chars_p50 as f64, f64::from(profile.chars_p50), 2.0);
        let p95 = f64::from(profile.chars_p95);
        within(&format!("{name}: 95th percentile of the length"), found.chars_p95 as f64, p95, p95 / 2.0);
    }
    assert!(found.chars_max <= profile.chars_max as usize, "{name}: longest text {}", found.chars_max);
    let paid = profile.paid;
    let paid = [paid.gifts, paid.super_chats, paid.guards].map(|count| count as usize);
    assert_eq!(found.paid, paid, "{name}: gifts, super chats, memberships");
    for share in profile.modes {
        let number = share.value.number().to_string();
        let same = profile.modes.iter().filter(|other| other.value.number() == share.value.number());
        let wanted: f64 = same.map(|share| share.part).sum();
        let part = found.modes.get(&number).copied().unwrap_or_default() as f64 / found.messages as f64;
        within(&format!("{name}: mode {number}"), part, wanted, 0.003);
    }
}

#[test]
fn parser_finds_every_generated_item_and_every_skip() {
    for file in generate::all(1) {
        let recording = parse(&file);
        assert_eq!(found(&recording), file.expected, "{}", file.file_name);
        // Only recorders of live rooms write names.
        assert_eq!(recording.has_names, file.file_name.starts_with("live-"), "{}", file.file_name);
        assert_eq!(recording.items.len(), file.expected.items(), "{}", file.file_name);
        assert!(recording.items.is_sorted_by_key(|item| item.offset_ms), "{}", file.file_name);
        let (items, skipped) = (recording.items.len(), recording.skipped);
        drop(writeln!(std::io::stderr(), "generated {}: {items} items, skipped {skipped}", file.file_name));
    }
}

#[test]
fn oddities_have_every_reason_for_a_skip_but_too_many_attributes() {
    let expected = generate::oddities().expected;
    let shown = format!("{:?}", expected.skipped);
    let without: Vec<_> =
        shown.split(", ").filter(|field| field.trim_end_matches(" }").ends_with(": 0")).collect();
    assert_eq!(without, ["attributes: 0"], "{shown}");
}

#[test]
fn live_spike_rises_from_the_base_rate_within_its_seconds() {
    let profile = PROFILES.iter().find(|profile| profile.spike.is_some()).expect("one profile has a spike");
    let spike = profile.spike.expect("found by it");
    let recording = parse(&generate::recording(profile, 3));
    let chat = |item: &&barrage_recording::Item| matches!(item.kind, ItemKind::Chat { .. });
    let mut windows = vec![0_usize; profile.seconds as usize / 10];
    for item in recording.items.iter().filter(chat) {
        windows[item.offset_ms as usize / 10_000] += 1;
    }
    let peak = (0..windows.len()).max_by_key(|at| windows[*at]).expect("there are windows");
    let before = windows[..peak - spike.rise_secs as usize / 10].iter().copied().max().unwrap_or(0);
    let half = windows[peak] / 2;
    assert!(before < half, "already {before} in 10 s before the rise to {}", windows[peak]);
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    assert_eq!(generate::all(7), generate::all(7));
    let (a, b) = (generate::recording(&PROFILES[0], 7), generate::recording(&PROFILES[0], 8));
    assert_ne!(a.bytes, b.bytes);
}

#[test]
fn all_files_are_generated_within_seconds() {
    let started = Instant::now();
    let bytes: usize = generate::all(5).iter().map(|file| file.bytes.len()).sum();
    assert!(started.elapsed() < Duration::from_secs(20), "{bytes} bytes took {:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn figures_are_within_the_tolerances_for_every_seed(seed: u64, which in 0..PROFILES.len()) {
        let profile = &PROFILES[which];
        let file = generate::recording(profile, seed);
        check(profile, &file);
        prop_assert_eq!(found(&parse(&file)), file.expected);
    }
}

#[test]
fn every_profile_is_within_its_tolerances() {
    for profile in PROFILES {
        check(profile, &generate::recording(profile, 1));
    }
}
