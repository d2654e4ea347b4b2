//! Following one connection to its end: what it brings, what the viewer owes it, and
//! the connection that takes over from it.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use barrage_protocol::frame::{ClientFrame, ServerFrame};

use crate::chain::RoomChain;
use crate::connect;
use crate::link::{Incoming, Link, Opening};
use crate::viewer::{Ended, Gone, Run, from_ms, say};

/// How often gaps are looked at, while there are any.
const TICK: Duration = Duration::from_millis(500);
/// Acknowledgements wait so long for others to go with.
const ACK_DELAY: Duration = Duration::from_millis(200);
/// Acknowledgements in one frame.
const ACKS_MAX: usize = 64;
/// A connection that lived this long was a success: the backoff starts again.
const STABLE: Duration = Duration::from_secs(5);
/// Between attempts to move, on average: one full server's queue later.
const MOVE_AGAIN: Duration = Duration::from_secs(2);
/// Heartbeats without any sign of life, before the connection is given up.
const SILENT_HEARTBEATS: f64 = 1.5;

/// A connection and its timers.
struct Following {
    link: Link,
    ping: Interval,
    heard_at: Instant,
    ack_at: Option<Instant>,
    /// When a `reconnect` frame said to go.
    leave_at: Option<Instant>,
    successor: Option<Opening>,
}

/// What a step of the loop came to.
enum Turn {
    Stay,
    /// The successor is open.
    Move(Link),
    /// The connection has ended.
    Over(Option<u16>, String),
}

impl Following {
    fn new(link: Link) -> Self {
        let ping = heartbeat(&link);
        Following { link, ping, heard_at: Instant::now(), ack_at: None, leave_at: None, successor: None }
    }

    /// Pings, unless the last ones brought nothing.
    fn beat(&self) -> Turn {
        if self.heard_at.elapsed() > self.ping.period().mul_f64(SILENT_HEARTBEATS) {
            return Turn::Over(None, "the server fell silent".into());
        }
        say(&self.link, ClientFrame::Ping { id: 0 });
        Turn::Stay
    }
}

impl Run {
    /// Follows a connection, and those that take over from it, to the end.
    pub(crate) async fn follow(&mut self, link: Link) -> Result<Ended, Gone> {
        let opened_at = Instant::now();
        let mut following = Following::new(link);
        self.hello(&following.link).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_waiting = self.chain.as_ref().is_some_and(RoomChain::is_waiting);
            let Following { link, ping, ack_at, leave_at, successor, .. } = &mut following;
            let turn = tokio::select! {
                incoming = link.incoming.recv() => self.heard(incoming, &mut following).await?,
                next = opened(successor), if successor.is_some() => {
                    following.successor = None;
                    if next.is_none() {
                        // This one serves until its deadline: there is time to try again.
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
                _ = ping.tick() => following.beat(),
                () = self.events.closed() => return Err(Gone),
            };
            match turn {
                Turn::Stay => {}
                Turn::Move(next) => {
                    // What the old connection still brought is known to the chain.
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

    async fn heard(&mut self, incoming: Option<Incoming>, following: &mut Following) -> Result<Turn, Gone> {
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
                // After the frame was dealt with: a user who reads slowly is not a
                // server that is silent.
                following.heard_at = Instant::now();
                if following.ack_at.is_none() && !self.acks.is_empty() {
                    following.ack_at = Some(following.heard_at + ACK_DELAY);
                }
                return Ok(Turn::Stay);
            }
        };
        // The next connection is under way already: there is no other to ask for.
        let next = match following.successor.take() {
            Some(mut opening) => opening.opened().await,
            None => None,
        };
        Ok(next.map_or(Turn::Over(code, message), Turn::Move))
    }

    /// Opens the next connection while this one still serves.
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
            say(link, ClientFrame::Ack { sequences: sequences.to_vec() });
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
