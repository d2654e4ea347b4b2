//! A viewer's task: reads its frames, answers them, writes what is queued.

use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use barrage_http::ConnectionPermit;
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{ClientFrame, Pong, ServerFrame};
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_token::Identity;
use tokio::time::Instant;

use crate::connections::Connection;
use crate::gateway::{Admission, unix_ms};
use crate::join::{self, Arrival, Joined};
use crate::shard::{self, Shard};
use crate::socket::Socket;
use crate::viewer::Viewer;
use crate::wire::{self, Incoming};

/// How long a closing connection may take to accept the last bytes.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Acknowledgements in one frame.
const ACKS_MAX: usize = 64;

/// Takes a connection over: a task of its own on this shard.
pub(crate) fn adopt(shard: &Rc<Shard>, arrival: Arrival) {
    let Arrival { bare, permit, admission, request, answer, mut leftover } = arrival;
    let request = Box::new(request);
    let socket = match Socket::new(bare) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(%error, "a connection could not be taken over");
            return;
        }
    };
    let config = &shard.shared.config;
    let send_bytes = usize::try_from(config.socket_send_bytes).unwrap_or(usize::MAX);
    if let Err(error) = socket.set_send_buffer_size(send_bytes) {
        tracing::debug!(%error, "a send buffer keeps the system's size");
    }
    leftover.extend(socket.decrypted());
    let viewer = Rc::new(Viewer::new(socket, request.encoding, config.queue_hard_bytes));
    if !answer.is_empty() {
        // With the hello behind it, it is one write.
        viewer.send_bytes(answer);
    }
    shard.everybody.borrow_mut().insert(shard::address(&viewer), Rc::clone(&viewer));
    let shard = Rc::clone(shard);
    let places = (permit, admission);
    let session = Session { shard, viewer, joined: None, rest: leftover, _places: places };
    tokio::task::spawn_local(Box::new(session).run(request));
}

/// The viewer's task.
struct Session {
    shard: Rc<Shard>,
    viewer: Rc<Viewer>,
    joined: Option<Joined>,
    /// Bytes of a frame that is not all there; empty while the viewer is idle.
    rest: Vec<u8>,
    /// Given back when the session is over.
    _places: (ConnectionPermit, Admission),
}

/// Token, position, and what came behind them.
type FirstFrame = (Option<String>, Option<Sequence>, Vec<Parsed>);

/// A client's frame, or why it is none.
type Parsed = Result<ClientFrame, Refusal>;

/// What woke the task.
enum Woken {
    Readable,
    Writable,
    Told,
}

/// Also when the task panics: no viewer stays in its room without a task that reads.
impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
        if let Some(user) = self.viewer.user.borrow().as_ref() {
            self.shard.shared.connections.leave(user, self.connection());
        }
        self.shard.part(&self.viewer);
    }
}

/// What is rare is boxed, so that an idle viewer's task holds nothing of it.
impl Session {
    async fn run(mut self: Box<Self>, request: Box<join::Request>) {
        if let Err(Some(refusal)) = self.serve(request).await {
            self.viewer.close(refusal);
        }
        if let Some(code) = self.viewer.closing.get() {
            self.shard.shared.metrics.closed(code);
            drop(Box::pin(tokio::time::timeout(CLOSE_MAX, self.last_words())).await);
        }
    }

    fn connection(&self) -> Connection {
        let shard = u16::try_from(self.shard.index).unwrap_or(u16::MAX);
        Connection::Viewer { shard, address: shard::address(&self.viewer) }
    }

    /// `Err(None)` is a connection that has gone by itself.
    async fn serve(&mut self, request: Box<join::Request>) -> Result<(), Option<Refusal>> {
        Box::pin(self.come_in(request)).await?;
        while self.viewer.closing.get().is_none() {
            match self.woken().await? {
                Woken::Readable => {
                    self.read()?;
                    let frames = self.frames()?;
                    if frames.is_empty() {
                        self.flush()?;
                    } else {
                        Box::pin(self.take_all(frames)).await?;
                    }
                }
                Woken::Writable | Woken::Told => self.flush()?,
            }
        }
        Ok(())
    }

    /// Until the viewer is in its room, and what came with its join is answered.
    async fn come_in(&mut self, request: Box<join::Request>) -> Result<(), Option<Refusal>> {
        let mut early = Vec::new();
        match request.identity {
            Some(identity) => {
                self.join(&request.room, Some(identity), request.after).await?;
            }
            None => {
                self.flush()?;
                let deadline = Duration::from_secs(self.shard.shared.config.join_secs);
                let first = tokio::time::timeout(deadline, self.first_frame()).await;
                let (token, after, others) = first.map_err(|_| {
                    Refusal::new(Code::JoinTimeout, "the first frame must be a `join`, at once")
                        .retry_after_ms(1_000)
                })??;
                early = others;
                let identity = self.shard.shared.check(&request.room, token.as_deref())?;
                self.join(&request.room, identity, after.or(request.after)).await?;
            }
        }
        self.take_all(early).await?;
        let behind_the_handshake = self.frames()?;
        self.take_all(behind_the_handshake).await
    }

    /// The join, and the frames that came together with it.
    async fn first_frame(&mut self) -> Result<FirstFrame, Option<Refusal>> {
        loop {
            let mut frames = self.frames()?.into_iter();
            if let Some(first) = frames.next() {
                return match first {
                    Ok(ClientFrame::Join { token, after }) => Ok((token, after, frames.collect())),
                    Ok(_) => Err(Some(Refusal::new(Code::BadFrame, "the first frame must be a `join`"))),
                    Err(refusal) => Err(Some(refusal)),
                };
            }
            self.viewer.socket.readable().await.map_err(|_| None)?;
            self.read()?;
        }
    }

    async fn join(
        &mut self,
        room: &RoomId,
        identity: Option<Identity>,
        after: Option<Sequence>,
    ) -> Result<(), Option<Refusal>> {
        if let Some(identity) = &identity {
            let shared = &self.shard.shared;
            *self.viewer.user.borrow_mut() = Some(identity.user.clone());
            self.viewer.expires_at_secs.set(shared.ends_at_secs(identity));
            shared.enter_of_user(&identity.user, self.connection());
        }
        self.viewer.resumed_at.set(after.map(|_| Instant::now()));
        self.enter(room, after, identity.map(|identity| identity.rooms)).await
    }

    async fn enter(
        &mut self,
        room: &RoomId,
        after: Option<Sequence>,
        rooms: Option<barrage_token::Rooms>,
    ) -> Result<(), Option<Refusal>> {
        self.leave();
        let user = self.viewer.user.borrow().clone();
        let joined = join::enter(&self.shard, &self.viewer, room, after, user, rooms).await?;
        self.joined = Some(joined);
        self.shard.release(&self.viewer);
        self.flush()
    }

    fn leave(&mut self) {
        if let Some(joined) = self.joined.take() {
            self.shard.leave(&joined.seat.room, &self.viewer);
        }
    }

    /// Waits for something to do. Polled by hand: readiness has no future of its own then,
    /// which each idle viewer would hold.
    async fn woken(&self) -> Result<Woken, Option<Refusal>> {
        let viewer = &self.viewer;
        let woken = std::future::poll_fn(|context| {
            if viewer.wake.poll(context).is_ready() {
                return Poll::Ready(Ok(Woken::Told));
            }
            if let Poll::Ready(ready) = viewer.socket.poll_read_ready(context) {
                return Poll::Ready(ready.map(|()| Woken::Readable));
            }
            if !viewer.has_unsent() {
                return Poll::Pending;
            }
            viewer.socket.poll_write_ready(context).map_ok(|()| Woken::Writable)
        });
        woken.await.map_err(|_| None)
    }

    fn flush(&self) -> Result<(), Option<Refusal>> {
        self.shard.flush(&self.viewer).map_err(|_| None)
    }

    /// Reads what has arrived behind what is left of the last frame.
    fn read(&mut self) -> Result<(), Option<Refusal>> {
        let mut scratch = self.shard.scratch.borrow_mut();
        match self.viewer.socket.read(&mut scratch) {
            Ok(0) => Err(None),
            Ok(read) => {
                self.viewer.heard_at.set(Instant::now());
                self.rest.extend_from_slice(&scratch[..read]);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(None),
        }
    }

    /// Cuts whole frames off what was read.
    fn frames(&mut self) -> Result<Vec<Parsed>, Option<Refusal>> {
        let config = &self.shard.shared.config;
        let mut frames = Vec::new();
        let mut used = 0;
        loop {
            let next = wire::read(&mut self.rest[used..]).map_err(|code| Some(violation(code)))?;
            let Some((incoming, took)) = next else { break };
            used += took;
            self.shard.shared.metrics.client_frames.inc();
            match incoming {
                Incoming::Text(text) => {
                    self.viewer.allow(false, config)?;
                    frames.push(serde_json::from_str(text).map_err(|error| {
                        Refusal::new(Code::BadFrame, format!("not a frame of this protocol: {error}"))
                    }));
                }
                Incoming::Ping(payload) => {
                    self.viewer.allow(true, config)?;
                    self.viewer.send_bytes(wire::pong(payload));
                }
                Incoming::Pong => self.viewer.allow(true, config)?,
                Incoming::Close => {
                    self.viewer.send_bytes(wire::close(1000, ""));
                    self.flush()?;
                    return Err(None);
                }
            }
        }
        self.rest.drain(..used);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        Ok(frames)
    }

    async fn take_all(&mut self, frames: Vec<Parsed>) -> Result<(), Option<Refusal>> {
        for frame in frames {
            if self.viewer.closing.get().is_some() {
                break;
            }
            match frame {
                Ok(frame) => self.take(frame).await?,
                Err(refusal) => self.viewer.bad_frame(refusal, &self.shard.shared.config),
            }
        }
        self.flush()
    }

    async fn take(&mut self, frame: ClientFrame) -> Result<(), Option<Refusal>> {
        match frame {
            ClientFrame::Ping { id } => {
                self.viewer.send(&ServerFrame::Pong(Pong { id, time_ms: unix_ms() }));
            }
            ClientFrame::Ack { sequences } => {
                let user = self.viewer.user.borrow().clone();
                if let Some(user) = user {
                    let acked = &sequences[..sequences.len().min(ACKS_MAX)];
                    self.shard.shared.direct.acknowledge(&user, acked);
                }
            }
            ClientFrame::Repair { after, before } => self.repair(after, before).await,
            ClientFrame::Switch { room, after } => return self.switch(&room, after).await,
            ClientFrame::Join { .. } => {
                let refusal =
                    Refusal::new(Code::BadFrame, "you are in already; use `switch` for another room");
                self.viewer.bad_frame(refusal, &self.shard.shared.config);
            }
        }
        Ok(())
    }

    async fn repair(&self, after: Sequence, before: Sequence) {
        let Some(joined) = &self.joined else { return };
        if before.0 <= after.0 {
            let refusal = Refusal::new(Code::BadFrame, "`before` must lie after `after`");
            return self.viewer.bad_frame(refusal, &self.shard.shared.config);
        }
        self.wait_for_repairs().await;
        join::repair(&self.shard.shared, &self.viewer, &joined.seat.room.id, after, before).await;
    }

    /// Waits until earlier repairs are paid for.
    async fn wait_for_repairs(&self) {
        let wait = self.viewer.repair_wait();
        if !wait.is_zero() {
            self.shard.pause(&self.viewer, wait).await;
        }
    }

    /// A refused switch leaves the viewer where it is.
    async fn switch(&mut self, room: &RoomId, after: Option<Sequence>) -> Result<(), Option<Refusal>> {
        let rooms = self.joined.as_ref().and_then(|joined| joined.rooms.clone());
        let user = self.viewer.user.borrow().clone();
        let allowed = match &rooms {
            Some(rooms) if !rooms.contain(room) => {
                Err(Refusal::new(Code::WrongRoom, "the token is for another room"))
            }
            _ => self.shard.shared.check_room(room, user.as_ref()),
        };
        match allowed {
            Ok(()) => {
                self.wait_for_repairs().await;
                self.enter(room, after, rooms).await
            }
            Err(refusal) => {
                self.viewer.send(&ServerFrame::Error(refusal));
                Ok(())
            }
        }
    }

    /// Writes what is queued, ends the sending side, and waits for the other side
    /// to end too, so that the close frame is not lost to a reset.
    async fn last_words(&self) {
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
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}

fn violation(code: Code) -> Refusal {
    let message = match code {
        Code::TooLarge => "client frames may have 16384 bytes",
        Code::InvalidUtf8 => "text frames must be UTF-8",
        Code::UnsupportedFrame => "send JSON in text frames; binary frames are not taken",
        _ => "frames must be masked, whole, and free of reserved bits",
    };
    Refusal::new(code, message)
}
