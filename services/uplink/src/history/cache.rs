//! What readers of histories get: first pages out of memory, the rest from the store.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::Bus;
use barrage_counters::Pages;
use barrage_protocol::code::Refusal;
use barrage_protocol::media::RoomMedia;
use barrage_protocol::post::History;
use barrage_protocol::{RoomId, Sequence};
use barrage_store::Store;

use super::page::Span;
use super::reader::{HistoryReader, Read};
use super::view::View;
use super::window::{WINDOW_MESSAGES, Window};
use super::windows::{Key, Windows};
use crate::answer_memory::AnswerMemory;
use crate::config::UplinkConfig;
use crate::media::MediaLinks;
use crate::metrics::HistoryReads;
use crate::room::Hidings;

/// The parts that the pages of histories are made of.
pub(crate) struct HistoryParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    /// Rooms in which this process hid messages lately.
    pub(crate) hidings: Arc<Hidings>,
    /// Shares pages with other uplinks; `None` where each reads for itself.
    pub(crate) pages: Option<Arc<dyn Pages>>,
    pub(crate) reads: HistoryReads,
    pub(crate) media: MediaLinks,
}

/// Pages of histories. A window of the newest messages of each room and view is read once in a second, whatever
/// the number of its readers.
#[derive(Clone)]
pub(crate) struct HistoryCache(Arc<Inner>);

struct Inner {
    reader: HistoryReader,
    windows: Windows,
    hidings: Arc<Hidings>,
    pages: Option<Arc<dyn Pages>>,
    /// Memory of windows, of those that are kept and of those that slow readers still read.
    memory: AnswerMemory,
    reads: HistoryReads,
    age_max: Duration,
}

impl HistoryCache {
    pub(crate) fn new(parts: HistoryParts, config: &UplinkConfig) -> Self {
        let HistoryParts { bus, store, hidings, pages, reads, media } = parts;
        let bytes_max = config.history.bytes_max;
        // Half of it is for answers to slow readers, whose windows have ended.
        let memory = usize::try_from(2 * bytes_max).unwrap_or(usize::MAX);
        HistoryCache(Arc::new(Inner {
            reader: HistoryReader { bus, store, media },
            windows: Windows::new(&config.history, bytes_max),
            hidings,
            pages,
            memory: AnswerMemory::new(memory, config.answer_bytes_max),
            reads,
            age_max: Duration::from_millis(config.history.age_ms),
        }))
    }

    /// Returns the newest messages of a room as viewers see them, at most a second old.
    ///
    /// # Errors
    /// `overloaded` and `unavailable`, each with a time to come back.
    pub(crate) async fn window(&self, room: &RoomId, delay_ms: u64) -> Result<Arc<Window>, Refusal> {
        let inner = &self.0;
        let key = Key { room: room.clone(), delay_ms, hidden: inner.hidings.number(room) };
        if let Some(window) = inner.windows.find(&key).await {
            inner.reads.memory.inc();
            return Ok(window);
        }
        let (loader, of) = (Arc::clone(inner), key.clone());
        inner.windows.load(key, async move { loader.load(&of).await }).await
    }

    /// Reads a part of a history from the store, for one reader.
    ///
    /// # Errors
    /// `overloaded` and `unavailable`, each with a time to come back.
    pub(crate) async fn read(
        &self,
        room: &RoomId,
        view: View,
        span: Span,
        limit: usize,
    ) -> Result<History, Refusal> {
        let archived_to = match span {
            Span::Before(None) => Sequence::ZERO,
            // A moderation delay changes nothing about how far the archive has come.
            _ => self.window(room, 0).await?.archived_to,
        };
        let shown_to_ms = view.shown_to_ms(barrage_clock::unix_ms());
        self.0.reads.direct.inc();
        Ok(self.0.reader.read(room, span, limit, shown_to_ms, archived_to).await?.history)
    }

    /// Reads what messages of a room show before a position, the newest first, as moderators see it.
    ///
    /// # Errors
    /// `overloaded` and `unavailable`, each with a time to come back.
    pub(crate) async fn gallery(
        &self,
        room: &RoomId,
        before: Sequence,
        limit: usize,
    ) -> Result<RoomMedia, Refusal> {
        let archived_to = self.window(room, 0).await?.archived_to;
        self.0.reads.direct.inc();
        let reader = &self.0.reader;
        let (history, before) = reader.media(room, before, limit, archived_to).await?;
        let media = history.messages.iter().rev().filter_map(|message| reader.media.of_room(message));
        Ok(RoomMedia { media: media.collect(), before })
    }
}

impl Inner {
    /// Makes a window: of what another uplink has shared, or of the store.
    async fn load(&self, key: &Key) -> Result<Window, Refusal> {
        let began = barrage_clock::now();
        self.windows.sweep().await;
        let (bytes_max, name) = (self.memory.answer_bytes_max(), format!("{}:{}", key.room, key.delay_ms));
        // What was shared may be from before a signal of this process. Others may show it until it ends.
        if let Some(pages) = self.pages.as_ref().filter(|_| key.hidden == 0)
            && let Some(shared) = pages.get(&name).await
        {
            let units = self.memory.reserve().await.map_err(|error| error.0)?;
            let until = began + shared.left.min(self.age_max);
            if let Some(window) = Window::parse(&shared.page, until, units, bytes_max) {
                self.reads.shared.inc();
                return Ok(window);
            }
        }
        let units = self.memory.reserve().await.map_err(|error| error.0)?;
        let began = barrage_clock::now();
        let shown_to_ms = View::Viewers { delay_ms: key.delay_ms }.shown_to_ms(barrage_clock::unix_ms());
        let newest =
            self.reader.read(&key.room, Span::Before(None), WINDOW_MESSAGES, shown_to_ms, Sequence::ZERO);
        let Read { history, archived_to } = newest.await?;
        self.reads.store.inc();
        let window = Window::new(&history, archived_to, began + self.age_max, units, bytes_max);
        self.share(name, &window);
        Ok(window)
    }

    /// Gives a window to the other uplinks, in a task of its own with the deadline of a call.
    fn share(&self, name: String, window: &Window) {
        let left = window.until.saturating_duration_since(barrage_clock::now());
        let Some(pages) = self.pages.as_ref().filter(|_| left >= Duration::from_millis(1)) else { return };
        let (pages, page) = (Arc::clone(pages), window.shared());
        tokio::spawn(async move { pages.put(&name, page, left).await });
    }
}
