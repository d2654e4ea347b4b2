//! The rules of lanes on both engines, and the faults of each.

use barrage_bus::{LaneDraft, LaneReceipt, Lanes};
use barrage_protocol::Sequence;
use bytes::Bytes;

mod embedded;
mod nats;

const ENTRIES_MAX: u64 = 1_000;

fn draft(key: &str, body: &str) -> LaneDraft {
    let fingerprint = body.bytes().map(u64::from).sum();
    LaneDraft { key: Some(key.into()), fingerprint, body: Bytes::copy_from_slice(body.as_bytes()) }
}

async fn bodies(lanes: &dyn Lanes, after: u64) -> Vec<(u64, String)> {
    let entries = lanes.read(0, Sequence(after), 1_000).await.unwrap();
    entries
        .iter()
        .map(|entry| (entry.sequence.0, String::from_utf8_lossy(&entry.body).into_owned()))
        .collect()
}

fn receipt(sequence: u64, duplicate: bool) -> LaneReceipt {
    LaneReceipt { sequence: Sequence(sequence), duplicate }
}
