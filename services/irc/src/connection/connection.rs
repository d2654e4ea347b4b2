//! Runs one connection: carries out what its session decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_client::{Event, HttpPool, Viewer, ViewerConfig};
use barrage_protocol::RoomId;
use barrage_protocol::facts::ClientName;
use barrage_ws::stream::{Side, split};
use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::allowance::Allowance;
use super::outbox::{Full, Outbox, Outgoing};
use super::poster::Poster;
use super::reader::LineReader;
use super::socket::Io;
use super::writer::LineWriter;
use crate::config::IrcConfig;
use crate::metrics::{IrcMetrics, TransportKind};
use crate::session::{Answered, CloseCause, Effect, Session, Work};
use crate::wire::{ClientLine, LINE_BYTES_MAX, LineError, SERVER, ServerLine};

/// Lines that are read ahead of the session.
const LINES_AHEAD: usize = 16;
/// Events of viewers that wait for the session; then its viewers read no more.
const EVENTS_AHEAD: usize = 64;

/// What the connections of a gateway share.
pub(crate) struct ConnectionContext {
    pub(crate) config: IrcConfig,
    pub(crate) entry_url: String,
    pub(crate) pool: HttpPool,
    pub(crate) metrics: Arc<IrcMetrics>,
    pub(crate) shutdown: CancellationToken,
}

/// A connection whose transport is known.
pub(crate) struct Arrived {
    pub(crate) socket: Box<dyn Io>,
    pub(crate) kind: TransportKind,
    /// Bytes of lines that have come already; none over WebSocket.
    pub(crate) early: BytesMut,
}

/// Event of the viewer that was started as the `number`th of its connection.
struct RoomEvent {
    room: RoomId,
    number: u64,
    event: Event,
}

/// Everything that one connection owns.
struct Connection {
    context: Arc<ConnectionContext>,
    session: Session,
    outbox: Outbox,
    viewers: HashMap<RoomId, (u64, AbortHandle)>,
    viewers_started: u64,
    tasks: JoinSet<()>,
    events: mpsc::Sender<RoomEvent>,
    answers: mpsc::Sender<Answered>,
    /// Queue of the posts; `None` before the login, and for readers without a token.
    work: Option<mpsc::Sender<Work>>,
}

/// Serves a connection to its end.
pub(crate) async fn serve(arrived: Arrived, context: Arc<ConnectionContext>) {
    let connections = context.metrics.connections(arrived.kind);
    connections.inc();
    let (outbox, queue) = Outbox::new(context.config.queue_bytes_max);
    let (reader, writer) = halves(arrived);
    let (lines_sender, lines) = mpsc::channel(LINES_AHEAD);
    let (cut, last) = (CancellationToken::new(), Arc::new(parking_lot::Mutex::new(None)));
    let mut writing =
        tokio::spawn(writer.run(queue, cut.clone(), Arc::clone(&last), Arc::clone(&context.metrics)));
    let reading = {
        let outbox = outbox.clone();
        async move { reader.run(&lines_sender, &outbox).await }
    };
    let cause = Connection::run(Arc::clone(&context), outbox, lines, reading, &mut writing).await;
    *last.lock() = Some(format!("ERROR :{}\r\n", cause.text()));
    if cause == CloseCause::SlowReader {
        cut.cancel();
    }
    // All senders of the queue are gone: the writer ends behind the last line.
    if tokio::time::timeout(Duration::from_secs(6), &mut writing).await.is_err() {
        writing.abort();
    }
    context.metrics.closed(cause);
    connections.dec();
}

fn halves(arrived: Arrived) -> (LineReader, LineWriter) {
    match arrived.kind {
        TransportKind::Tcp => {
            let (read, write) = tokio::io::split(arrived.socket);
            (LineReader::Tcp(read, arrived.early), LineWriter::Tcp(write))
        }
        TransportKind::WebSocket => {
            let (read, write) = split(arrived.socket, Side::Server, LINE_BYTES_MAX + 2);
            (LineReader::WebSocket(read), LineWriter::WebSocket(write))
        }
    }
}

impl Connection {
    /// Runs the session until it ends, and returns why.
    async fn run(
        context: Arc<ConnectionContext>,
        outbox: Outbox,
        mut lines: mpsc::Receiver<Vec<u8>>,
        reading: impl Future<Output = CloseCause>,
        writing: &mut tokio::task::JoinHandle<()>,
    ) -> CloseCause {
        let (events, mut room_events) = mpsc::channel(EVENTS_AHEAD);
        let (answers, mut answered) = mpsc::channel(EVENTS_AHEAD);
        let shutdown = context.shutdown.clone();
        let mut timers = Timers::new(&context.config);
        let mut connection = Connection::new(context, outbox, events, answers);
        let mut read_end = None;
        tokio::pin!(reading);
        loop {
            let is_new = connection.session.identity().is_none();
            let done = tokio::select! {
                biased;
                () = shutdown.cancelled(), if timers.leave.is_none() => {
                    timers.leave = Some(Leave::new(connection.context.config.drain()));
                    Ok(())
                }
                () = until(timers.leave.as_ref().and_then(|leave| leave.reconnect_at)) => {
                    timers.leave.iter_mut().for_each(|leave| leave.reconnect_at = None);
                    let line = connection.session.reconnect();
                    connection.send(&line)
                }
                () = until(timers.leave.as_ref().map(|leave| leave.close_at)) => Err(CloseCause::Shutdown),
                () = tokio::time::sleep_until(timers.login_until), if is_new => Err(CloseCause::LoginTimeout),
                line = lines.recv() => match line {
                    Some(line) => {
                        let is_allowed = timers.heard();
                        connection.line(&line, is_allowed)
                    }
                    None => Err(read_end.unwrap_or(CloseCause::Client)),
                },
                end = &mut reading, if read_end.is_none() => {
                    read_end = Some(end);
                    if end == CloseCause::Client { Err(end) } else { Ok(()) }
                }
                Some(work) = answered.recv() => {
                    let effects = connection.session.answered(&work);
                    connection.carry_out(effects)
                }
                Some(event) = room_events.recv() => connection.room_event(&event),
                _ = &mut *writing => Err(CloseCause::Client),
                () = tokio::time::sleep_until(timers.silent_at()) => match timers.is_pinged {
                    true => Err(CloseCause::Silent),
                    false => {
                        timers.is_pinged = true;
                        connection.send(&ServerLine::bare("PING").text(SERVER))
                    }
                },
            };
            if let Err(cause) = done {
                return cause;
            }
        }
    }

    fn new(
        context: Arc<ConnectionContext>,
        outbox: Outbox,
        events: mpsc::Sender<RoomEvent>,
        answers: mpsc::Sender<Answered>,
    ) -> Self {
        let own_ids = format!("irc-{:016x}-", rand::random::<u64>());
        Connection {
            session: Session::new(own_ids, context.config.rooms_max),
            outbox,
            viewers: HashMap::new(),
            viewers_started: 0,
            tasks: JoinSet::new(),
            events,
            answers,
            work: None,
            context,
        }
    }

    fn line(&mut self, line: &[u8], is_allowed: bool) -> Result<(), CloseCause> {
        self.context.metrics.line_in();
        if !is_allowed {
            return Err(CloseCause::Flood);
        }
        match ClientLine::parse(line) {
            Ok(line) => {
                let effects = self.session.line(&line, barrage_clock::unix_ms());
                self.carry_out(effects)
            }
            Err(LineError::Empty) => Ok(()),
            Err(LineError::TooLong) => Err(CloseCause::LongLine),
            Err(error @ (LineError::NotUtf8 | LineError::Control)) => {
                self.send(&ServerLine::of_server("NOTICE").param("*").text(&error.to_string()))
            }
        }
    }

    fn room_event(&mut self, event: &RoomEvent) -> Result<(), CloseCause> {
        // An event of a viewer that was left meanwhile is of no interest.
        if self.viewers.get(&event.room).is_none_or(|(number, _)| *number != event.number) {
            return Ok(());
        }
        let effects = self.session.event(&event.room, &event.event, barrage_clock::unix_ms());
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), CloseCause> {
        for effect in effects {
            match effect {
                Effect::Send(line) => self.send(&line)?,
                Effect::Join(room) => self.start_viewer(room),
                Effect::Part(room) => {
                    if let Some((_, viewer)) = self.viewers.remove(&room) {
                        viewer.abort();
                        self.context.metrics.rooms.dec();
                    }
                }
                Effect::Work(work) => self.work(work)?,
                Effect::Close(cause) => return Err(cause),
            }
        }
        Ok(())
    }

    fn send(&self, line: &ServerLine) -> Result<(), CloseCause> {
        if !line.is_for(self.session.capabilities) {
            return Ok(());
        }
        let line = line.encode(self.session.capabilities);
        self.outbox.push(Outgoing::Line(line)).map_err(|Full| CloseCause::SlowReader)
    }

    /// Starts the viewer of a room, with the token of the connection.
    fn start_viewer(&mut self, room: RoomId) {
        let token = self.session.identity().and_then(|identity| identity.token().map(str::to_owned));
        let mut config = ViewerConfig {
            token,
            deflate: false,
            race: false,
            ..ViewerConfig::new(&self.context.entry_url, room.clone())
        };
        config.events_max = EVENTS_AHEAD;
        config.facts.iter_mut().for_each(|facts| facts.name = ClientName::parse("barrage-irc"));
        let mut viewer = Viewer::start_with(config, &self.context.pool);
        self.viewers_started += 1;
        let (number, events, id) = (self.viewers_started, self.events.clone(), room.clone());
        let task = self.tasks.spawn(async move {
            while let Some(event) = viewer.next().await {
                if events.send(RoomEvent { room: id.clone(), number, event }).await.is_err() {
                    return;
                }
            }
        });
        self.context.metrics.rooms.inc();
        self.viewers.insert(room, (number, task));
        // Ended viewers of earlier rooms.
        while self.tasks.try_join_next().is_some() {}
    }

    fn work(&mut self, work: Work) -> Result<(), CloseCause> {
        if self.work.is_none() {
            let Some(token) = self.session.identity().and_then(|identity| identity.token()) else {
                return Ok(());
            };
            let (context, answers) = (&self.context, self.answers.clone());
            match Poster::new(&context.entry_url, token, &context.pool, &context.metrics) {
                Ok(poster) => {
                    let (sender, queue) = mpsc::channel(context.config.posts_waiting_max);
                    self.tasks.spawn(poster.run(queue, answers));
                    self.work = Some(sender);
                }
                Err(error) => tracing::warn!(%error, "an IRC connection has no sender"),
            }
        }
        let full = match &self.work {
            Some(queue) => queue.try_send(work).err().map(|error| error.into_inner()),
            None => Some(work),
        };
        match full {
            Some(work) => {
                let effects = self.session.refused_work(&work);
                self.carry_out(effects)
            }
            None => Ok(()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.context.metrics.rooms.sub(i64::try_from(self.viewers.len()).unwrap_or(0));
    }
}

/// Moments at which a connection acts by itself.
struct Timers {
    started: Instant,
    ping: Duration,
    login_until: Instant,
    heard_at: Instant,
    is_pinged: bool,
    allowance: Allowance,
    leave: Option<Leave>,
}

impl Timers {
    fn new(config: &IrcConfig) -> Self {
        let started = Instant::now();
        Timers {
            started,
            ping: config.ping(),
            login_until: started + config.login(),
            heard_at: started,
            is_pinged: false,
            allowance: Allowance::new(config.lines_per_s),
            leave: None,
        }
    }

    /// Notes a line of the client; false when the client sends too many.
    fn heard(&mut self) -> bool {
        (self.heard_at, self.is_pinged) = (Instant::now(), false);
        self.allowance.take(self.started.elapsed())
    }

    fn silent_at(&self) -> Instant {
        self.heard_at + if self.is_pinged { 2 * self.ping } else { self.ping }
    }
}

/// Times of a connection when the process stops.
struct Leave {
    reconnect_at: Option<Instant>,
    close_at: Instant,
}

impl Leave {
    /// Asks the client to reconnect at a random moment of the first half, so that not all of them come at
    /// once elsewhere.
    fn new(drain: Duration) -> Leave {
        let now = Instant::now();
        let reconnect_at = now + drain.mul_f64(rand::random_range(0.0..0.5));
        Leave { reconnect_at: Some(reconnect_at), close_at: now + drain }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
