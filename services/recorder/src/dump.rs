//! Records of a room as JSON Lines: one header, then one record per line.

use barrage_protocol::RoomId;
use serde::Serialize;

use crate::recorder::Record;
use crate::ring::Kept;

/// Version of the dump format.
pub const VERSION: u32 = 1;

/// First line of a dump.
#[derive(Debug, Serialize)]
pub(crate) struct Header<'a> {
    /// Name and version of the format.
    pub(crate) barrage_recorder: u32,
    /// Process kind that recorded: `gateway` or `uplink`.
    pub(crate) source: &'static str,
    /// Id of the process that recorded.
    pub(crate) instance: &'a str,
    pub(crate) room: &'a RoomId,
    /// Cause of the dump: `request`, or the name of the alarm.
    pub(crate) cause: &'a str,
    pub(crate) dumped_at_ms: u64,
    /// Time that the records cover.
    pub(crate) minutes: u32,
    /// Whether older records of that time were overwritten.
    pub(crate) cut: bool,
    pub(crate) records: usize,
}

#[derive(Serialize)]
struct Line<R> {
    at_ms: u64,
    #[serde(flatten)]
    record: R,
}

/// Returns the whole dump as text.
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
