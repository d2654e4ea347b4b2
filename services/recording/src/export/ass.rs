//! ASS subtitles: danmaku in lanes, as every player with libass shows them.
//!
//! Gifts have no subtitle. Danmaku that find no lane are left out, and the last line of the file says
//! how many: two texts over each other cannot be read.

use std::fmt::Write;

use barrage_protocol::placement::{Placement, PlacementEnd};
use unicode_width::UnicodeWidthChar;

use super::Entry;
use super::lanes::{Lanes, Movement, Request};
use crate::item::{ItemKind, Mode};

/// Size of the script's picture in pixels; players scale it to that of the video.
const WIDTH_PX: u32 = 1_920;
const HEIGHT_PX: u32 = 1_080;
/// Height of a normal danmaku, which has 25 of the site's pixels.
const NORMAL_PX: u32 = 48;
const SITE_NORMAL_PX: u32 = 25;
/// Height of the player in the site's pixels, to which placed texts refer.
const SITE_PLAYER_PX: u32 = 438;
/// Pixels of the outline above and below a text.
const OUTLINE_PX: u32 = 6;
/// Milliseconds for which a text at the top or bottom stays.
const FIXED_MS: u64 = 4_000;
/// Milliseconds for which a super chat stays at the top.
const SUPER_CHAT_MS: u64 = 10_000;
/// Color of super chats as RGB.
const SUPER_CHAT_COLOR: u32 = 0xff_d0_00;
/// Width of a narrow and of a wide character in percent of the height. Estimates that are too large:
/// the renderer's font is not known here.
const NARROW_PERCENT: usize = 70;
const WIDE_PERCENT: usize = 105;

/// Text before the first line of a danmaku.
pub const HEADER: &str = "[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Danmaku,sans-serif,48,&H00FFFFFF,&H00FFFFFF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,2,0,7,0,0,0,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
";

/// Writes the lines of a script. It holds the lanes and two counts, whatever the length of the script.
#[derive(Debug)]
pub struct AssWriter {
    lanes: Lanes,
    written: u64,
    left_out: u64,
}

impl Default for AssWriter {
    fn default() -> Self {
        AssWriter { lanes: Lanes::new(WIDTH_PX, HEIGHT_PX), written: 0, left_out: 0 }
    }
}

impl AssWriter {
    /// Appends the line of an entry. Entries are in the order of their offsets.
    pub fn write(&mut self, entry: &Entry, out: &mut String) {
        let start_ms = entry.item.offset_ms;
        match &entry.item.kind {
            ItemKind::Chat { text, mode: Mode::Placed(place), color, size_px } => {
                let tags = placed_tags(place, *color, size_px * HEIGHT_PX / SITE_PLAYER_PX);
                self.written += 1;
                event(3, start_ms, place.duration_ms.into(), &tags, text, out);
            }
            ItemKind::Chat { text, mode, color, size_px } => {
                let size_px = size_px * NORMAL_PX / SITE_NORMAL_PX;
                self.in_lane(start_ms, movement(mode), *color, size_px, text, out);
            }
            ItemKind::SuperChat { text, amount_minor, currency } => {
                let (whole, cents) = (amount_minor / 100, amount_minor % 100);
                let text = format!("{currency} {whole}.{cents:02} {}: {text}", entry.item.sender);
                let movement = (Movement::Top, SUPER_CHAT_MS);
                self.in_lane(start_ms, movement, SUPER_CHAT_COLOR, NORMAL_PX, &text, out);
            }
            ItemKind::Gift { .. } => {}
        }
    }

    /// Appends the last line, a comment that players do not show.
    pub fn finish(self, out: &mut String) {
        let AssWriter { written, left_out, .. } = self;
        writeln!(
            out,
            "Comment: 0,0:00:00.00,0:00:00.00,Danmaku,,0,0,0,,{written} written, {left_out} without a free lane"
        )
        .expect("writing to memory cannot fail");
    }

    fn in_lane(
        &mut self,
        start_ms: u64,
        (movement, stay_ms): (Movement, u64),
        color: u32,
        size_px: u32,
        text: &str,
        out: &mut String,
    ) {
        let width_px = width_px(text, size_px);
        let height_px = size_px + OUTLINE_PX;
        let request = Request { movement, start_ms, stay_ms, width_px, height_px };
        let Some(top) = self.lanes.place(&request) else {
            self.left_out += 1;
            return;
        };
        self.written += 1;
        let place = match movement {
            Movement::Scroll => format!(r"\an7\move({WIDTH_PX},{top},-{width_px},{top})"),
            Movement::Top | Movement::Bottom => format!(r"\an8\pos({},{top})", WIDTH_PX / 2),
        };
        let tags = format!(r"{place}\fs{size_px}{}", color_tag(color));
        event(2, start_ms, stay_ms, &tags, text, out);
    }
}

/// Returns the movement of a text, and its milliseconds on the picture. A lane has one direction, so reverse
/// texts scroll like the others.
fn movement(mode: &Mode) -> (Movement, u64) {
    match mode {
        Mode::Scroll | Mode::Reverse | Mode::Placed(_) => (Movement::Scroll, Lanes::SCROLL_MS),
        Mode::Top => (Movement::Top, FIXED_MS),
        Mode::Bottom => (Movement::Bottom, FIXED_MS),
    }
}

/// Tags of a placed text. The script's turns go against the clock.
fn placed_tags(place: &Placement, color: u32, size_px: u32) -> String {
    let px = |units: i32, side_px: u32| i64::from(units) * i64::from(side_px) / 10_000;
    let (x, y) = (px(place.x, WIDTH_PX), px(place.y, HEIGHT_PX));
    let mut tags = match place.end {
        None => format!(r"\an7\pos({x},{y})"),
        Some(PlacementEnd { x: to_x, y: to_y, move_ms, delay_ms }) => {
            let (to_x, to_y) = (px(to_x, WIDTH_PX), px(to_y, HEIGHT_PX));
            let ends_ms = delay_ms + move_ms.unwrap_or_else(|| place.duration_ms.saturating_sub(delay_ms));
            format!(r"\an7\move({x},{y},{to_x},{to_y},{delay_ms},{ends_ms})")
        }
    };
    tags.push_str(&format!(r"\fs{}{}", size_px.max(1), color_tag(color)));
    if place.rotate_z != 0 || place.rotate_y != 0 {
        tags.push_str(&format!(r"\frz{}\fry{}", -place.rotate_z, -place.rotate_y));
    }
    if let Some([from, to]) = place.opacity {
        let alpha = |percent: u32| 255 - percent.min(100) * 255 / 100;
        tags.push_str(&format!(r"\alpha&H{:02X}&", alpha(from)));
        if from != to {
            tags.push_str(&format!(r"\t(0,{},\alpha&H{:02X}&)", place.duration_ms, alpha(to)));
        }
    }
    tags
}

/// The tag of a color, in the script's order: blue, green, red. White is the style's own.
fn color_tag(color: u32) -> String {
    let [_, red, green, blue] = color.to_be_bytes();
    if color & 0xff_ffff == 0xff_ffff {
        String::new()
    } else {
        format!(r"\c&H{blue:02X}{green:02X}{red:02X}&")
    }
}

fn event(layer: u8, start_ms: u64, stay_ms: u64, tags: &str, text: &str, out: &mut String) {
    let (start, end) = (Time(start_ms), Time(start_ms + stay_ms));
    out.push_str(&format!("Dialogue: {layer},{start},{end},Danmaku,,0,0,0,,{{{tags}}}"));
    out.extend(text.chars().map(plain));
    out.push('\n');
}

/// Braces and backslashes begin tags, so they become the full-width characters that look like them.
fn plain(c: char) -> char {
    match c {
        '{' => '｛',
        '}' => '｝',
        '\\' => '＼',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn width_px(text: &str, size_px: u32) -> u32 {
    let percent = |c: char| match c.width().unwrap_or(0) {
        0 => 0,
        1 => NARROW_PERCENT,
        _ => WIDE_PERCENT,
    };
    let percent: usize = text.chars().map(percent).sum();
    u32::try_from(percent * size_px as usize / 100).unwrap_or(u32::MAX).max(1)
}

/// Milliseconds, written as the script has them: hours, minutes, seconds, hundredths.
struct Time(u64);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (secs, hundredths) = (self.0 / 1_000, self.0 % 1_000 / 10);
        write!(f, "{}:{:02}:{:02}.{hundredths:02}", secs / 3_600, secs / 60 % 60, secs % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Item;

    fn line(mode: Mode, text: &str, color: u32) -> String {
        let kind = ItemKind::Chat { text: text.into(), mode, color, size_px: 25 };
        let item = Item { offset_ms: 3_661_050, sender: "a".into(), kind };
        let entry = Entry { item, at_ms: 0, sequence: 1, user: "u".into() };
        let mut out = String::new();
        AssWriter::default().write(&entry, &mut out);
        out
    }

    #[test]
    fn each_mode_has_its_tags() {
        assert_eq!(
            line(Mode::Scroll, "弹幕", 0xff_ffff),
            "Dialogue: 2,1:01:01.05,1:01:10.05,Danmaku,,0,0,0,,{\\an7\\move(1920,0,-100,0)\\fs48}弹幕\n"
        );
        assert_eq!(
            line(Mode::Top, "a, b", 0x01_02_03),
            "Dialogue: 2,1:01:01.05,1:01:05.05,Danmaku,,0,0,0,,{\\an8\\pos(960,0)\\fs48\\c&H030201&}a, b\n"
        );
        assert!(line(Mode::Bottom, "x", 0).contains(r"{\an8\pos(960,1026)\fs48"));
        let end = PlacementEnd { x: 10_000, y: 0, move_ms: Some(500), delay_ms: 100 };
        let place = Placement {
            end: Some(end),
            opacity: Some([100, 0]),
            rotate_z: 90,
            ..Placement::at(5_000, 5_000, 2_000)
        };
        assert!(line(Mode::Placed(place), "x", 0xff_ffff).ends_with(
            "{\\an7\\move(960,540,1920,0,100,600)\\fs61\\frz-90\\fry0\\alpha&H00&\\t(0,2000,\\alpha&HFF&)}x\n"
        ));
    }

    #[test]
    fn text_of_a_user_is_never_a_tag_or_a_line() {
        let hostile = "{\\pos(0,0)\\p1}m 0 0\\Nx\nDialogue: 9,0:00:00.00";
        let line = line(Mode::Scroll, hostile, 0xff_ffff);
        assert_eq!(line.lines().count(), 1);
        let text = line.split_once('}').unwrap().1;
        assert!(!text.contains(['{', '}', '\\']), "{text}");
        assert!(text.contains("｛＼pos(0,0)＼p1｝m 0 0＼Nx Dialogue"), "{text}");
    }

    #[test]
    fn script_says_how_many_found_no_lane() {
        let mut writer = AssWriter::default();
        let mut out = String::new();
        for n in 0..30 {
            let kind = ItemKind::Chat { text: "x".into(), mode: Mode::Top, color: 0, size_px: 25 };
            let item = Item { offset_ms: n, sender: "a".into(), kind };
            writer.write(&Entry { item, at_ms: 0, sequence: n, user: String::new() }, &mut out);
        }
        writer.finish(&mut out);
        assert!(out.ends_with(",20 written, 10 without a free lane\n"), "{out}");
    }
}
