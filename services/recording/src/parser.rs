//! Walks over the elements of a file.
//!
//! The XML reader's own checks of nesting are off, because they end at the first fault. A stack of
//! open names, bounded by `depth_max`, recovers as browsers do: an end tag closes the nearest element
//! of its name, or nothing. An entry inside an entry means that the outer one was never closed.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::entry::{Draft, NOT_UTF8, PriceUnit, Tag};
use crate::limits::Limits;
use crate::skipped::Skip;
use crate::{Recording, RecordingError};

pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Recording, RecordingError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = marked(bytes);
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    config.expand_empty_elements = true;
    let mut parser = Parser::new(limits);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) | Err(_) => break,
            Ok(event) => parser.event(&event)?,
        }
        if parser.is_over {
            break;
        }
    }
    parser.finish()
}

/// Returns the text with a mark in place of each run of bytes that is not UTF-8.
fn marked(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(NOT_UTF8);
        }
    }
    Cow::Owned(text)
}

/// The entry that is being read; there is at most one.
struct Open {
    /// Number of open elements around the entry.
    depth: usize,
    /// The parsed tag, or the reason to skip the entry.
    draft: Result<Draft, Skip>,
    /// Text so far, a little over [`Draft::text_chars_max`] characters at most.
    text: String,
}

struct Parser<'a> {
    limits: &'a Limits,
    recording: Recording,
    unit: PriceUnit,
    /// Names of the open elements, at most `depth_max`.
    names: Vec<String>,
    open: Option<Open>,
    /// The end tag `</i>` was read; the rest of the file is ignored.
    is_over: bool,
}

impl<'a> Parser<'a> {
    fn new(limits: &'a Limits) -> Self {
        Parser {
            limits,
            recording: Recording::default(),
            unit: PriceUnit::default(),
            names: Vec::new(),
            open: None,
            is_over: false,
        }
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), RecordingError> {
        match event {
            Event::Start(start) | Event::Empty(start) => self.start(start)?,
            Event::End(end) => self.end(end.name().as_ref())?,
            Event::Text(text) => self.text(text),
            Event::CData(data) => self.text(data),
            Event::GeneralRef(reference) => self.reference(reference),
            Event::Decl(decl) => match decl.encoding() {
                Some(Ok(name)) if !["utf-8", "utf8"].contains(&name.to_ascii_lowercase().as_str()) => {
                    return Err(RecordingError::Encoding);
                }
                Some(_) | None => {}
            },
            // Ignored: its definitions are not expanded.
            Event::DocType(_) | Event::Comment(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), RecordingError> {
        let name = start.name();
        let name = name.as_ref();
        if self.names.is_empty() && name != "i" {
            return Err(RecordingError::NotARecording);
        }
        let tag = Tag::of(name);
        if let Some(open) = &mut self.open {
            open.draft = Err(Skip::Malformed);
            if tag.is_some() {
                let depth = open.depth;
                self.close()?;
                self.names.truncate(depth);
            }
        }
        if self.names.len() >= self.limits.depth_max {
            return Err(RecordingError::TooDeep(self.limits.depth_max));
        }
        if name == "BililiveRecorder" {
            self.unit = PriceUnit::Yuan;
        }
        if let Some(tag) = tag {
            let draft = Draft::read(tag, start, self.unit, self.limits);
            self.open = Some(Open { depth: self.names.len(), draft, text: String::new() });
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), RecordingError> {
        let closes = self.names.iter().rposition(|open| open == name);
        if let Some(open) = &mut self.open
            && closes.is_none_or(|depth| depth < open.depth)
        {
            open.draft = Err(Skip::Malformed);
        }
        let Some(depth) = closes else { return Ok(()) };
        self.names.truncate(depth);
        if self.open.as_ref().is_some_and(|open| open.depth >= depth) {
            self.close()?;
        }
        self.is_over = depth == 0;
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let Some(open) = &mut self.open else { return };
        let Ok(draft) = &open.draft else { return };
        // White space around the text does not count, so the text may be a little longer here; the
        // exact limit is checked at the end.
        let chars_max = draft.text_chars_max(self.limits);
        if text.trim().chars().count() > chars_max || open.text.chars().count() > 2 * chars_max {
            open.draft = Err(Skip::TooLong);
            open.text.clear();
            return;
        }
        open.text.push_str(text);
    }

    fn reference(&mut self, reference: &BytesRef<'_>) {
        let resolved = match reference.resolve_char_ref() {
            Ok(Some(c)) => Some(c),
            Ok(None) => resolve_predefined_entity(reference).and_then(|text| text.chars().next()),
            Err(_) => None,
        };
        if let Some(c) = resolved {
            self.text(c.encode_utf8(&mut [0; 4]));
        } else if let Some(open) = &mut self.open {
            open.draft = Err(Skip::Entity);
        }
    }

    fn close(&mut self) -> Result<(), RecordingError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let is_named = open.draft.as_ref().is_ok_and(Draft::is_named);
        match open.draft.and_then(|draft| draft.finish(&open.text, self.limits)) {
            Ok(_) if self.recording.items.len() >= self.limits.items_max => {
                return Err(RecordingError::TooManyItems(self.limits.items_max));
            }
            Ok(item) => {
                self.recording.has_names |= is_named;
                self.recording.items.push(item);
            }
            Err(reason) => self.recording.skipped.count(reason),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Recording, RecordingError> {
        if self.names.is_empty() && !self.is_over {
            return Err(RecordingError::NotARecording);
        }
        if !self.is_over {
            // The entry that was cut off is skipped too.
            self.recording.skipped.count(Skip::Truncated);
        }
        self.recording.items.sort_by_key(|item| item.offset_ms);
        Ok(self.recording)
    }
}
