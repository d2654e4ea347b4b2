//! Malicious and broken files.

use std::fmt::Write;
use std::time::{Duration, Instant};

use barrage_recording::{ItemKind, Limits, Recording, RecordingError, Skipped, parse};

const P: &str = "1,1,25,16777215,0,0,abc,1";

fn read(text: &str) -> Recording {
    parse(text.as_bytes(), &Limits::default()).expect("the file is valid as a whole")
}

fn texts(recording: &Recording) -> Vec<&str> {
    let text = |kind| match kind {
        &ItemKind::Chat { ref text, .. } | &ItemKind::SuperChat { ref text, .. } => text.as_str(),
        ItemKind::Gift { name, .. } => name.as_str(),
    };
    recording.items.iter().map(|item| text(&item.kind)).collect()
}

/// Asserts that an entry before and one after a bad entry are still parsed.
fn between(entry: &str, skipped: Skipped) {
    let file = format!(r#"<i><d p="{P}">before</d>{entry}<d p="2{}">after</d></i>"#, &P[1..]);
    let recording = read(&file);
    assert_eq!(texts(&recording), ["before", "after"], "{entry:.80}");
    assert_eq!(recording.skipped, skipped, "{entry:.80}: {}", recording.skipped);
}

#[test]
fn a_bad_entry_costs_no_other_entry() {
    let none = Skipped::default();
    let d = |text: &str| format!(r#"<d p="{P}">{text}</d>"#);
    between(&d("   "), Skipped { empty: 1, ..none });
    between(&format!(r#"<d p="{P}"/>"#), Skipped { empty: 1, ..none });
    between(&d(&"长".repeat(201)), Skipped { too_long: 1, ..none });
    between(&d(&"&amp;".repeat(100_000)), Skipped { too_long: 1, ..none });
    between(&d("bell \u{7}"), Skipped { control_characters: 1, ..none });
    between(&d("bell &#7;"), Skipped { control_characters: 1, ..none });
    between(&d("turned \u{202e}over"), Skipped { control_characters: 1, ..none });
    between(&d("&#0;"), Skipped { entity: 1, ..none });
    between(&d("&#xD800;"), Skipped { entity: 1, ..none });
    between(&d("&nbsp;"), Skipped { entity: 1, ..none });
    between(&d("<b>bold</b>"), Skipped { malformed: 1, ..none });
    between(&d("a<b"), Skipped { malformed: 1, ..none });
    between(&d("a</b>"), Skipped { malformed: 1, ..none });
    between(&format!(r#"<d p="{P}">never closed"#), Skipped { malformed: 1, ..none });
    between(r"<d>no p</d>", Skipped { missing_field: 1, ..none });
    between(r#"<d p="1,1,25">short p</d>"#, Skipped { missing_field: 1, ..none });
    for p in ["x,1,25,1,0,0,a,1", "-1,1,25,1,0,0,a,1", "nan,1,25,1,0,0,a,1", "1e9,1,25,1,0,0,a,1"] {
        between(&format!(r#"<d p="{p}">x</d>"#), Skipped { bad_field: 1, ..none });
    }
    for p in ["1,1,0,1,0,0,a,1", "1,1,25,-1,0,0,a,1", "1,1,25,4294967296,0,0,a,1", "1,z,25,1,0,0,a,1"] {
        between(&format!(r#"<d p="{p}">x</d>"#), Skipped { bad_field: 1, ..none });
    }
    between(r#"<d p="1,7,25,1,0,0,a,1">[1]</d>"#, Skipped { positioned: 1, ..none });
    between(r#"<d p="1,8,25,1,0,0,a,1">run()</d>"#, Skipped { scripted: 1, ..none });
    between(r#"<d p="1,9,25,1,0,0,a,1">x</d>"#, Skipped { unknown_mode: 1, ..none });
    between(r#"<gift ts="1" user="u" giftname="g" giftcount="-3"/>"#, Skipped { bad_field: 1, ..none });
    between(
        r#"<gift ts="1" user="u" giftname="g" giftcount="4294967297"/>"#,
        Skipped { bad_field: 1, ..none },
    );
    between(r#"<gift ts="1" user="u" giftname="" giftcount="1"/>"#, Skipped { empty: 1, ..none });
    between(r#"<guard ts="1" user="u" level="0" count="1"/>"#, Skipped { bad_field: 1, ..none });
    between(r#"<sc ts="1" user="u" price="1e400" time="60">x</sc>"#, Skipped { bad_field: 1, ..none });
    between(r"<unknown><deep>x</deep></unknown>", none);
}

#[test]
fn bytes_that_are_not_utf8_cost_their_entry_alone() {
    let mut file = format!(r#"<i><d p="{P}">a</d><d p="{P}">b"#).into_bytes();
    file.extend_from_slice(b"\xff\xfe");
    file.extend_from_slice(format!(r#"</d><d p="{P}">c</d></i>"#).as_bytes());
    let recording = parse(&file, &Limits::default()).unwrap();
    assert_eq!(texts(&recording), ["a", "c"]);
    assert_eq!(recording.skipped, Skipped { invalid_utf8: 1, ..Skipped::default() });
}

#[test]
fn twenty_thousand_attributes_are_parsed_within_a_second() {
    let mut tag = format!(r#"<d p="{P}" "#);
    for n in 0..20_000 {
        write!(tag, r#"a{n}="x" "#).unwrap();
    }
    tag.push_str(">x</d>");
    let started = Instant::now();
    between(&tag, Skipped { attributes: 1, ..Skipped::default() });
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn nesting_beyond_depth_max_is_refused() {
    let file = format!("<i>{}", "<a>".repeat(1_000_000));
    let refused = parse(file.as_bytes(), &Limits::default());
    assert!(matches!(refused, Err(RecordingError::TooDeep(32))), "{refused:?}");
}

#[test]
fn entities_are_never_expanded() {
    let mut file = String::from(r#"<?xml version="1.0"?><!DOCTYPE i [<!ENTITY l0 "lol">"#);
    for n in 1..12 {
        let ten = format!("&l{};", n - 1).repeat(10);
        write!(file, r#"<!ENTITY l{n} "{ten}">"#).unwrap();
    }
    write!(file, r#"]><i><d p="{P}">&l11;</d><d p="{P}">1 &lt; 2 &amp; &#x5f39;&#24149;</d></i>"#).unwrap();
    let recording = read(&file);
    assert_eq!(texts(&recording), ["1 < 2 & 弹幕"]);
    assert_eq!(recording.skipped, Skipped { entity: 1, ..Skipped::default() });
}

#[test]
fn external_entities_are_never_read() {
    for dtd in [
        r#"<!DOCTYPE i SYSTEM "file:///etc/passwd">"#,
        r#"<!DOCTYPE i [<!ENTITY x SYSTEM "file:///etc/passwd">]>"#,
        r#"<!DOCTYPE i [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>"#,
    ] {
        let file = format!(r#"{dtd}<i><d p="{P}">&x;</d><d p="{P}" user="&x;">a</d><d p="{P}">kept</d></i>"#);
        let recording = read(&file);
        assert_eq!(texts(&recording), ["kept"], "{dtd}");
        assert_eq!(recording.skipped, Skipped { entity: 2, ..Skipped::default() }, "{dtd}");
    }
}

#[test]
fn array_of_a_placed_text_is_bounded_and_its_text_is_checked() {
    let placed = |array: &str| format!(r#"<d p="1,7,25,1,0,0,a,1">{array}</d>"#);
    let none = Skipped::default();
    let array = |text: &str| placed(&format!(r#"[0.1,0.2,"1-1",4,"{text}",0,0]"#));
    between(&array(&"长".repeat(201)), Skipped { too_long: 1, ..none });
    between(&array(&"x".repeat(100_000)), Skipped { too_long: 1, ..none });
    between(&placed(&"[".repeat(100_000)), Skipped { too_long: 1, ..none });
    between(&array(r"bell \u0007"), Skipped { control_characters: 1, ..none });
    between(&array(r"turned \u202eover"), Skipped { control_characters: 1, ..none });
    between(&array("  "), Skipped { empty: 1, ..none });
}

#[test]
fn a_file_that_is_cut_off_keeps_earlier_entries() {
    let whole = format!(r#"<i><d p="{P}">a</d><d p="{P}">弹幕</d></i>"#);
    let root = "<i>".len();
    let first = whole.find("</d>").unwrap() + "</d>".len();
    let second = whole.rfind("</d>").unwrap() + "</d>".len();
    for end in root..whole.len() {
        let recording = parse(&whole.as_bytes()[..end], &Limits::default()).unwrap();
        let kept = usize::from(end >= first) + usize::from(end >= second);
        assert_eq!(recording.items.len(), kept, "cut at {end}");
        assert_eq!(recording.skipped, Skipped { truncated: 1, ..Skipped::default() }, "cut at {end}");
    }
}

#[test]
fn a_file_that_is_no_recording_is_refused() {
    for other in ["", "<html><d/></html>", "plain text", "\u{0}\u{1}", "{}"] {
        let refused = parse(other.as_bytes(), &Limits::default());
        assert!(matches!(refused, Err(RecordingError::NotARecording)), "{other:?}: {refused:?}");
    }
    let gbk = r#"<?xml version="1.0" encoding="GBK"?><i></i>"#;
    assert!(matches!(parse(gbk.as_bytes(), &Limits::default()), Err(RecordingError::Encoding)));
}

#[test]
fn files_beyond_a_limit_are_refused() {
    let file = format!("<i>{}</i>", format!(r#"<d p="{P}">x</d>"#).repeat(3));
    let limits = Limits { items_max: 2, ..Limits::default() };
    assert!(matches!(parse(file.as_bytes(), &limits), Err(RecordingError::TooManyItems(2))));
    let limits = Limits { file_bytes_max: file.len(), ..Limits::default() };
    assert!(barrage_recording::read(file.as_bytes(), &limits).is_ok());
    let limits = Limits { file_bytes_max: file.len() - 1, ..Limits::default() };
    assert!(matches!(barrage_recording::read(file.as_bytes(), &limits), Err(RecordingError::TooLarge(_))));
    let endless = std::io::BufReader::new(std::io::repeat(b' '));
    assert!(matches!(barrage_recording::read(endless, &limits), Err(RecordingError::TooLarge(_))));
}
