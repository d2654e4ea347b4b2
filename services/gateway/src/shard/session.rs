mod frames;

use std::io::ErrorKind;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use barrage_bus::UserHash;
use barrage_clock::unix_ms;
use barrage_http::ConnectionPermit;
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::{Attached, InboxConnection};
use barrage_protocol::{ClientFacts, Code, FrameVersion, RoomId, Sequence};
use barrage_token::{Identity, Role, Rooms};
use tokio::time::Instant;
use tracing::Instrument;

use super::client_frames::{self, JoinFrame, Parsed};
use super::inbox::Inbox;
use super::join::{self, Join, Joined};
use super::session_end::SessionEnd;
use super::shard::Shard;
use crate::admission::{Admission, check_room, ends_at_secs};
use crate::dispatch::{Arrival, Connection, Destination, JoinRequest};
use crate::room::SeatKind;
use crate::socket::Socket;
use crate::viewer::{Viewer, address};

/// Longest wait for a closing connection to take the last bytes.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Takes a connection over: starts a task for it on this shard.
pub(super) fn adopt(shard: &Rc<Shard>, arrival: Arrival) {
    let Arrival { socket, permit, admission, request, answer, mut leftover } = arrival;
    let request = Box::new(request);
    let socket = match Socket::new(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(%error, "connection cannot be registered with its shard");
            return;
        }
    };
    let config = &shard.context.config;
    let send_bytes = usize::try_from(config.socket_send_bytes).unwrap_or(usize::MAX);
    if let Err(error) = socket.set_send_buffer_size(send_bytes) {
        tracing::debug!(%error, "socket keeps the send buffer size of the system");
    }
    if request.version == FrameVersion::V1_1 {
        // Such a client may be silent for minutes while the gateway sends: the kernel watches whether the
        // client's machine takes the bytes.
        let unanswered = Duration::from_millis(config.ping_interval_ms + config.ping_margin_ms);
        if let Err(error) = socket.set_user_timeout(unanswered) {
            tracing::debug!(%error, "socket keeps the system's timeout of unanswered bytes");
        }
    }
    leftover.extend(socket.decrypted());
    let viewer = Rc::new(Viewer::new(socket, request.encoding, request.version, config.queue_hard_bytes));
    if !answer.is_empty() {
        // With the hello behind it, both are one write.
        viewer.send_bytes(answer);
    }
    shard.add(&viewer);
    let ids = &shard.context.gate.connection_ids;
    let number = ids.draw();
    let span = tracing::debug_span!(
        "conn",
        id = ids.id(number),
        transport = "ws",
        room = request.destination.name()
    );
    let shard = Rc::clone(shard);
    let places = (permit, admission);
    let session =
        Session { shard, viewer, number, joined: None, inbox: Inbox::new(leftover), _places: places };
    let task = Box::new(session).run(request);
    // A span costs memory for as long as the connection lives: there is none above debug level.
    if span.is_disabled() {
        tokio::task::spawn_local(task);
    } else {
        tokio::task::spawn_local(task.instrument(span));
    }
}

/// Task of one viewer: reads and answers its frames, writes its queue.
struct Session {
    shard: Rc<Shard>,
    viewer: Rc<Viewer>,
    /// Number of the connection; with the gateway's id it is the id in hello and logs.
    number: u64,
    joined: Option<Joined>,
    inbox: Inbox,
    /// Freed at the end of the session.
    _places: (ConnectionPermit, Admission),
}

/// First join of a connection, by its handshake or by a frame.
struct Joining {
    destination: Destination,
    identity: Option<Identity>,
    after: Option<Sequence>,
    facts: Option<Box<ClientFacts>>,
}

enum SessionEvent {
    Readable,
    Writable,
    /// The shard has queued frames, or closes the viewer.
    Woken,
}

/// Runs also when the task panics, so that no viewer stays in its room without a task that reads.
impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
        if let Some(user) = self.viewer.user.borrow().as_ref() {
            self.shard.context.dispatch.remove_connection(user, self.connection());
        }
        self.shard.remove(&self.viewer);
    }
}

/// Rare steps are boxed, so that the task of an idle viewer does not hold their memory.
impl Session {
    async fn run(mut self: Box<Self>, request: Box<JoinRequest>) {
        if let Err(SessionEnd::Refused(refusal)) = self.serve(request).await {
            self.viewer.close(refusal);
        }
        if let Some(code) = self.viewer.closing.get() {
            self.shard.context.metrics.closed(code);
            if code == Code::Idle {
                self.shard.context.metrics.clients.closed_as_idle(self.viewer.network.get());
            }
            tracing::debug!(code = code.label(), "connection closed by the gateway");
            let _timed_out = Box::pin(tokio::time::timeout(CLOSE_MAX, self.close_gracefully())).await;
        }
    }

    fn connection(&self) -> Connection {
        let shard = u16::try_from(self.shard.index).unwrap_or(u16::MAX);
        Connection::Viewer { shard, address: address(&self.viewer) }
    }

    async fn serve(&mut self, request: Box<JoinRequest>) -> Result<(), SessionEnd> {
        Box::pin(self.join_first(request)).await?;
        while self.viewer.closing.get().is_none() {
            match self.next_event().await? {
                SessionEvent::Readable => {
                    self.inbox.read(&self.shard, &self.viewer)?;
                    let frames = self.inbox.cut_frames(&self.shard, &self.viewer)?;
                    if frames.is_empty() {
                        self.flush()?;
                    } else {
                        Box::pin(self.handle_all(frames)).await?;
                    }
                }
                SessionEvent::Writable | SessionEvent::Woken => self.flush()?,
            }
        }
        Ok(())
    }

    /// Joins the first room, by the handshake or by a frame, and answers the frames that came with
    /// the join.
    async fn join_first(&mut self, request: Box<JoinRequest>) -> Result<(), SessionEnd> {
        let mut early = Vec::new();
        let JoinRequest { destination, identity, after, facts, .. } = *request;
        match identity {
            Some(_) => self.join(Joining { destination, identity, after, facts }).await?,
            None => {
                self.flush()?;
                let deadline = Duration::from_secs(self.shard.context.config.join_secs);
                let first = tokio::time::timeout(deadline, self.first_frame()).await;
                let (frame, others) = first.map_err(|_| {
                    Refusal::new(Code::JoinTimeout, "no `join` frame came in time; send it first")
                        .retry_after_ms(1_000)
                })??;
                early = others;
                let identity = self.identify(&destination, frame.token.as_deref())?;
                let (after, facts) = (frame.after.or(after), frame.client.or(facts));
                self.join(Joining { destination, identity, after, facts }).await?;
            }
        }
        self.handle_all(early).await?;
        let behind_the_handshake = self.inbox.cut_frames(&self.shard, &self.viewer)?;
        self.handle_all(behind_the_handshake).await
    }

    /// Waits for the join, and returns it with the frames that came together with it.
    async fn first_frame(&mut self) -> Result<(JoinFrame, Vec<Parsed>), SessionEnd> {
        loop {
            let mut frames = self.inbox.cut_frames(&self.shard, &self.viewer)?.into_iter();
            if let Some(first) = frames.next() {
                return Ok((client_frames::join(first)?, frames.collect()));
            }
            self.viewer.socket.readable().await.map_err(|_| SessionEnd::Gone)?;
            self.inbox.read(&self.shard, &self.viewer)?;
        }
    }

    /// Verifies the token of a join frame for what the connection is for.
    fn identify(&self, destination: &Destination, token: Option<&str>) -> Result<Option<Identity>, Refusal> {
        let context = &self.shard.context;
        match destination {
            Destination::Inbox => context.gate.access.identify_user(token).map(Some),
            Destination::Room(room) => {
                let identity = context.gate.access.identify(room, token)?;
                let user = identity.as_ref().map(|identity| &identity.user);
                check_room(&context.bus.settings().borrow(), room, user, unix_ms())?;
                Ok(identity)
            }
        }
    }

    async fn join(&mut self, joining: Joining) -> Result<(), SessionEnd> {
        let Joining { destination, identity, after, facts } = joining;
        if let Some(facts) = &facts {
            self.viewer.network.set(facts.network);
            self.viewer.kind.set(SeatKind::of(Some(facts)));
        }
        if let Some(identity) = &identity {
            let context = &self.shard.context;
            *self.viewer.user.borrow_mut() = Some(identity.user.clone());
            self.viewer.deadlines.expires_at_secs.set(ends_at_secs(&context.gate.access, identity));
            let max = context.config.user_connections_max;
            context.dispatch.add_connection(&identity.user, self.connection(), max);
        }
        self.viewer.deadlines.resumed_at.set(after.map(|_| Instant::now()));
        let is_probe = match destination {
            Destination::Inbox => {
                self.enter_inbox()?;
                false
            }
            Destination::Room(room) => {
                let role = identity.as_ref().map_or(Role::Viewer, |identity| identity.role);
                self.enter(&room, after, (identity.map(|identity| identity.rooms), role)).await?;
                room.is_probe()
            }
        };
        if !is_probe {
            let context = &self.shard.context;
            context.metrics.clients.joined(facts.as_deref(), context.config.client_versions_max);
        }
        Ok(())
    }

    /// Joins a connection that is for the inbox alone, and attaches it.
    fn enter_inbox(&mut self) -> Result<(), SessionEnd> {
        let (context, viewer) = (&self.shard.context, &self.viewer);
        let Some(user) = viewer.user.borrow().clone() else { return Ok(()) };
        let terms = context.heartbeat_terms(viewer.version, viewer.network.get());
        viewer.heartbeat.set(Some(terms));
        self.shard.enter_inbox(viewer);
        self.shard.attach(viewer, UserHash::of(&user), None);
        let connection = InboxConnection {
            connection: context.gate.connection_ids.id(self.number),
            ping_interval_ms: terms.interval_ms(),
            ping_interval_ms_max: terms.interval_ms_max(),
        };
        viewer.send(&ServerFrame::Attached(Attached { user, connection: Some(connection) }));
        self.flush()
    }

    async fn enter(
        &mut self,
        room: &RoomId,
        after: Option<Sequence>,
        (rooms, role): (Option<Rooms>, Role),
    ) -> Result<(), SessionEnd> {
        self.leave();
        let user = self.viewer.user.borrow().clone();
        let join = Join { room, after, user, rooms, role, connection: self.number };
        self.joined = Some(join::enter(&self.shard, &self.viewer, join).await?);
        self.shard.release(&self.viewer);
        self.flush()
    }

    fn leave(&mut self) {
        if let Some(joined) = self.joined.take() {
            self.shard.leave(&joined.seat.room, &self.viewer);
        }
    }

    /// Waits for the next event. Polled by hand, because each idle viewer would hold the memory of
    /// the futures of readiness.
    async fn next_event(&self) -> Result<SessionEvent, SessionEnd> {
        let viewer = &self.viewer;
        let event = std::future::poll_fn(|context| {
            if viewer.wake.poll(context).is_ready() {
                return Poll::Ready(Ok(SessionEvent::Woken));
            }
            if let Poll::Ready(ready) = viewer.socket.poll_read_ready(context) {
                return Poll::Ready(ready.map(|()| SessionEvent::Readable));
            }
            if !viewer.has_unsent() {
                return Poll::Pending;
            }
            viewer.socket.poll_write_ready(context).map_ok(|()| SessionEvent::Writable)
        });
        event.await.map_err(|_| SessionEnd::Gone)
    }

    fn flush(&self) -> Result<(), SessionEnd> {
        self.shard.flush(&self.viewer).map_err(|_| SessionEnd::Gone)
    }

    async fn handle_all(&mut self, frames: Vec<Parsed>) -> Result<(), SessionEnd> {
        for frame in frames {
            if self.viewer.closing.get().is_some() {
                break;
            }
            match frame {
                Ok(frame) => self.handle(frame).await?,
                Err(refusal) => self.viewer.refuse_frame(refusal, &self.shard.context.config),
            }
        }
        self.flush()
    }

    /// Writes the queue, closes the sending side, and waits for the client to close its side. A
    /// close at once could reset the connection before the client has read the close frame.
    async fn close_gracefully(&self) {
        while self.viewer.has_unsent() {
            if self.viewer.socket.writable().await.is_err() || self.flush().is_err() {
                return;
            }
        }
        if self.viewer.socket.shut_down().is_err() {
            return;
        }
        let mut sink = [0; 512];
        while self.viewer.socket.readable().await.is_ok() {
            match self.viewer.socket.read(&mut sink) {
                Ok(0) => return,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}
