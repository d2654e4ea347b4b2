//! The records of a room as JSON Lines: a header, then one record in each line.

use barrage_protocol::RoomId;
use serde::Serialize;

use crate::recorder::Record;
use crate::ring::Kept;

/// Version of the format, in the first line of every dump.
pub const VERSION: u32 = 1;

/// First line of a dump: its origin and its range.
#[derive(Debug, Serialize)]
pub(crate) struct Header<'a> {
    /// Marks the format, and is its version.
    pub(crate) barrage_recorder: u32,
    /// Role of the process: `gateway` or `uplink`.
    pub(crate) source: &'static str,
    pub(crate) instance: &'a str,
    pub(crate) room: &'a RoomId,
    /// Cause of the dump: `request`, or the trouble of the room.
    pub(crate) cause: &'a str,
    pub(crate) dumped_at_ms: u64,
    /// Minutes before `dumped_at_ms` that the dump covers.
    pub(crate) minutes: u32,
    /// Older records of that time were overwritten.
    pub(crate) cut: bool,
    pub(crate) records: usize,
}

#[derive(Serialize)]
struct Line<R> {
    at_ms: u64,
    #[serde(flatten)]
    record: R,
}

/// Writes a dump as text in memory, one JSON object in each line.
pub(crate) fn write<R: Record>(header: &Header<'_>, kept: &[Kept<R>]) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, header);
    for Kept { at_ms, record, .. } in kept {
        line(&mut out, &Line { at_ms: *at_ms, record: *record });
    }
    out
}

fn line(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *out, value).expect("plain data, into memory");
    out.push(b'\n');
}
