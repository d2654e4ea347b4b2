//! A viewer: entry, race, connect, resume, repair, reconnect; to its user, one
//! stream of events in which every message stands once, in order.

use std::collections::VecDeque;
use std::time::Duration;

use barrage_protocol::code::Advice;
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{Batch, ClientFrame, Notice, Reconnect, ServerFrame};
use barrage_protocol::{Code, Sequence};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::chain::{RoomChain, Step};
use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::event::Event;
use crate::link::{Incoming, Link, Tasks};
use crate::{endpoints, poll, race, sse, ws};

/// Acknowledgements wait so long for others to go with.
const ACK_DELAY: Duration = Duration::from_millis(200);
/// Acknowledgements in one frame.
const ACKS_MAX: usize = 64;
/// Notices remembered, to show none twice.
const NOTICES_MAX: usize = 256;
/// How often gaps are looked at.
const TICK: Duration = Duration::from_millis(500);
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
        let (events_in, events) = mpsc::channel(config.events_max);
        let mut tasks = Tasks::default();
        let run = Run {
            http: reqwest::Client::new(),
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            position: config.after,
            chain: None,
            started: Instant::now(),
            notices: VecDeque::new(),
            acks: Vec::new(),
            config,
            events: events_in,
        };
        tasks.spawn(run.until_closed());
        Viewer { events, _tasks: tasks }
    }

    /// The next event; `None` after [`Event::Closed`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

struct Run {
    http: reqwest::Client,
    backoff: Backoff,
    config: ViewerConfig,
    /// Where to resume; `None` before the first hello.
    position: Option<Sequence>,
    chain: Option<RoomChain>,
    started: Instant,
    notices: VecDeque<Sequence>,
    acks: Vec<Sequence>,
    events: mpsc::Sender<Event>,
}

/// The user has gone.
struct Gone;

/// Why a connection is over.
struct Ended {
    code: Option<u16>,
    message: String,
}

impl Run {
    async fn until_closed(mut self) {
        // The user having gone is the one way to end without an event.
        drop(self.run().await);
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let ended = match connect(&self.http, &self.config, self.position).await {
                Ok((link, backoff)) => {
                    self.backoff = backoff;
                    self.follow(link).await?
                }
                Err(ConnectError::Refused(refusal)) => {
                    let wait = refusal.retry_after_ms.map(Duration::from_millis);
                    if refusal.code.advice() == Advice::Never {
                        return self.closed(Some(refusal.code.close()), refusal.message).await;
                    }
                    self.wait(wait, Some(refusal.code.close())).await?;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "no endpoint could be connected");
                    self.wait(None, None).await?;
                    continue;
                }
            };
            match ended.code.map_or(Advice::Backoff, Advice::of_close) {
                Advice::Never => return self.closed(ended.code, ended.message).await,
                // "Now" still spreads over a moment: a whole room may be told at once.
                Advice::Now | Advice::Named => {
                    self.wait(Some(Duration::from_millis(rand::random_range(0..250))), ended.code).await?
                }
                Advice::Backoff => self.wait(None, ended.code).await?,
            }
        }
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

    /// Follows a connection, and the one that takes over from it, to the end.
    async fn follow(&mut self, mut link: Link) -> Result<Ended, Gone> {
        self.hello(&link).await?;
        let mut tick = tokio::time::interval(TICK);
        let mut ping = interval(link.hello.ping_interval_ms);
        let mut ack_at: Option<Instant> = None;
        let mut successor: Option<tokio::task::JoinHandle<Option<Link>>> = None;
        loop {
            tokio::select! {
                incoming = link.incoming.recv() => match incoming {
                    Some(Incoming::Frame(ServerFrame::Reconnect(reconnect))) => {
                        if successor.is_none() {
                            successor = Some(self.make_before_break(&reconnect));
                        }
                    }
                    Some(Incoming::Frame(frame)) => {
                        self.take(frame, &link).await?;
                        if !self.acks.is_empty() && ack_at.is_none() {
                            ack_at = Some(Instant::now() + ACK_DELAY);
                        }
                    }
                    Some(Incoming::Closed { code, message }) => return Ok(Ended { code, message }),
                    None => return Ok(Ended { code: None, message: "the connection ended".into() }),
                },
                next = async { successor.as_mut().expect("guarded").await }, if successor.is_some() => {
                    successor = None;
                    if let Ok(Some(next)) = next {
                        // The old connection is left only now; what it still brought is known to the chain.
                        link = next;
                        ping = interval(link.hello.ping_interval_ms);
                        self.hello(&link).await?;
                    }
                }
                _ = tick.tick() => {
                    let now = self.started.elapsed();
                    let steps = self.chain.as_mut().map(|chain| chain.tick(now)).unwrap_or_default();
                    self.steps(steps, &link).await?;
                }
                _ = ping.tick() => say(&link, ClientFrame::Ping { id: 0 }),
                () = tokio::time::sleep_until(ack_at.unwrap_or_else(Instant::now)), if ack_at.is_some() => {
                    ack_at = None;
                    for sequences in std::mem::take(&mut self.acks).chunks(ACKS_MAX) {
                        say(&link, ClientFrame::Ack { sequences: sequences.to_vec() });
                    }
                }
                () = self.events.closed() => return Err(Gone),
            }
        }
    }

    /// Opens the next connection while this one still serves.
    fn make_before_break(&self, reconnect: &Reconnect) -> tokio::task::JoinHandle<Option<Link>> {
        let (http, config) = (self.http.clone(), self.config.clone());
        let (after, position) = (Duration::from_millis(reconnect.after_ms), self.position);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            connect(&http, &config, position).await.ok().map(|(link, _)| link)
        })
    }

    async fn hello(&mut self, link: &Link) -> Result<(), Gone> {
        let position = *self.position.get_or_insert(link.hello.sequence);
        match &mut self.chain {
            Some(chain) => chain.reconnected(),
            None => self.chain = Some(RoomChain::new(position)),
        }
        self.emit(Event::Hello(Box::new(link.hello.clone()), link.transport)).await
    }

    async fn take(&mut self, frame: ServerFrame, link: &Link) -> Result<(), Gone> {
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

    async fn steps(&mut self, steps: Vec<Step>, link: &Link) -> Result<(), Gone> {
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
            Some(pulse) => self.emit(Event::Pulse { likes: pulse.likes, online: pulse.online }).await,
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

fn interval(ms: u64) -> tokio::time::Interval {
    let period = Duration::from_millis(ms.max(100));
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

/// A full queue means that the connection stands still: its end is near anyway.
fn say(link: &Link, frame: ClientFrame) {
    if link.outgoing.try_send(frame).is_err() {
        tracing::debug!("a frame was not sent: the connection stands still");
    }
}

/// Entry, race, then every endpoint in turn, by transport.
async fn connect(
    http: &reqwest::Client,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<(Link, Backoff), ConnectError> {
    let answer = endpoints::ask(http, config).await?;
    let backoff = Backoff::new(
        Duration::from_millis(answer.backoff_base_ms),
        Duration::from_millis(answer.backoff_max_ms),
    );
    let mut last = ConnectError::Failed("entry named no endpoint".into());
    for transport in &config.transports {
        let mut list = endpoints::of(&answer, *transport);
        if *transport == Transport::Ws && config.race {
            list = race::run(http, &config.entry_url, &answer, list).await;
        }
        for endpoint in &list {
            let connected = match transport {
                Transport::Ws => ws::connect(endpoint, config, after).await,
                Transport::Sse => sse::connect(http, endpoint, config, after).await,
                Transport::Poll => poll::connect(http, endpoint, config, after).await,
            };
            match connected {
                Ok(link) => return Ok((link, backoff)),
                // No other endpoint would say otherwise.
                Err(ConnectError::Refused(refusal)) if is_final(refusal.code) => {
                    return Err(ConnectError::Refused(refusal));
                }
                Err(error) => {
                    tracing::debug!(%error, ?transport, "an endpoint could not be connected");
                    last = error;
                }
            }
        }
    }
    Err(last)
}

fn is_final(code: Code) -> bool {
    code.advice() == Advice::Never
        && !matches!(code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed)
}
