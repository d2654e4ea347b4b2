//! A device: attached, shows what its mail brings, and syncs where mail was lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::frame::{ClientFrame, ServerFrame};
use barrage_protocol::inbox::{InboxAnswer, ItemView, ItemsPage};
use barrage_token::Role;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::board::Board;
use super::site::{Site, refusal};
use super::socket::Socket;
use crate::clock::Moment;
use crate::error::LoadtestError;
use crate::measure::latency::Latency;
use crate::net::http::{Call, Encoded};

/// Wait before a device connects again.
const AGAIN: Duration = Duration::from_millis(500);

/// What all devices of a run share.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) site: Site,
    pub(super) board: RefCell<Board>,
    pub(super) tally: RefCell<Tally>,
    /// Devices that are attached and in step.
    pub(super) attached: Cell<u32>,
    /// Becomes true at the end of the run.
    pub(super) end: watch::Sender<bool>,
}

/// Counts and latencies of all devices.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// From the connect to `attached`.
    pub(super) attach: Latency,
    /// From a device's request to its answer.
    pub(super) sync: Latency,
    /// Frames of mail that arrived.
    pub(super) frames: u64,
    /// Bells that arrived at devices.
    pub(super) bells: u64,
    /// Connections that failed or ended, by reason.
    pub(super) broken: BTreeMap<String, u64>,
    /// Syncs that had no answer or were refused, by reason.
    pub(super) syncs_failed: BTreeMap<String, u64>,
}

impl Crowd {
    pub(super) fn new(site: Site, online: u32) -> Rc<Crowd> {
        Rc::new(Crowd {
            site,
            board: RefCell::new(Board::new(online)),
            tally: RefCell::default(),
            attached: Cell::new(0),
            end: watch::Sender::new(false),
        })
    }

    /// Asks the inbox of a user for what a device with this cursor lacks.
    pub(super) async fn sync(
        &self,
        user: u32,
        token: &str,
        cursor: Option<&str>,
    ) -> Result<InboxAnswer, String> {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/inbox?limit=100&top=20&items=20{cursor}");
        let began = Moment::now();
        let answer = self.site.ask(user, &Call { token: Some(token), ..Call::get(&path) }, Encoded::No).await;
        let (status, body) = answer.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        self.tally.borrow_mut().sync.record(Moment::now().since(began));
        serde_json::from_slice(&body).map_err(|_| "nonsense".into())
    }

    /// Reads what the devices of some users lack, after the end of the load: newest items, or all of a group.
    pub(super) async fn catch_up(&self, user: u32, group: Option<&str>) -> Result<(), LoadtestError> {
        let token = self.site.token(user, Role::Viewer)?;
        let Some(group) = group else {
            if let Ok(answer) = self.sync(user, &token, None).await {
                let items = answer.conversations.iter().flat_map(|view| &view.items);
                items.for_each(|item| self.board.borrow_mut().show_late(user, &text_of(item)));
            }
            return Ok(());
        };
        let mut after = 0;
        loop {
            let path = format!("/v1/conversations/{group}/messages?after={after}&limit=200");
            let body = self.site.done(user, hyper::Method::GET, &path, &token, "").await?;
            let page: ItemsPage = serde_json::from_slice(&body)
                .map_err(|error| LoadtestError::cannot_run("a page of items", error))?;
            let items = page.items.iter();
            items.for_each(|item| self.board.borrow_mut().show_late(user, &text_of(item)));
            match page.items.last() {
                Some(last) if page.more => after = last.position,
                _ => return Ok(()),
            }
        }
    }
}

/// A device of one user.
#[derive(Debug)]
pub(super) struct Device {
    crowd: Rc<Crowd>,
    user: u32,
    token: String,
    cursor: Option<String>,
    version: u64,
}

impl Device {
    pub(super) fn new(crowd: &Rc<Crowd>, user: u32) -> Result<Device, LoadtestError> {
        let token = crowd.site.token(user, Role::Viewer)?;
        Ok(Device { crowd: Rc::clone(crowd), user, token, cursor: None, version: 0 })
    }

    /// Stays attached until the end of the run, and connects again when a connection ends.
    pub(super) async fn run(mut self) {
        let mut end = self.crowd.end.subscribe();
        loop {
            let crowd = Rc::clone(&self.crowd);
            let stay = async {
                let reason = self.stay().await;
                crowd.attached.set(crowd.attached.get().saturating_sub(u32::from(reason.was_attached)));
                *crowd.tally.borrow_mut().broken.entry(reason.text).or_default() += 1;
                tokio::time::sleep(AGAIN).await;
            };
            tokio::select! {
                () = stay => {}
                _ = end.wait_for(|end| *end) => return,
            }
        }
    }

    /// Connects, and shows what arrives until the connection ends. Returns the reason.
    async fn stay(&mut self) -> Ended {
        let began = Moment::now();
        let mut socket = match Socket::attach(&self.crowd.site, &self.token).await {
            Ok(socket) => socket,
            Err(text) => return Ended { text, was_attached: false },
        };
        self.crowd.tally.borrow_mut().attach.record(Moment::now().since(began));
        self.sync().await;
        self.crowd.attached.set(self.crowd.attached.get() + 1);
        let mut sync_at: Option<Instant> = None;
        let mut ping = tokio::time::interval_at(Instant::now() + socket.ping_every, socket.ping_every);
        loop {
            let frame = tokio::select! {
                frame = socket.next() => frame,
                () = due(sync_at) => {
                    sync_at = None;
                    self.sync().await;
                    continue;
                }
                _ = ping.tick() => {
                    match socket.send(&ClientFrame::Ping { id: 0 }).await {
                        Ok(()) => continue,
                        Err(text) => return Ended { text, was_attached: true },
                    }
                }
            };
            let wait = match frame {
                Ok(frame) => self.take(frame),
                Err(text) => return Ended { text, was_attached: true },
            };
            let at = wait.map(|wait| Instant::now() + wait);
            sync_at = sync_at.into_iter().chain(at).min();
        }
    }

    /// Takes a frame. Returns after which time the device must sync.
    fn take(&mut self, frame: ServerFrame) -> Option<Duration> {
        let now = Moment::now();
        match frame {
            ServerFrame::Mail(mail) => {
                self.crowd.tally.borrow_mut().frames += 1;
                let mut board = self.crowd.board.borrow_mut();
                let direct = mail.conversations.iter().flat_map(|view| &view.items);
                let of_groups = mail.groups.iter().flat_map(|group| &group.items);
                for item in direct.chain(of_groups) {
                    board.show(self.user, &text_of(item), now);
                }
                let is_gap = mail.previous.is_some_and(|previous| previous > self.version);
                self.version = self.version.max(mail.version.unwrap_or(0));
                is_gap.then_some(Duration::ZERO)
            }
            ServerFrame::Bell(bell) => {
                self.crowd.tally.borrow_mut().bells += 1;
                let has_it = bell.version.is_some_and(|version| version <= self.version);
                let spread_ms = bell.spread_ms.unwrap_or(0);
                (!has_it).then(|| Duration::from_millis(rand::random_range(0..=spread_ms)))
            }
            _ => None,
        }
    }

    /// Syncs, and shows what was new.
    async fn sync(&mut self) {
        loop {
            match self.crowd.sync(self.user, &self.token, self.cursor.as_deref()).await {
                Ok(answer) => {
                    let now = Moment::now();
                    let items = answer.conversations.iter().flat_map(|view| &view.items);
                    let mut board = self.crowd.board.borrow_mut();
                    for item in items {
                        board.show(self.user, &text_of(item), now);
                    }
                    drop(board);
                    self.version = self.version.max(answer.version);
                    self.cursor = Some(answer.cursor);
                    if !answer.more {
                        return;
                    }
                }
                Err(reason) => {
                    *self.crowd.tally.borrow_mut().syncs_failed.entry(reason).or_default() += 1;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// Why a connection ended.
#[derive(Debug)]
struct Ended {
    text: String,
    was_attached: bool,
}

/// Waits until a time; for ever without one.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Returns the text of an item; empty for an item without one.
fn text_of(item: &ItemView) -> String {
    #[derive(Deserialize)]
    struct Body {
        text: Option<String>,
    }
    let body = item.body.as_ref().and_then(|body| serde_json::from_str::<Body>(body.get()).ok());
    body.and_then(|body| body.text).unwrap_or_default()
}
