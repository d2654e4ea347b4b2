//! A viewer: entry, race, connect, resume, repair, reconnect; to its user, one
//! stream of events in which every message stands once, in order.

use std::collections::VecDeque;
use std::time::Duration;

use barrage_protocol::batch::Pulse;
use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, EntryAnswer};
use barrage_protocol::frame::{Batch, ClientFrame, Notice, ServerFrame};
use barrage_protocol::{Code, Sequence};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;

use crate::backoff::Backoff;
use crate::chain::{RoomChain, Step};
use crate::config::ViewerConfig;
use crate::connect;
use crate::endpoints;
use crate::error::ConnectError;
use crate::event::Event;
use crate::http::HttpPool;
use crate::link::{Link, Tasks};

/// Notices remembered, to show none twice.
const NOTICES_MAX: usize = 256;
/// Spread of a return "at once": a whole room may be told at the same moment.
const NOW_SPREAD_MS: u64 = 250;
/// So often in a row a room where the viewer has been may be called unknown: a server that
/// has just started may not have heard of it yet.
const UNKNOWN_MAX: u32 = 5;
/// Waits until entry has said its own.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A viewer of a room; dropping it leaves.
#[derive(Debug)]
pub struct Viewer {
    events: mpsc::Receiver<Event>,
    _tasks: Tasks,
}

impl Viewer {
    /// Starts to connect; everything that happens comes as an event.
    #[must_use]
    pub fn start(config: ViewerConfig) -> Self {
        Viewer::start_with(config, &HttpPool::new())
    }

    /// The same over HTTP connections that many viewers share.
    #[must_use]
    pub fn start_with(config: ViewerConfig, http: &HttpPool) -> Self {
        let (events_in, events) = mpsc::channel(config.events_max);
        let mut tasks = Tasks::default();
        let run = Run {
            http: http.0.clone(),
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            position: config.after,
            chain: None,
            started: Instant::now(),
            unknown: 0,
            notices: VecDeque::new(),
            acks: Vec::new(),
            named: Vec::new(),
            config,
            events: events_in,
        };
        tasks.spawn(run.until_closed().in_current_span());
        Viewer { events, _tasks: tasks }
    }

    /// The next event; `None` after [`Event::Closed`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

/// A viewer's state, across its connections.
pub(crate) struct Run {
    pub(crate) http: reqwest::Client,
    backoff: Backoff,
    pub(crate) config: ViewerConfig,
    /// Where to resume; `None` before the first hello.
    pub(crate) position: Option<Sequence>,
    pub(crate) chain: Option<RoomChain>,
    pub(crate) started: Instant,
    /// How often in a row the room was called unknown.
    unknown: u32,
    notices: VecDeque<Sequence>,
    pub(crate) acks: Vec<Sequence>,
    /// Where the last `reconnect` frame sent this viewer; used for one connect.
    pub(crate) named: Vec<Endpoint>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// The user has gone.
pub(crate) struct Gone;

/// Why a connection is over.
pub(crate) struct Ended {
    pub(crate) code: Option<u16>,
    pub(crate) message: String,
    /// Whether it lived long enough to count as a success.
    pub(crate) is_stable: bool,
}

impl Run {
    async fn until_closed(mut self) {
        // The user having gone is the one way to end without an event.
        drop(self.run().await);
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let ended = match self.open().await? {
                Ok(link) => {
                    self.unknown = 0;
                    self.follow(link).await?
                }
                Err(ConnectError::Refused(refusal)) => {
                    if refusal.code == Code::UnknownRoom && self.has_been_here() {
                        self.unknown += 1;
                        self.wait(None, Some(refusal.code.close())).await?;
                        continue;
                    }
                    if refusal.code.advice() == Advice::Never {
                        return self.closed(Some(refusal.code.close()), refusal.message).await;
                    }
                    let wait = refusal.retry_after_ms.map(|ms| spread().saturating_add(from_ms(ms)));
                    self.wait(wait, Some(refusal.code.close())).await?;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "no endpoint could be connected");
                    self.wait(None, None).await?;
                    continue;
                }
            };
            if ended.is_stable {
                self.backoff.reset();
            }
            match ended.code.map_or(Advice::Backoff, Advice::of_close) {
                Advice::Never => return self.closed(ended.code, ended.message).await,
                // A server that sends everybody back at once, again and again, gets
                // the backoff.
                Advice::Now | Advice::Named if ended.is_stable || !self.named.is_empty() => {
                    self.wait(Some(spread()), ended.code).await?;
                }
                Advice::Now | Advice::Named | Advice::Backoff => self.wait(None, ended.code).await?,
            }
        }
    }

    /// Whether a room that is called unknown may be there all the same.
    fn has_been_here(&self) -> bool {
        self.chain.is_some() && self.unknown < UNKNOWN_MAX
    }

    /// To the named place, if there is one; else by way of entry.
    async fn open(&mut self) -> Result<Result<Link, ConnectError>, Gone> {
        let named = std::mem::take(&mut self.named);
        if let Some(link) = connect::to_named(&self.http, &self.config, &named, self.position).await {
            return Ok(Ok(link));
        }
        let answer = match endpoints::ask(&self.http, &self.config).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        self.heed(&answer);
        if let Some(wait) = connect::turn(&answer) {
            let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.emit(Event::Waiting { ms }).await?;
            tokio::time::sleep(wait).await;
        }
        Ok(connect::by_answer(&self.http, &self.config, &answer, self.position).await)
    }

    fn heed(&mut self, answer: &EntryAnswer) {
        self.backoff.set_ceilings(from_ms(answer.backoff_base_ms), from_ms(answer.backoff_max_ms));
    }

    async fn closed(&mut self, code: Option<u16>, message: String) -> Result<(), Gone> {
        self.emit(Event::Closed { code, advice: Advice::Never, message }).await
    }

    async fn wait(&mut self, named: Option<Duration>, code: Option<u16>) -> Result<(), Gone> {
        let wait = named.unwrap_or_else(|| self.backoff.next(rand::random()));
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.emit(Event::Reconnecting { wait_ms, code }).await?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn emit(&self, event: Event) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }

    pub(crate) async fn hello(&mut self, link: &Link) -> Result<(), Gone> {
        let position = *self.position.get_or_insert(link.hello.sequence);
        match &mut self.chain {
            Some(chain) => {
                let newest = if link.hello.resume { link.hello.sequence } else { position };
                chain.resumed(newest, self.started.elapsed());
            }
            None => self.chain = Some(RoomChain::with_limits(position, self.config.hold)),
        }
        self.emit(Event::Hello(Box::new(link.hello.clone()), link.transport)).await
    }

    pub(crate) async fn take(&mut self, frame: ServerFrame, link: &Link) -> Result<(), Gone> {
        match frame {
            ServerFrame::Batch(batch) => {
                if let Some(repair) = batch.repair {
                    self.emit(Event::Repaired { outcome: repair.outcome, skipped: repair.skipped }).await?;
                }
                let now = self.started.elapsed();
                let steps = self.chain.as_mut().map(|chain| chain.take(batch, now)).unwrap_or_default();
                self.steps(steps, link).await
            }
            ServerFrame::Notice(notice) => self.notice(notice).await,
            ServerFrame::Error(refusal) => {
                tracing::debug!(code = refusal.code.label(), "the server refused a frame");
                Ok(())
            }
            ServerFrame::Hello(_) | ServerFrame::Pong(_) | ServerFrame::Reconnect(_) => Ok(()),
        }
    }

    pub(crate) async fn steps(&mut self, steps: Vec<Step>, link: &Link) -> Result<(), Gone> {
        for step in steps {
            match step {
                Step::Deliver(batch) => self.deliver(batch).await?,
                Step::Ask { after, before } => say(link, ClientFrame::Repair { after, before }),
                Step::Lost { .. } => self.emit(Event::Lost).await?,
            }
        }
        self.position = self.chain.as_ref().map(RoomChain::position);
        Ok(())
    }

    async fn deliver(&mut self, batch: Batch) -> Result<(), Gone> {
        if batch.left_out.chat > 0 {
            self.emit(Event::LeftOut { chat: batch.left_out.chat }).await?;
        }
        for message in batch.messages {
            self.emit(Event::Message(message)).await?;
        }
        match batch.pulse {
            Some(Pulse { likes, entries, online }) => {
                self.emit(Event::Pulse { likes, entries, online }).await
            }
            None => Ok(()),
        }
    }

    async fn notice(&mut self, notice: Notice) -> Result<(), Gone> {
        self.acks.push(notice.sequence);
        if self.notices.contains(&notice.sequence) {
            return Ok(());
        }
        self.notices.push_back(notice.sequence);
        if self.notices.len() > NOTICES_MAX {
            self.notices.pop_front();
        }
        self.emit(Event::Notice(notice.body)).await
    }
}

/// A full queue means that the connection stands still: its end is near anyway.
pub(crate) fn say(link: &Link, frame: ClientFrame) {
    if link.outgoing.try_send(frame).is_err() {
        tracing::debug!("a frame was not sent: the connection stands still");
    }
}

pub(crate) fn from_ms(ms: u64) -> Duration {
    // A day is as good as for ever, and no arithmetic on it overflows.
    Duration::from_millis(ms.min(24 * 3600 * 1000))
}

fn spread() -> Duration {
    Duration::from_millis(rand::random_range(0..NOW_SPREAD_MS))
}
