//! Import, archive, export and import again: nothing that a recording keeps may change on the way.

use barrage_protocol::placement::{Placement, PlacementEnd};
use barrage_recording::export::{Entry, ass, xml};
use barrage_recording::{Item, ItemKind, Limits, Mode, Skipped, convert, generate, parse};
use proptest::prelude::*;

/// Texts with markup, entities, emoji, both quotes, line breaks and control characters.
fn text(chars_max: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => "[ -~]{1,6}",
        2 => prop::sample::select(vec![
            "&amp;", "&lt;b&gt;", "<!--", "]]>", "<![CDATA[", "👨‍👩‍👧‍👦", "🇨🇳", "弹幕", "é", "\u{7}", "\u{0}",
            "\n", "\r", "\t", "\u{85}", "\u{a0}", "\u{feff}", "\u{fffe}", "\u{ffff}", "/n", "\\n", "\"", "'", "</d>",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12)
        .prop_map(move |pieces| pieces.concat().chars().take(chars_max).collect())
}

fn place() -> impl Strategy<Value = Placement> {
    let position = || Placement::POSITION;
    let end = (position(), position(), prop::option::of(0..=20_000_u32), 0..=20_000_u32)
        .prop_map(|(x, y, move_ms, delay_ms)| PlacementEnd { x, y, move_ms, delay_ms });
    let opacity = prop::option::of([Placement::OPACITY, Placement::OPACITY]);
    let turn = || -359..=359_i32;
    let fields =
        (position(), position(), Placement::DURATION_MS, prop::option::of(end), opacity, turn(), turn());
    fields.prop_map(|(x, y, duration_ms, end, opacity, rotate_z, rotate_y)| Placement {
        end,
        opacity,
        rotate_z,
        rotate_y,
        ..Placement::at(x, y, duration_ms)
    })
}

fn kind() -> impl Strategy<Value = ItemKind> {
    let moving = prop_oneof![Just(Mode::Scroll), Just(Mode::Reverse)];
    let mode = prop_oneof![moving, Just(Mode::Top), Just(Mode::Bottom), place().prop_map(Mode::Placed)];
    prop_oneof![
        6 => (text(200), mode, 0..=0xff_ffff_u32, 1..=1_000_u32)
            .prop_map(|(text, mode, color, size_px)| ItemKind::Chat { text, mode, color, size_px }),
        1 => (text(40), 1..=1_000_000_u32, 0..=100_000_000_000_u64)
            .prop_map(|(name, count, price_minor)| ItemKind::Gift { name, count, price_minor }),
        1 => (text(200), 1..=100_000_000_000_u64, "[A-Z]{3}").prop_map(|(text, amount_minor, currency)| {
            ItemKind::SuperChat { text, amount_minor, currency }
        }),
    ]
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (0..600_000_000_u64, text(40), kind()).prop_map(|(offset_ms, sender, kind)| Item {
        offset_ms,
        sender,
        kind,
    });
    prop::collection::vec(item, 0..40)
}

fn file(items: &[Item]) -> String {
    let mut out = String::from(xml::HEADER);
    for (row, item) in items.iter().enumerate() {
        let entry =
            Entry { item: item.clone(), at_ms: 1_700_000_000_000, sequence: row as u64, user: "u1".into() };
        xml::write(&entry, &mut out);
    }
    out.push_str(xml::FOOTER);
    out
}

/// The item as the archive has it: the post's body, read back.
fn archived(item: &Item) -> Item {
    let post = convert::post(&item.kind, "m-1".parse().expect("the id is valid"));
    let mut body = serde_json::to_value(&post).expect("posts are plain data");
    body["user"] = "u1".into();
    body["name"] = item.sender.clone().into();
    convert::item(&body.to_string(), item.offset_ms).expect("a post is an item").0
}

fn read(file: &str) -> (Vec<Item>, Skipped) {
    let recording = parse(file.as_bytes(), &Limits::default()).expect("an export is a recording");
    (recording.items, recording.skipped)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_imported_survives_archive_export_and_import(items in items()) {
        // The first import takes what the rules allow; an export may not lose any of it.
        let (imported, _) = read(&file(&items));
        let imported: Vec<_> = imported.into_iter().filter(|item| !item.sender.is_empty()).collect();
        let archived: Vec<_> = imported.iter().map(archived).collect();
        let (again, skipped) = read(&file(&archived));
        prop_assert_eq!(skipped, Skipped::default());
        prop_assert_eq!(&again, &archived);
        // The archive has three sizes; everything else is as it was imported.
        for (imported, archived) in imported.iter().zip(&archived) {
            prop_assert_eq!(without_size(imported), without_size(archived));
        }
        let twice: Vec<_> = again.iter().map(self::archived).collect();
        prop_assert_eq!(twice, archived);
    }

    #[test]
    fn posts_of_an_import_are_within_the_ranges_of_the_protocol(items in items()) {
        for item in read(&file(&items)).0 {
            if let barrage_protocol::post::Post::Chat { style, .. } =
                convert::post(&item.kind, "m-1".parse().expect("the id is valid"))
            {
                prop_assert_eq!(style.check_place(), Ok(()));
            }
        }
    }

    #[test]
    fn every_line_of_a_script_is_one_event(items in items()) {
        let mut items = items;
        items.sort_by_key(|item| item.offset_ms);
        let (mut writer, mut out) = (ass::AssWriter::default(), String::new());
        for item in items {
            writer.write(&Entry { item, at_ms: 0, sequence: 1, user: String::new() }, &mut out);
        }
        writer.finish(&mut out);
        for line in out.split('\n').filter(|line| !line.is_empty()) {
            prop_assert!(line.starts_with("Dialogue: ") || line.starts_with("Comment: "), "{line}");
            let tags = line.starts_with("Dialogue: ");
            prop_assert_eq!(line.matches('{').count(), usize::from(tags), "{}", line);
        }
    }
}

fn without_size(item: &Item) -> Item {
    let mut item = item.clone();
    if let ItemKind::Chat { size_px, .. } = &mut item.kind {
        *size_px = 0;
    }
    item
}

#[test]
fn generated_recordings_survive_with_every_placed_text() {
    for generated in generate::all(3) {
        let imported = parse(&generated.bytes, &Limits::default()).expect("the file is valid").items;
        let archived: Vec<_> = imported.iter().filter(|item| !item.sender.is_empty()).map(archived).collect();
        let (again, skipped) = read(&file(&archived));
        assert_eq!((again.len(), skipped), (archived.len(), Skipped::default()), "{}", generated.file_name);
        assert!(again == archived, "{}", generated.file_name);
        let placed = |item: &&Item| matches!(item.kind, ItemKind::Chat { mode: Mode::Placed(_), .. });
        assert_eq!(again.iter().filter(placed).count(), generated.expected.placed, "{}", generated.file_name);
    }
}
