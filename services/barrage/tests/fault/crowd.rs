//! Viewers that remember when each gift was shown to them, and senders that remember
//! when each was accepted.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use barrage_client::{Event, HttpPool, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::Class;
use barrage_protocol::RoomId;
use barrage_protocol::entry::Transport;
use barrage_protocol::post::{Gift, Post};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Posts under way at once; beyond, a post waits, and is late by its own record.
const POSTS_MAX: usize = 1_024;

/// A silence that is worth a line of a viewer's log.
const SILENCE_MS: u32 = 3_000;

/// How much of everything.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) rooms: usize,
    pub(crate) viewers: usize,
    pub(crate) gifts_per_s: u64,
    pub(crate) chats_per_s: u64,
    pub(crate) secs: u64,
    /// Viewers take event streams alone.
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

/// What one viewer was shown of one class. The room's messages are every `rooms`th of all,
/// so the one with number n has the place n / rooms.
#[derive(Debug)]
pub(crate) struct Shown {
    /// By place: when, in milliseconds since the start and 1; 0 for never.
    pub(crate) at_ms: Vec<u32>,
    pub(crate) doubled: u64,
}

impl Shown {
    fn new(all: usize, rooms: usize) -> Self {
        Shown { at_ms: vec![0; all.div_ceil(rooms)], doubled: 0 }
    }

    /// Whether it was new.
    fn see(&mut self, place: usize, now_ms: u32) -> bool {
        let Some(at_ms) = self.at_ms.get_mut(place) else { return false };
        let is_new = *at_ms == 0;
        if is_new {
            *at_ms = now_ms;
        } else {
            self.doubled += 1;
        }
        is_new
    }
}

/// What one viewer saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) room: usize,
    pub(crate) gifts: Shown,
    pub(crate) chats: Shown,
    /// The server said never to come back.
    pub(crate) closed: Option<String>,
    /// What befell the connection, and when.
    pub(crate) log: Vec<(u32, String)>,
}

/// What is worth a line of a viewer's log.
fn told(event: &Event) -> Option<String> {
    match event {
        Event::Hello(hello, transport) => {
            Some(format!("hello at {} by {transport:?} as {}", hello.sequence.0, hello.connection))
        }
        Event::Repaired { outcome, skipped } => Some(format!("repaired: {outcome:?}, {skipped} skipped")),
        Event::Lost => Some("a gap was given up".to_owned()),
        Event::Waiting { ms } => Some(format!("a ticket for {ms} ms later")),
        Event::Reconnecting { wait_ms, code } => Some(format!("closed with {code:?}, back in {wait_ms} ms")),
        Event::Closed { code, message, .. } => Some(format!("for ever: {code:?}, {message}")),
        _ => None,
    }
}

/// What everybody tells.
pub(crate) struct Book {
    origin: Instant,
    pub(crate) scale: Scale,
    /// By number: when, as above; 0 for not accepted.
    pub(crate) gifts_accepted_ms: Vec<AtomicU32>,
    pub(crate) chats_accepted_ms: Vec<AtomicU32>,
    pub(crate) posts_failed: AtomicU64,
    /// Viewers that said hello, by second.
    pub(crate) hellos: Mutex<Vec<u32>>,
    pub(crate) here: AtomicU64,
    http: HttpPool,
    over: CancellationToken,
}

impl Book {
    pub(crate) fn new(scale: Scale) -> Arc<Self> {
        Arc::new(Book {
            origin: Instant::now(),
            gifts_accepted_ms: (0..scale.gifts()).map(|_| AtomicU32::new(0)).collect(),
            chats_accepted_ms: (0..scale.chats()).map(|_| AtomicU32::new(0)).collect(),
            posts_failed: AtomicU64::new(0),
            hellos: Mutex::default(),
            here: AtomicU64::new(0),
            http: HttpPool::new(),
            over: CancellationToken::new(),
            scale,
        })
    }

    pub(crate) fn now_ms(&self) -> u32 {
        u32::try_from(self.origin.elapsed().as_millis()).unwrap() + 1
    }

    /// Viewers of a room.
    pub(crate) fn viewers_of(&self, room: usize) -> u64 {
        (0..self.scale.viewers).filter(|viewer| viewer % self.scale.rooms == room).count() as u64
    }

    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    fn hello(&self) {
        let second = usize::try_from(self.origin.elapsed().as_secs()).unwrap();
        let mut hellos = self.hellos.lock().unwrap();
        if hellos.len() <= second {
            hellos.resize(second + 1, 0);
        }
        hellos[second] += 1;
    }
}

/// The number of a message of ours: what is behind the letter of the id in its body.
fn number_in(body: &str) -> Option<usize> {
    let (_, id) = body.split_once("\"id\":\"")?;
    id.split('"').next()?.get(1..)?.parse().ok()
}

/// Watches until the end of everything.
pub(crate) async fn watch(book: Arc<Book>, entry: String, number: usize, all: Arc<Progress>) -> Seen {
    let room = number % book.scale.rooms;
    let mut config = ViewerConfig::new(entry, Scale::room(room));
    if book.scale.only_sse {
        config.transports = vec![Transport::Sse];
    }
    // Two thousand devices are one process here: the race and a pool for each would be work
    // of the crowd's alone.
    config.race = false;
    let mut viewer = Viewer::start_with(config, &book.http);
    let rooms = book.scale.rooms;
    let (gifts, chats) = (Shown::new(book.scale.gifts(), rooms), Shown::new(book.scale.chats(), rooms));
    let mut seen = Seen { room, gifts, chats, closed: None, log: Vec::new() };
    let (mut is_first, mut heard_ms) = (true, book.now_ms());
    loop {
        let event = tokio::select! {
            event = viewer.next() => event,
            () = book.over.cancelled() => return seen,
        };
        let silent_ms = book.now_ms() - std::mem::replace(&mut heard_ms, book.now_ms());
        if silent_ms > SILENCE_MS {
            seen.log.push((heard_ms, format!("nothing for {silent_ms} ms")));
        }
        seen.log.extend(event.as_ref().and_then(told).map(|line| (book.now_ms(), line)));
        match event {
            Some(Event::Hello(..)) => {
                book.hello();
                if std::mem::take(&mut is_first) {
                    book.here.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(Event::Message(message)) => {
                let Some(number) = number_in(message.body.get()) else { continue };
                let (place, now_ms) = (number / rooms, book.now_ms());
                match message.class {
                    Class::Gift if seen.gifts.see(place, now_ms) => {
                        all.shown.fetch_add(1, Ordering::Relaxed);
                    }
                    Class::Chat => drop(seen.chats.see(place, now_ms)),
                    _ => {}
                }
            }
            Some(Event::Closed { message, .. }) => seen.closed = Some(message),
            Some(_) => {}
            None => return seen,
        }
    }
}

/// How far the viewers are.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) shown: AtomicU64,
}

/// Posts gifts and chat at their rates for the whole time; returns when every post has
/// its answer.
pub(crate) async fn post(book: Arc<Book>, entry: String, token: String, stop: Arc<AtomicBool>) {
    let sender = Sender::new(SenderConfig::through_entry(entry, token)).unwrap();
    let slots = Arc::new(Semaphore::new(POSTS_MAX));
    let mut posts = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let (mut gifts, mut chats) = (0, 0);
    let started = Instant::now();
    loop {
        tick.tick().await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap().min(book.scale.secs * 1_000);
        while gifts < book.scale.gifts_per_s * ms / 1_000 {
            let gift = usize::try_from(gifts).unwrap();
            gifts += 1;
            let (book, sender) = (Arc::clone(&book), sender.clone());
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
            posts.spawn(async move {
                post_gift(&book, &sender, gift).await;
                drop(slot);
            });
        }
        while chats < book.scale.chats_per_s * ms / 1_000 {
            let chat = usize::try_from(chats).unwrap();
            chats += 1;
            let (book, sender) = (Arc::clone(&book), sender.clone());
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
            posts.spawn(async move {
                post_chat(&book, &sender, chat).await;
                drop(slot);
            });
        }
        while posts.try_join_next().is_some() {}
        if ms == book.scale.secs * 1_000 {
            break;
        }
    }
    while posts.join_next().await.is_some() {}
    stop.store(true, Ordering::SeqCst);
}

async fn post_gift(book: &Book, sender: &Sender, gift: usize) {
    let id = format!("g{gift}").parse().unwrap();
    let what = serde_json::from_value::<Gift>(serde_json::json!({ "name": "rose", "count": 1 })).unwrap();
    let post = Post::Gift { id, gift: what };
    match sender.send(&Scale::room(gift % book.scale.rooms), &post).await {
        Ok(_) => book.gifts_accepted_ms[gift].store(book.now_ms(), Ordering::Relaxed),
        Err(_) => drop(book.posts_failed.fetch_add(1, Ordering::Relaxed)),
    }
}

async fn post_chat(book: &Book, sender: &Sender, chat: usize) {
    let room = chat % book.scale.rooms;
    let text = format!("message {chat} of many, and no two of them are the same");
    let post = Post::Chat { id: format!("c{chat}").parse().unwrap(), text, style: Default::default() };
    match sender.send(&Scale::room(room), &post).await {
        Ok(_) => book.chats_accepted_ms[chat].store(book.now_ms(), Ordering::Relaxed),
        Err(_) => drop(book.posts_failed.fetch_add(1, Ordering::Relaxed)),
    }
}
