//! Follows one connection to its end: frames, heartbeats, acknowledgements, and the connection that
//! replaces this one.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{ClientFrame, ServerFrame};

use super::session::{Ended, Gone, Session};
use crate::chain::RoomChain;
use crate::connect;
use crate::heartbeat::{Action, Close};
use crate::http::from_ms;
use crate::ladder::{EndCause, LadderAction, LadderEvent};
use crate::link::{Incoming, Link, Opened, Opening};

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

/// An open connection with the timers that end or move it.
struct Following {
    link: Link,
    ack_at: Option<Instant>,
    /// Time to leave, as a `reconnect` frame named it.
    leave_at: Option<Instant>,
    successor: Option<Successor>,
}

/// Connection that is being opened beside the one that carries.
enum Successor {
    /// The server asked the viewer to leave.
    Move(Opening),
    /// The ladder tries a better transport.
    Probe(Opening),
}

impl Successor {
    fn opening(&mut self) -> &mut Opening {
        match self {
            Successor::Move(opening) | Successor::Probe(opening) => opening,
        }
    }
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
        Following { link, ack_at: None, leave_at: None, successor: None }
    }

    /// Carries out what the heartbeat decided.
    fn act(&self, action: Action) -> Turn {
        match action {
            Action::Wait => Turn::Stay,
            Action::Ping(id) => {
                self.link.send(ClientFrame::Ping { id });
                Turn::Stay
            }
            Action::Dead => Turn::Over(None, "the server did not answer a heartbeat".into()),
        }
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
            let probe_at = self.ladder.due_ms().map(|due_ms| self.started + Duration::from_millis(due_ms));
            let is_waiting = self.chain.as_ref().is_some_and(RoomChain::is_waiting);
            let beat_at = self.keeper.wake_at();
            let Following { link, ack_at, leave_at, successor } = &mut following;
            let turn = tokio::select! {
                incoming = link.incoming.recv() => self.receive(incoming, &mut following).await?,
                next = opened(successor), if successor.is_some() => {
                    let is_move = matches!(following.successor.take(), Some(Successor::Move(_)));
                    self.learn(next.events);
                    if next.link.is_none() && is_move {
                        // This connection works until its deadline, so there is time for another attempt.
                        following.leave_at = Some(Instant::now() + MOVE_AGAIN.mul_f64(rand::random_range(0.5..1.5)));
                    }
                    next.link.map_or(Turn::Stay, Turn::Move)
                }
                () = until(*leave_at), if leave_at.is_some() => {
                    following.leave_at = None;
                    following.successor = Some(Successor::Move(self.make_before_break()));
                    Turn::Stay
                }
                () = until(probe_at), if probe_at.is_some() && successor.is_none() => {
                    following.successor = self.probe().map(Successor::Probe);
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
                // Frames that wait to be read come first: the caller is slow, not the server.
                () = until(Some(beat_at)), if link.incoming.is_empty() => following.act(self.keeper.poll()),
                Ok(()) = self.signals.network.changed() => {
                    let action = self.change_network();
                    following.act(action)
                }
                Ok(()) = self.signals.visibility.changed() => {
                    self.send_visibility(&following.link);
                    Turn::Stay
                }
                () = self.signals.posted.notified() => following.act(self.keeper.check()),
                () = self.events.closed() => return Err(Gone),
            };
            match turn {
                Turn::Stay => {}
                Turn::Move(next) => {
                    // The chain has the messages of the old connection.
                    following = Following { ack_at: following.ack_at, ..Following::new(next) };
                    self.keeper.closed(Close::Orderly);
                    self.named.clear();
                    self.hello(&following.link).await?;
                }
                Turn::Over(code, message) => {
                    // A connection whose end was noticed by its silence; the ladder knows of the others.
                    self.step(LadderEvent::Ended { cause: EndCause::Lost });
                    return Ok(Ended { code, message, is_stable: opened_at.elapsed() >= STABLE });
                }
            }
        }
    }

    async fn receive(&mut self, incoming: Option<Incoming>, following: &mut Following) -> Result<Turn, Gone> {
        let (code, cause, message) = match incoming {
            Some(Incoming::Closed { code, cause, message }) => (code, cause, message),
            None => (None, EndCause::Lost, "the connection ended".to_owned()),
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
                self.keeper.received();
                if following.ack_at.is_none() && !self.acks.is_empty() {
                    following.ack_at = Some(Instant::now() + ACK_DELAY);
                }
                return Ok(Turn::Stay);
            }
        };
        self.keeper.closed(if code.is_none() { Close::Failed } else { Close::Orderly });
        // A connection that the server wanted to end gave notice.
        let is_notified =
            following.leave_at.is_some() || matches!(following.successor, Some(Successor::Move(_)));
        self.step(LadderEvent::Ended { cause: if is_notified { EndCause::Closed } else { cause } });
        // The next connection of a move is being opened already. A probe ends with what it would replace.
        let next = match following.successor.take() {
            Some(Successor::Move(mut opening)) => opening.opened().await,
            Some(Successor::Probe(_)) | None => Opened::default(),
        };
        self.learn(next.events);
        Ok(next.link.map_or(Turn::Over(code, message), Turn::Move))
    }

    /// Opens the next connection while this one still works.
    fn make_before_break(&self) -> Opening {
        let (pool, config) = (self.pool.clone(), self.config.clone());
        let (named, position, mut round) = (self.named.clone(), self.position, self.round());
        Opening::spawn(async move {
            let link = match connect::to_named(&pool, &config, &named, position, &mut round).await {
                Some(link) => Some(link),
                None => connect::by_entry(&pool, &config, position, &mut round).await.ok(),
            };
            Opened { link, events: round.events }
        })
    }

    /// Opens a connection on a better rung, if the ladder plans one now.
    fn probe(&mut self) -> Option<Opening> {
        let planned = self.step(LadderEvent::Tick).into_iter().find_map(|action| match action {
            LadderAction::Probe { rung } => Some(rung),
            LadderAction::Open { .. }
            | LadderAction::Use { .. }
            | LadderAction::Abandon { .. }
            | LadderAction::GiveUp => None,
        });
        let rung: Transport = planned?;
        let (pool, config, position) = (self.pool.clone(), self.config.clone(), self.position);
        let started = self.started;
        Some(Opening::spawn(async move {
            let (link, event) = connect::probe(&pool, &config, rung, position).await;
            let at_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Opened { link, events: vec![(at_ms, event)] }
        }))
    }

    async fn tick(&mut self, link: &Link) -> Result<(), Gone> {
        let now = self.started.elapsed();
        let steps = self.chain.as_mut().map(|chain| chain.tick(now)).unwrap_or_default();
        self.steps(steps, link).await
    }

    fn acknowledge(&mut self, link: &Link) {
        for sequences in std::mem::take(&mut self.acks).chunks(ACKS_MAX) {
            self.send(ClientFrame::Ack { sequences: sequences.to_vec() }, link);
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn opened(successor: &mut Option<Successor>) -> Opened {
    match successor {
        Some(successor) => successor.opening().opened().await,
        None => std::future::pending().await,
    }
}
