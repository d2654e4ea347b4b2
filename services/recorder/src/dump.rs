//! A room's records as JSON Lines: one header, then one record a line.

use barrage_protocol::RoomId;
use serde::Serialize;

use crate::recorder::Record;
use crate::ring::Kept;

/// Version of the form.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize)]
pub(crate) struct Header<'a> {
    /// Marks the form, and says its version.
    pub(crate) barrage_recorder: u32,
    /// Whose records these are: `gateway` or `uplink`.
    pub(crate) source: &'static str,
    /// Its id.
    pub(crate) instance: &'a str,
    pub(crate) room: &'a RoomId,
    /// Why it was made: `request`, or what the trouble was.
    pub(crate) cause: &'a str,
    pub(crate) dumped_at_ms: u64,
    /// The time that it covers.
    pub(crate) minutes: u32,
    /// Older records of that time had to make room.
    pub(crate) cut: bool,
    pub(crate) records: usize,
}

#[derive(Serialize)]
struct Line<R> {
    at_ms: u64,
    #[serde(flatten)]
    record: R,
}

/// The whole text.
pub(crate) fn write<R: Record>(header: &Header<'_>, kept: &[Kept<R>]) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, header);
    for Kept { at_ms, record, .. } in kept {
        line(&mut out, &Line { at_ms: *at_ms, record: *record });
    }
    out
}

fn line(out: &mut Vec<u8>, what: &impl Serialize) {
    serde_json::to_writer(&mut *out, what).expect("plain data, into memory");
    out.push(b'\n');
}
