use barrage_bus::{BusConfig, BusMetrics, Change, Draft, EmbeddedBus, RoomPatch, Stored};
use barrage_protocol::Class;
use barrage_store::{ArchiveEntry, Effect, SqliteConfig, SqliteStore};
use prometheus::Registry;
use serde_json::json;

use super::*;
use crate::media::MediaLinks;

fn history(messages: u64, text_bytes: usize, more: bool) -> History {
    let message = |n| HistoryMessage {
        sequence: Sequence(n),
        class: Class::Chat,
        at_ms: n,
        offset_ms: 10 * n,
        body: serde_json::value::to_raw_value(&"x".repeat(text_bytes)).unwrap(),
    };
    History { messages: (1..=messages).map(message).collect(), more }
}

#[test]
fn a_page_ends_before_what_viewers_get_later() {
    let shown = |span, to_ms| {
        let mut history = history(4, 10, true);
        show_to(&mut history, span, to_ms);
        (history.messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>(), history.more)
    };
    assert_eq!(shown(Span::After(Sequence(0)), 2), (vec![1, 2], false));
    assert_eq!(shown(Span::After(Sequence(0)), 4), (vec![1, 2, 3, 4], true));
    assert_eq!(shown(Span::Before(None), 3), (vec![1, 2, 3], true));
}

/// A reader over an embedded bus and a store, and the room `r`.
struct Scene {
    reader: HistoryReader,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = BusMetrics::new(&Registry::new()).unwrap();
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&EmbeddedBus::file(folder.path()), BusConfig::default(), metrics).unwrap();
        bus.change(Change::Patch(room(), RoomPatch::Ensure { title: "R".into() })).await.unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite"), &SqliteConfig::default()).await;
        let media = MediaLinks::new(None, Arc::clone(&bus));
        Scene { reader: HistoryReader { bus, store: Arc::new(store.unwrap()), media }, _folder: folder }
    }

    /// Publishes bodies of a class; returns the position of the last one.
    async fn publish(&self, class: Class, bodies: &[Value]) -> Sequence {
        let draft = |body: &Value| Draft {
            room: room(),
            class,
            sender: None,
            id: None,
            fingerprint: 0,
            to: None,
            trace: None,
            body: body.to_string().into(),
        };
        let receipts = self.reader.bus.publish(bodies.iter().map(draft).collect()).await.unwrap();
        receipts.last().unwrap().sequence
    }

    /// Archives what the bus has, without effects.
    async fn archive(&self) {
        let messages = self.reader.bus.read_all(0, Sequence::ZERO, 10_000).await.unwrap();
        let entry = |Stored { at, message }: Stored| ArchiveEntry { at, message, effect: Effect::None };
        self.reader.store.append(0, &messages.into_iter().map(entry).collect::<Vec<_>>()).await.unwrap();
    }

    async fn texts(&self, span: Span, archived_to: Sequence) -> Vec<String> {
        let read = self.reader.read(&room(), span, 10, u64::MAX, archived_to).await.unwrap();
        let bodies = read.history.messages.iter().map(|it| serde_json::from_str(it.body.get()).unwrap());
        bodies.map(|body: Value| body["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn room() -> RoomId {
    "r".parse().unwrap()
}

fn chat(user: &str, text: &str) -> Value {
    json!({ "type": "chat", "user": user, "text": text })
}

#[tokio::test]
async fn what_a_signal_hides_is_gone_before_the_archive_has_the_signal() {
    let scene = Scene::start().await;
    let first = scene.publish(Class::Chat, &[chat("ann", "a")]).await;
    scene.publish(Class::Chat, &[chat("bo", "b"), chat("cy", "c")]).await;
    scene.archive().await;
    let newest = Span::Before(None);
    assert_eq!(scene.texts(newest, Sequence::ZERO).await, ["a", "b", "c"]);
    let signal = |rest: Value| {
        let mut body = json!({ "type": "signal" });
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    let recall = signal(json!({ "signal": "recall", "sequence": first }));
    scene.publish(Class::Signal, &[recall]).await;
    assert_eq!(scene.texts(newest, Sequence::ZERO).await, ["b", "c"], "the archiver has not come so far");
    // Chat in between does not end the search, and neither does a start before the page.
    scene.publish(Class::Chat, &(0..40).map(|n| chat("ann", &n.to_string())).collect::<Vec<_>>()).await;
    scene.publish(Class::Signal, &[signal(json!({ "signal": "purge", "user": "bo" }))]).await;
    assert_eq!(scene.texts(newest, Sequence::ZERO).await, ["c"]);
    assert_eq!(scene.texts(Span::After(Sequence::ZERO), Sequence::ZERO).await, ["c"]);
    assert_eq!(scene.texts(Span::Offsets { from_ms: 0, to_ms: u64::MAX }, first).await, ["c"]);
    scene.publish(Class::Signal, &[signal(json!({ "signal": "clear" }))]).await;
    assert_eq!(scene.texts(newest, Sequence::ZERO).await, [""; 0]);
}

/// The archiver of the partition that a room has left is behind the one of the partition that it is in.
#[tokio::test]
async fn what_a_signal_of_a_former_partition_hides_is_gone_before_the_archive_has_the_signal() {
    let scene = Scene::start().await;
    let first = scene.publish(Class::Chat, &[chat("ann", "a")]).await;
    let recall = json!({ "type": "signal", "signal": "recall", "sequence": first });
    let left = scene.publish(Class::Signal, &[recall]).await;
    scene.publish(Class::Chat, &[chat("bo", "b")]).await;
    let stay = |partition: u16, epoch: u64, above: Sequence| {
        json!({
            "partition": partition, "epoch": epoch, "lift": 0, "above": above, "previous": above, "since_ms": 0,
        })
    };
    let place = json!({ "segments": [stay(0, 0, Sequence::ZERO), stay(1, 1, left)] });
    let place = serde_json::from_value(place).unwrap();
    scene.reader.bus.change(Change::Place { room: room(), place }).await.unwrap();
    let messages = scene.reader.bus.read_all(0, Sequence::ZERO, 10).await.unwrap();
    let entry = |n: usize| {
        let Stored { at, message } = messages[n].clone();
        [ArchiveEntry { at, message, effect: Effect::None }]
    };
    scene.reader.store.append(0, &entry(0)).await.unwrap();
    scene.reader.store.append(1, &entry(2)).await.unwrap();
    assert_eq!(scene.texts(Span::Before(None), Sequence::ZERO).await, ["b"]);
    let read = scene.reader.read(&room(), Span::Before(None), 10, u64::MAX, Sequence::ZERO).await.unwrap();
    assert_eq!(read.archived_to, first, "for the parts behind the newest page");
}

#[tokio::test]
async fn the_newest_page_of_viewers_is_behind_all_that_they_get_later() {
    let scene = Scene::start().await;
    let entry = |n: u64| ArchiveEntry {
        at: Sequence(n),
        message: Arc::new(barrage_protocol::Message {
            room: room(),
            sequence: Sequence(n),
            previous: Sequence(n - 1),
            class: Class::Chat,
            sender: None,
            id: None,
            to: None,
            at_ms: n,
            trace: None,
            body: "{}".into(),
        }),
        effect: Effect::None,
    };
    scene.reader.store.append(0, &(1..=3_000).map(entry).collect::<Vec<_>>()).await.unwrap();
    let read = async |span, limit, shown_to_ms| {
        let Read { history, .. } =
            scene.reader.read(&room(), span, limit, shown_to_ms, Sequence::MAX).await.unwrap();
        (history.messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>(), history.more)
    };
    assert_eq!(read(Span::Before(None), 3, 400).await, (vec![398, 399, 400], true));
    assert_eq!(read(Span::Before(None), 3, 2).await, (vec![1, 2], false));
    assert_eq!(read(Span::Before(None), 3, 0).await, (vec![], false));
    assert_eq!(read(Span::Before(None), 3, 2_999).await, (vec![2_998, 2_999], true));
    assert_eq!(read(Span::After(Sequence(2)), 3, 2).await, (vec![], false));
}
