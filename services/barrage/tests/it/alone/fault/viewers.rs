//! Viewers that record when each gift was shown, and senders that record when each was accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrage_client::{Event, HttpPool, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::Class;
use barrage_protocol::RoomId;
use barrage_protocol::entry::Transport;
use barrage_protocol::post::{Gift, Post};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Largest number of posts at the same time; a further post waits, and its delay counts.
const POSTS_MAX: usize = 1_024;

/// Shortest silence that is a line in the log of a viewer.
const SILENCE_MS: u32 = 3_000;

/// Size and duration of a run.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) rooms: usize,
    pub(crate) viewers: usize,
    pub(crate) gifts_per_s: u64,
    pub(crate) chats_per_s: u64,
    pub(crate) secs: u64,
    /// Whether all viewers use event streams.
    pub(crate) only_sse: bool,
}

impl Scale {
    pub(crate) fn gifts(&self) -> usize {
        usize::try_from(self.gifts_per_s * self.secs).unwrap()
    }

    pub(crate) fn chats(&self) -> usize {
        usize::try_from(self.chats_per_s * self.secs).unwrap()
    }

    pub(crate) fn room(n: usize) -> RoomId {
        format!("fault-{n}").parse().unwrap()
    }
}

/// Messages of one class that one viewer received. The room has every `rooms`th message of all, so
/// that the message with the number n has the place n / rooms.
#[derive(Debug)]
pub(crate) struct Shown {
    /// By place: milliseconds since the start, plus 1; 0 for never.
    pub(crate) at_ms: Vec<u32>,
    pub(crate) duplicates: u64,
}

impl Shown {
    fn new(all: usize, rooms: usize) -> Self {
        Shown { at_ms: vec![0; all.div_ceil(rooms)], duplicates: 0 }
    }

    /// Records a message. Returns whether the message was new.
    fn record(&mut self, place: usize, now_ms: u32) -> bool {
        let Some(at_ms) = self.at_ms.get_mut(place) else { return false };
        let is_new = *at_ms == 0;
        if is_new {
            *at_ms = now_ms;
        } else {
            self.duplicates += 1;
        }
        is_new
    }
}

/// Record of one viewer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) room: usize,
    pub(crate) gifts: Shown,
    pub(crate) chats: Shown,
    /// Message of a close after which the viewer must not reconnect.
    pub(crate) closed: Option<String>,
    /// Events of the connection, with milliseconds since the start.
    pub(crate) log: Vec<(u32, String)>,
}

/// Describes an event for the log of a viewer; `None` for a message.
fn describe(event: &Event) -> Option<String> {
    match event {
        Event::Hello(hello, transport) => {
            Some(format!("hello at {} by {transport:?} as {}", hello.sequence.0, hello.connection))
        }
        Event::Repaired { outcome, skipped } => Some(format!("repaired: {outcome:?}, {skipped} skipped")),
        Event::Lost => Some("a gap could not be repaired".to_owned()),
        Event::Waiting { ms } => Some(format!("a ticket for a join in {ms} ms")),
        Event::Reconnecting { wait_ms, code } => {
            Some(format!("closed with {code:?}, reconnects in {wait_ms} ms"))
        }
        Event::Closed { code, message, .. } => Some(format!("closed for good: {code:?}, {message}")),
        _ => None,
    }
}

/// Shared records of a run.
pub(crate) struct Records {
    origin: Instant,
    pub(crate) scale: Scale,
    /// By number: milliseconds since the start, plus 1; 0 for not accepted.
    pub(crate) gifts_accepted_ms: Vec<AtomicU32>,
    pub(crate) chats_accepted_ms: Vec<AtomicU32>,
    pub(crate) posts_failed: AtomicU64,
    /// Number of hellos in each second.
    pub(crate) hellos: Mutex<Vec<u32>>,
    /// Viewers that have joined their room at least once.
    pub(crate) joined: AtomicU64,
    http: HttpPool,
    end: CancellationToken,
}

impl Records {
    pub(crate) fn new(scale: Scale) -> Arc<Self> {
        Arc::new(Records {
            origin: Instant::now(),
            gifts_accepted_ms: (0..scale.gifts()).map(|_| AtomicU32::new(0)).collect(),
            chats_accepted_ms: (0..scale.chats()).map(|_| AtomicU32::new(0)).collect(),
            posts_failed: AtomicU64::new(0),
            hellos: Mutex::default(),
            joined: AtomicU64::new(0),
            http: HttpPool::new(),
            end: CancellationToken::new(),
            scale,
        })
    }

    pub(crate) fn now_ms(&self) -> u32 {
        u32::try_from(self.origin.elapsed().as_millis()).unwrap() + 1
    }

    /// Number of viewers of a room.
    pub(crate) fn viewers_of(&self, room: usize) -> u64 {
        (0..self.scale.viewers).filter(|viewer| viewer % self.scale.rooms == room).count() as u64
    }

    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    fn hello(&self) {
        let second = usize::try_from(self.origin.elapsed().as_secs()).unwrap();
        let mut hellos = self.hellos.lock();
        if hellos.len() <= second {
            hellos.resize(second + 1, 0);
        }
        hellos[second] += 1;
    }
}

/// Returns the number of a message: the digits after the letter of the id in its body.
fn number_in(body: &str) -> Option<usize> {
    let (_, id) = body.split_once("\"id\":\"")?;
    id.split('"').next()?.get(1..)?.parse().ok()
}

/// Watches a room until the end of the run.
pub(crate) async fn watch(records: Arc<Records>, entry: String, number: usize, all: Arc<Progress>) -> Seen {
    let room = number % records.scale.rooms;
    let mut config = ViewerConfig::new(entry, Scale::room(room));
    if records.scale.only_sse {
        config.transports = vec![Transport::Sse];
    }
    // One process stands for all devices: a race and a connection pool for each of them would cost
    // more than the test.
    config.race = false;
    let mut viewer = Viewer::start_with(config, &records.http);
    let rooms = records.scale.rooms;
    let (gifts, chats) = (Shown::new(records.scale.gifts(), rooms), Shown::new(records.scale.chats(), rooms));
    let mut seen = Seen { room, gifts, chats, closed: None, log: Vec::new() };
    let (mut is_first, mut last_ms) = (true, records.now_ms());
    loop {
        let event = tokio::select! {
            event = viewer.next() => event,
            () = records.end.cancelled() => return seen,
        };
        let silent_ms = records.now_ms() - std::mem::replace(&mut last_ms, records.now_ms());
        if silent_ms > SILENCE_MS {
            seen.log.push((last_ms, format!("no event for {silent_ms} ms")));
        }
        seen.log.extend(event.as_ref().and_then(describe).map(|line| (records.now_ms(), line)));
        match event {
            Some(Event::Hello(..)) => {
                records.hello();
                if std::mem::take(&mut is_first) {
                    records.joined.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(Event::Message(message)) => {
                let Some(number) = number_in(message.body.get()) else { continue };
                let (place, now_ms) = (number / rooms, records.now_ms());
                match message.class {
                    Class::Gift if seen.gifts.record(place, now_ms) => {
                        all.shown.fetch_add(1, Ordering::Relaxed);
                    }
                    Class::Chat => drop(seen.chats.record(place, now_ms)),
                    _ => {}
                }
            }
            Some(Event::Closed { message, .. }) => seen.closed = Some(message),
            Some(_) => {}
            None => return seen,
        }
    }
}

/// Number of gifts shown, over all viewers.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) shown: AtomicU64,
}

/// Posts gifts and chat at their rates for the whole run. Returns when every post has an answer.
pub(crate) async fn post(records: Arc<Records>, entry: String, token: String, stop: Arc<AtomicBool>) {
    let sender = Sender::new(SenderConfig::through_entry(entry, token)).unwrap();
    let slots = Arc::new(Semaphore::new(POSTS_MAX));
    let mut posts = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let (mut gifts, mut chats) = (0, 0);
    let started = Instant::now();
    loop {
        tick.tick().await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap().min(records.scale.secs * 1_000);
        while gifts < records.scale.gifts_per_s * ms / 1_000 {
            let gift = usize::try_from(gifts).unwrap();
            gifts += 1;
            let (records, sender) = (Arc::clone(&records), sender.clone());
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
            posts.spawn(async move {
                post_gift(&records, &sender, gift).await;
                drop(slot);
            });
        }
        while chats < records.scale.chats_per_s * ms / 1_000 {
            let chat = usize::try_from(chats).unwrap();
            chats += 1;
            let (records, sender) = (Arc::clone(&records), sender.clone());
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
            posts.spawn(async move {
                post_chat(&records, &sender, chat).await;
                drop(slot);
            });
        }
        while posts.try_join_next().is_some() {}
        if ms == records.scale.secs * 1_000 {
            break;
        }
    }
    while posts.join_next().await.is_some() {}
    stop.store(true, Ordering::SeqCst);
}

async fn post_gift(records: &Records, sender: &Sender, gift: usize) {
    let id = format!("g{gift}").parse().unwrap();
    let rose = serde_json::from_value::<Gift>(serde_json::json!({ "name": "rose", "count": 1 })).unwrap();
    let post = Post::Gift { id, gift: rose };
    match sender.send(&Scale::room(gift % records.scale.rooms), &post).await {
        Ok(_) => records.gifts_accepted_ms[gift].store(records.now_ms(), Ordering::Relaxed),
        Err(_) => drop(records.posts_failed.fetch_add(1, Ordering::Relaxed)),
    }
}

async fn post_chat(records: &Records, sender: &Sender, chat: usize) {
    let room = chat % records.scale.rooms;
    let text = format!("message {chat} of many, and no two of them are the same");
    let post = Post::chat(format!("c{chat}").parse().unwrap(), text);
    match sender.send(&Scale::room(room), &post).await {
        Ok(_) => records.chats_accepted_ms[chat].store(records.now_ms(), Ordering::Relaxed),
        Err(_) => drop(records.posts_failed.fetch_add(1, Ordering::Relaxed)),
    }
}
