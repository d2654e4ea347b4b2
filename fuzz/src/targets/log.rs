//! The embedded log, opened on changed files.

use std::path::Path;
use std::sync::LazyLock;

use barrage_bus::{BusConfig, BusMetrics, Draft, EmbeddedBus, Log, RangeLimits, Topic};
use barrage_protocol::{Class, RoomId, Sequence};
use tokio::runtime::Runtime;

/// Files of the log beside each other in its folder.
const FILES: [&str; 3] = ["bus.sqlite", "bus.sqlite-wal", "bus.mark"];
/// Messages of the log that inputs change.
const MESSAGES: u64 = 40;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
});
/// Content of each file after a kill: the last messages are in the write-ahead log alone.
static WRITTEN: LazyLock<[Vec<u8>; 3]> = LazyLock::new(written);

/// Changes the files as the input says and opens the log. What opens goes on behind all that it returns.
///
/// An input is a list of changes of four bytes: file, two bytes of the place, and the new byte; a place of
/// `0xffff` cuts the file short instead.
pub(super) fn recovery(bytes: &[u8]) {
    let mut files = WRITTEN.clone();
    for change in bytes.chunks_exact(4) {
        let file = &mut files[usize::from(change[0]) % FILES.len()];
        // Most places of a large file are within the reach of two bytes by this factor.
        let place = usize::from(u16::from_be_bytes([change[1], change[2]]));
        let at = place * (file.len() >> 16).max(1);
        if place == usize::from(u16::MAX) {
            file.truncate(usize::from(change[3]) * 64);
        } else if let Some(byte) = file.get_mut(at) {
            *byte = change[3];
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in FILES.iter().zip(&files) {
        std::fs::write(folder.path().join(name), content).expect("a file is written");
    }
    let Ok(bus) = open(folder.path()) else { return };
    RUNTIME.block_on(async {
        let topic = Topic::Room(room());
        let limits = RangeLimits { chat_max: 200, precious_max: 200, bytes_max: 1 << 20 };
        let newest = match bus.range(&topic, Sequence::ZERO, None, limits).await {
            Ok(range) => range.messages.iter().map(|message| message.sequence).max().unwrap_or_default(),
            Err(_) => return,
        };
        let Ok(receipts) = bus.publish(vec![draft(0)]).await else { return };
        assert!(receipts[0].sequence > newest, "{} after {newest}", receipts[0].sequence);
    });
}

fn written() -> [Vec<u8>; 3] {
    let folder = tempfile::tempdir().expect("a folder");
    let bus = open(folder.path()).expect("a new log opens");
    RUNTIME.block_on(async {
        for n in 0..MESSAGES {
            bus.publish(vec![draft(n)]).await.expect("a new log is written");
        }
    });
    // Read while it is open, as a kill leaves it.
    FILES.map(|name| std::fs::read(folder.path().join(name)).unwrap_or_default())
}

fn open(folder: &Path) -> Result<std::sync::Arc<EmbeddedBus>, barrage_bus::BusError> {
    let metrics = BusMetrics::new(&prometheus::Registry::new()).expect("names are unique");
    EmbeddedBus::open(&EmbeddedBus::file(folder), BusConfig::default(), metrics)
}

fn room() -> RoomId {
    RoomId::parse("demo").expect("the id is valid")
}

fn draft(n: u64) -> Draft {
    Draft {
        room: room(),
        class: if n.is_multiple_of(4) { Class::Gift } else { Class::Chat },
        sender: "u1".parse().ok(),
        id: None,
        fingerprint: n,
        to: None,
        trace: None,
        body: format!(r#"{{"type":"chat","text":"message {n}"}}"#).into(),
    }
}
