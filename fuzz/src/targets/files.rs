//! Files that people bring: recordings of danmaku, dumps of the flight recorder.

use barrage_loadtest::recording::dump::Dump;
use barrage_recording::export::{Entry, xml};
use barrage_recording::{Item, ItemKind, Limits, Recording, Skipped, convert, parse};

/// Imports a file; what its items become in the archive survives an export and an import.
pub(super) fn danmaku(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(Recording { items, .. }) = parse(bytes, &limits) else { return };
    assert!(items.is_sorted_by_key(|item| item.offset_ms));
    for item in &items {
        let (text, chars_max) = match &item.kind {
            ItemKind::Chat { text, .. } | ItemKind::SuperChat { text, .. } => (text, limits.text_chars_max),
            ItemKind::Gift { name, .. } => (name, limits.name_chars_max),
        };
        assert!(text.chars().count() <= chars_max && !text.contains(char::is_control), "{text:?}");
        assert!(item.sender.chars().count() <= limits.name_chars_max, "{:?}", item.sender);
    }
    let named = items.iter().filter(|item| !item.sender.is_empty());
    let archived: Vec<_> = named.take(1_000).map(archived).collect();
    let again = parse(export(&archived).as_bytes(), &limits).expect("an export is a recording");
    assert_eq!(again.skipped, Skipped::default());
    assert_eq!(again.items, archived);
}

/// Returns an item as the archive has it: the post's body, read back.
fn archived(item: &Item) -> Item {
    let post = convert::post(&item.kind, "m-1".parse().expect("the id is valid"));
    let mut body = serde_json::to_value(&post).expect("posts are plain data");
    body["user"] = "u1".into();
    body["name"] = item.sender.clone().into();
    convert::item(&body.to_string(), item.offset_ms).expect("a post is an item").0
}

fn export(items: &[Item]) -> String {
    let mut out = String::from(xml::HEADER);
    for (row, item) in items.iter().enumerate() {
        let entry =
            Entry { item: item.clone(), at_ms: 1_700_000_000_000, sequence: row as u64, user: "u1".into() };
        xml::write(&entry, &mut out);
    }
    out.push_str(xml::FOOTER);
    out
}

/// Parses a dump that the load tester would post again.
pub(super) fn recorder_dump(bytes: &[u8]) {
    let Ok(dump) = Dump::parse(bytes) else { return };
    assert!(Dump::is_one(bytes) && !dump.posts.is_empty());
    assert!(dump.posts.is_sorted_by_key(|post| post.offset_ms));
    assert!(dump.posts.iter().all(|post| post.user < dump.users));
    assert_eq!(dump.duration_ms(), dump.posts.last().map_or(0, |post| post.offset_ms));
}
