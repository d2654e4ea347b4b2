//! Reads the frames of one connection.

use std::fmt::Write;

use super::form::join;
use super::{Cursor, HEAD_BYTES, JSON_FRAME, TRAIL_BYTES_MAX, TRAIL_UNIT_BYTES, check, dictionary};
use crate::RoomId;
use crate::deflate::{InflateError, inflate, inflate_behind};

/// Cause for which a binary frame of the encoding `lines` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The deflate stream is not whole, or too large.
    #[error(transparent)]
    Inflate(#[from] InflateError),
    /// The check differs: the server referred to other lines than this side has.
    #[error("refers to lines that were not received")]
    OtherTrail,
    /// The text has not the form of this encoding.
    #[error("not a batch of lines")]
    Malformed,
}

/// Reader of the binary frames of one connection, in their order.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Newest lines, [`TRAIL_BYTES_MAX`] at most.
    trail: Vec<u8>,
    /// Position in the chain behind the trail.
    end: u64,
    cursor: Cursor,
}

/// Header of a frame.
struct Header<'a> {
    previous: u64,
    sequence: u64,
    /// Fields beside the messages, as JSON that begins with a comma.
    rest: &'a str,
}

impl LineReader {
    /// Returns the JSON of the next binary frame, of at most `bytes_max` bytes. `room` is the room of the
    /// last hello, which a batch of lines does not name.
    ///
    /// After an error the connection is of no use: the lines of the next frame may refer to this one.
    pub fn read(&mut self, frame: &[u8], room: &RoomId, bytes_max: usize) -> Result<Vec<u8>, LinesError> {
        let (units, rest) = frame.split_first().ok_or(LinesError::Malformed)?;
        if *units == JSON_FRAME {
            return Ok(inflate(rest, bytes_max)?);
        }
        let (stated, deflated) =
            rest.split_first_chunk::<{ HEAD_BYTES - 1 }>().ok_or(LinesError::Malformed)?;
        let trail_len = usize::from(*units) * TRAIL_UNIT_BYTES;
        let from = self.trail.len().checked_sub(trail_len).ok_or(LinesError::OtherTrail)?;
        let text = inflate_behind(&dictionary(&self.trail[from..]), deflated, bytes_max);
        // A stream that refers to another text may also be none.
        let text = text.map_err(|error| if trail_len > 0 { LinesError::OtherTrail } else { error.into() })?;
        if check(&text) != *stated {
            return Err(LinesError::OtherTrail);
        }
        let text = std::str::from_utf8(&text).map_err(|_| LinesError::Malformed)?;
        self.take(text, trail_len > 0, room, bytes_max)
    }

    fn take(
        &mut self,
        text: &str,
        is_behind: bool,
        room: &RoomId,
        bytes_max: usize,
    ) -> Result<Vec<u8>, LinesError> {
        let (header, mut lines) = text.split_once('\n').ok_or(LinesError::Malformed)?;
        let header = self.header(header, is_behind).ok_or(LinesError::Malformed)?;
        let mut cursor = self.cursor.clone();
        if !is_behind {
            let (start, behind) = lines.split_once('\n').ok_or(LinesError::Malformed)?;
            cursor = start_of(start, header.previous).ok_or(LinesError::Malformed)?;
            lines = behind;
        }
        let mut json = format!(
            r#"{{"type":"batch","room":"{room}","previous":{},"sequence":{},"messages":["#,
            header.previous, header.sequence
        );
        let mut is_first = true;
        for line in lines.split_terminator('\n') {
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                cursor.form = line.into();
                continue;
            }
            if !std::mem::take(&mut is_first) {
                json.push(',');
            }
            message(&mut json, line, &mut cursor).ok_or(LinesError::Malformed)?;
            if json.len() > bytes_max {
                return Err(InflateError::TooLarge(bytes_max).into());
            }
        }
        json.push(']');
        json.push_str(header.rest);
        json.push('}');
        if header.sequence > header.previous {
            self.keep(lines, &header, cursor);
        }
        Ok(json.into_bytes())
    }

    fn header<'a>(&self, line: &'a str, is_behind: bool) -> Option<Header<'a>> {
        let mut fields = line.splitn(3, '\t');
        let previous = fields.next()?;
        let previous =
            if is_behind { previous.is_empty().then_some(self.end)? } else { previous.parse().ok()? };
        let sequence = fields.next()?.parse::<u64>().ok()?.checked_add(previous)?;
        Some(Header { previous, sequence, rest: fields.next()? })
    }

    /// Appends the lines to the trail. Behind a hole the trail begins anew.
    fn keep(&mut self, lines: &str, header: &Header<'_>, cursor: Cursor) {
        if header.previous != self.end {
            self.trail.clear();
        }
        self.trail.extend_from_slice(lines.as_bytes());
        let surplus = self.trail.len().saturating_sub(TRAIL_BYTES_MAX);
        self.trail.drain(..surplus);
        self.end = header.sequence;
        self.cursor = cursor;
    }
}

/// Reads the second line of a frame that stands alone.
fn start_of(line: &str, previous: u64) -> Option<Cursor> {
    let mut fields = line.splitn(3, '\t');
    let lag: i64 = fields.next()?.parse().ok()?;
    let at_ms = fields.next()?.parse().ok()?;
    Some(Cursor {
        sequence: previous.checked_add_signed(lag.checked_neg()?)?,
        at_ms,
        form: fields.next()?.into(),
    })
}

/// Writes the message of a line as JSON, and moves the cursor behind it.
fn message(json: &mut String, line: &str, cursor: &mut Cursor) -> Option<()> {
    let mut values = line.split('\t');
    let mut numbers = values.next()?.split(' ');
    let passed_ms = numbers.next().filter(|passed| !passed.is_empty()).map_or(Ok(0), str::parse).ok()?;
    let step = numbers.next().map_or(Ok(1), str::parse).ok()?;
    cursor.at_ms = cursor.at_ms.checked_add_signed(passed_ms)?;
    cursor.sequence = cursor.sequence.checked_add(step)?;
    let (class, form) = cursor.form.split_at(cursor.form.find('{')?);
    write!(json, r#"{{"sequence":{},"class":"{class}","body":"#, cursor.sequence).ok()?;
    join(json, form, cursor.at_ms, values)?;
    json.push('}');
    Some(())
}
