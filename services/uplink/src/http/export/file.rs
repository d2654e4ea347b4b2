//! The text of an export: header, one piece for each message, footer. Pure.

use barrage_protocol::post::HistoryMessage;
use barrage_recording::convert;
use barrage_recording::export::ass::{self, AssWriter};
use barrage_recording::export::{Entry, xml};

use super::{ExportFormat, Part};

/// Writes a file of one format; holds lanes and counts alone, whatever the file's length.
#[derive(Debug)]
pub(super) enum ExportFile {
    Xml,
    Ass(Box<AssWriter>),
    Jsonl,
}

impl ExportFile {
    /// Begins a file, and appends its header.
    pub(super) fn new(format: ExportFormat, out: &mut String) -> Self {
        match format {
            ExportFormat::Xml => {
                out.push_str(xml::HEADER);
                ExportFile::Xml
            }
            ExportFormat::Ass => {
                out.push_str(ass::HEADER);
                ExportFile::Ass(Box::default())
            }
            ExportFormat::Jsonl => ExportFile::Jsonl,
        }
    }

    /// Appends one message. XML and ASS have no entry for signals and custom events.
    pub(super) fn write(&mut self, message: &HistoryMessage, out: &mut String) {
        let entry = || {
            let (item, user) = convert::item(message.body.get(), message.offset_ms)?;
            Some(Entry { item, at_ms: message.at_ms, sequence: message.sequence.0, user })
        };
        match self {
            ExportFile::Xml => {
                if let Some(entry) = entry() {
                    xml::write(&entry, out);
                }
            }
            ExportFile::Ass(writer) => {
                if let Some(entry) = entry() {
                    writer.write(&entry, out);
                }
            }
            ExportFile::Jsonl => {
                out.push_str(&serde_json::to_string(message).expect("messages are plain data"));
                out.push('\n');
            }
        }
    }

    /// Appends the end of the file.
    pub(super) fn finish(self, out: &mut String) {
        match self {
            ExportFile::Xml => out.push_str(xml::FOOTER),
            ExportFile::Ass(writer) => writer.finish(out),
            ExportFile::Jsonl => {}
        }
    }
}

/// Whether a message is of the stream that began at `started_ms`, and within the part.
pub(super) fn is_of_stream(message: &HistoryMessage, started_ms: u64, part: Part) -> bool {
    // The archive counts offsets from the start of its stream, and messages before it have the offset 0.
    message.offset_ms == message.at_ms.saturating_sub(started_ms)
        && (part.from_ms..part.to_ms).contains(&message.offset_ms)
        && message.at_ms <= part.shown_to_ms
}

/// Whether a message was accepted more than `skew_ms` behind the end of the part: what follows it is of no
/// use for the part.
pub(super) fn is_behind(message: &HistoryMessage, started_ms: u64, part: Part, skew_ms: u64) -> bool {
    let end_ms = started_ms.saturating_add(part.to_ms).min(part.shown_to_ms);
    message.at_ms > end_ms.saturating_add(skew_ms)
}

#[cfg(test)]
mod tests {
    use barrage_protocol::{Class, Sequence};

    use super::*;

    fn message(sequence: u64, at_ms: u64, offset_ms: u64, body: &str) -> HistoryMessage {
        let body = serde_json::value::RawValue::from_string(body.to_owned()).unwrap();
        HistoryMessage { sequence: Sequence(sequence), class: Class::Chat, at_ms, offset_ms, body }
    }

    fn file(format: ExportFormat) -> String {
        let mut out = String::new();
        let mut file = ExportFile::new(format, &mut out);
        let chat =
            r#"{"type":"chat","id":"a","user":"u1","name":"A & B","text":"1 < 2","at_ms":1700000000000}"#;
        file.write(&message(7, 1_700_000_000_000, 1_500, chat), &mut out);
        file.write(&message(8, 1_700_000_000_000, 1_600, r#"{"type":"signal","signal":"clear"}"#), &mut out);
        file.finish(&mut out);
        out
    }

    #[test]
    fn each_format_has_the_chat_and_markup_is_text() {
        assert_eq!(
            file(ExportFormat::Xml),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><i>\n<d p=\"1.500,1,25,16777215,1700000000,0,\
             0442a7f3,7\" user=\"A &amp; B\" uid=\"u1\">1 &lt; 2</d>\n</i>\n"
        );
        let ass = file(ExportFormat::Ass);
        assert!(ass.starts_with("[Script Info]\n") && ass.contains("}1 < 2\n"), "{ass}");
        assert!(ass.ends_with("1 written, 0 without a free lane\n"), "{ass}");
        let jsonl = file(ExportFormat::Jsonl);
        assert_eq!(jsonl.lines().count(), 2);
        for line in jsonl.lines() {
            serde_json::from_str::<HistoryMessage>(line).unwrap();
        }
    }

    #[test]
    fn messages_of_earlier_streams_and_other_offsets_are_left_out() {
        let all = Part { from_ms: 0, to_ms: u64::MAX, shown_to_ms: u64::MAX };
        let of = |at_ms, offset_ms, part| is_of_stream(&message(1, at_ms, offset_ms, "{}"), 5_000, part);
        assert!(of(6_000, 1_000, all), "after the start");
        assert!(of(4_000, 0, all), "before the start");
        assert!(!of(4_000, 3_000, all), "of a stream that began at 1,000");
        let second = Part { from_ms: 1_000, to_ms: 2_000, ..all };
        let delayed = Part { shown_to_ms: 5_999, ..all };
        assert!(of(5_999, 999, delayed) && !of(6_000, 1_000, delayed), "not shown to viewers yet");
        assert!(of(6_000, 1_000, second) && !of(7_000, 2_000, second) && !of(5_999, 999, second));
    }

    #[test]
    fn a_part_is_over_when_messages_are_long_behind_its_end() {
        let all = Part { from_ms: 0, to_ms: u64::MAX, shown_to_ms: u64::MAX };
        let behind = |at_ms, part| is_behind(&message(1, at_ms, 0, "{}"), 5_000, part, 60_000);
        let (second, shown) = (Part { to_ms: 2_000, ..all }, Part { shown_to_ms: 9_000, ..all });
        assert!(!behind(u64::MAX, all));
        assert!(!behind(67_000, second) && behind(67_001, second));
        assert!(!behind(69_000, shown) && behind(69_001, shown));
        assert!(!behind(1_000, second), "of an earlier stream");
    }
}
