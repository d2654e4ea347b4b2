//! Follows one connection to its end: frames, heartbeats, acknowledgements, and the connection that
//! replaces this one.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use barrage_protocol::frame::{ClientFrame, ServerFrame};

use super::session::{Ended, Gone, Session};
use crate::chain::RoomChain;
use crate::connect;
use crate::http::from_ms;
use crate::link::{Incoming, Link, Opening};

/// Interval between two looks at a gap.
const TICK: Duration = Duration::from_millis(500);
/// Time for which acknowledgements are collected into one frame.
const ACK_DELAY: Duration = Duration::from_millis(200);
/// Maximum number of acknowledgements in one frame.
const ACKS_MAX: usize = 64;
/// Shortest connection that counts as a success and resets the backoff.
const STABLE: Duration = Duration::from_secs(5);
/// Mean time between two attempts to move: the queue of a full server is shorter by then.
const MOVE_AGAIN: Duration = Duration::from_secs(2);
/// Heartbeat intervals of silence after which the client gives the connection up.
const SILENT_HEARTBEATS: f64 = 1.5;

/// An open connection with the timers that end or move it.
struct Following {
    link: Link,
    ping: Interval,
    last_frame_at: Instant,
    ack_at: Option<Instant>,
    /// Time to leave, as a `reconnect` frame named it.
    leave_at: Option<Instant>,
    successor: Option<Opening>,
}

/// Result of one step of the loop.
enum Turn {
    Stay,
    /// The next connection is open and replaces this one.
    Move(Link),
    /// The connection has ended, with a close code and a message.
    Over(Option<u16>, String),
}

impl Following {
    fn new(link: Link) -> Self {
        let ping = heartbeat(&link);
        Following { link, ping, last_frame_at: Instant::now(), ack_at: None, leave_at: None, successor: None }
    }

    /// Sends a ping, or gives the connection up after a long silence.
    fn heartbeat(&self) -> Turn {
        if self.last_frame_at.elapsed() > self.ping.period().mul_f64(SILENT_HEARTBEATS) {
            return Turn::Over(None, "the server sent nothing for longer than the heartbeat allows".into());
        }
        self.link.send(ClientFrame::Ping { id: 0 });
        Turn::Stay
    }
}

impl Session {
    /// Follows a connection, and the connections that replace it, to the end.
    pub(super) async fn follow(&mut self, link: Link) -> Result<Ended, Gone> {
        let opened_at = Instant::now();
        let mut following = Following::new(link);
        self.hello(&following.link).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_waiting = self.chain.as_ref().is_some_and(RoomChain::is_waiting);
            let Following { link, ping, ack_at, leave_at, successor, .. } = &mut following;
            let turn = tokio::select! {
                incoming = link.incoming.recv() => self.receive(incoming, &mut following).await?,
                next = opened(successor), if successor.is_some() => {
                    following.successor = None;
                    if next.is_none() {
                        // This connection works until its deadline, so there is time for another attempt.
                        following.leave_at = Some(Instant::now() + MOVE_AGAIN.mul_f64(rand::random_range(0.5..1.5)));
                    }
                    next.map_or(Turn::Stay, Turn::Move)
                }
                () = until(*leave_at), if leave_at.is_some() => {
                    following.leave_at = None;
                    following.successor = Some(self.make_before_break());
                    Turn::Stay
                }
                () = until(*ack_at), if ack_at.is_some() => {
                    following.ack_at = None;
                    self.acknowledge(&following.link);
                    Turn::Stay
                }
                _ = tick.tick(), if is_waiting => {
                    self.tick(&following.link).await?;
                    Turn::Stay
                }
                _ = ping.tick() => following.heartbeat(),
                () = self.events.closed() => return Err(Gone),
            };
            match turn {
                Turn::Stay => {}
                Turn::Move(next) => {
                    // The chain has the messages of the old connection.
                    following = Following { ack_at: following.ack_at, ..Following::new(next) };
                    self.named.clear();
                    self.hello(&following.link).await?;
                }
                Turn::Over(code, message) => {
                    return Ok(Ended { code, message, is_stable: opened_at.elapsed() >= STABLE });
                }
            }
        }
    }

    async fn receive(&mut self, incoming: Option<Incoming>, following: &mut Following) -> Result<Turn, Gone> {
        let (code, message) = match incoming {
            Some(Incoming::Closed { code, message }) => (code, message),
            None => (None, "the connection ended".to_owned()),
            Some(incoming) => {
                match incoming {
                    Incoming::Frame(ServerFrame::Reconnect(reconnect)) => {
                        if following.leave_at.is_none() && following.successor.is_none() {
                            following.leave_at = Some(Instant::now() + from_ms(reconnect.after_ms));
                            self.named = reconnect.endpoints;
                        }
                    }
                    Incoming::Frame(frame) => self.take(frame, &following.link).await?,
                    Incoming::Alive | Incoming::Closed { .. } => {}
                }
                // After the frame was delivered: a slow caller must not count as a silent server.
                following.last_frame_at = Instant::now();
                if following.ack_at.is_none() && !self.acks.is_empty() {
                    following.ack_at = Some(following.last_frame_at + ACK_DELAY);
                }
                return Ok(Turn::Stay);
            }
        };
        // The next connection is being opened already.
        let next = match following.successor.take() {
            Some(mut opening) => opening.opened().await,
            None => None,
        };
        Ok(next.map_or(Turn::Over(code, message), Turn::Move))
    }

    /// Opens the next connection while this one still works.
    fn make_before_break(&self) -> Opening {
        let (http, config) = (self.http.clone(), self.config.clone());
        let (named, position) = (self.named.clone(), self.position);
        Opening::spawn(async move {
            match connect::to_named(&http, &config, &named, position).await {
                Some(link) => Some(link),
                None => connect::by_entry(&http, &config, position).await.ok(),
            }
        })
    }

    async fn tick(&mut self, link: &Link) -> Result<(), Gone> {
        let now = self.started.elapsed();
        let steps = self.chain.as_mut().map(|chain| chain.tick(now)).unwrap_or_default();
        self.steps(steps, link).await
    }

    fn acknowledge(&mut self, link: &Link) {
        for sequences in std::mem::take(&mut self.acks).chunks(ACKS_MAX) {
            link.send(ClientFrame::Ack { sequences: sequences.to_vec() });
        }
    }
}

fn heartbeat(link: &Link) -> Interval {
    let period = from_ms(link.hello.ping_interval_ms.max(100));
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn opened(successor: &mut Option<Opening>) -> Option<Link> {
    match successor {
        Some(opening) => opening.opened().await,
        None => std::future::pending().await,
    }
}
