//! When a client pings, and when it gives a connection up.

use barrage_protocol::frame::{PONG_WAIT_MS, QUIET_MS_MAX};

use super::limits::{Bounds, CEILING_MS, NetworkLimits};
use super::memory::NetworkMemory;

/// Shortest fixed interval, whatever a server asks for.
const FIXED_MS_MIN: u64 = 100;
/// Longest wait for a pong behind other frames, which show that the server's direction works.
const PONG_WAIT_MS_MAX: u64 = 30_000;
/// Longest wait for a pong after a wake from sleep or a change of the network.
const PROBE_WAIT_MS: u64 = 5_000;
/// Silence of the server from which a ping goes along with any frame of the client.
const CHECK_AFTER_MS: u64 = 10_000;
/// Longest time between two polls, so that a wake from sleep is noticed.
const WATCH_MS: u64 = 5_000;
/// Difference of the two clocks between two polls that shows a sleep of the machine.
const SLEPT_MS: u64 = 10_000;
/// Time between two polls that shows a frozen process. Browsers run the timers of a hidden page once a
/// minute, which is no sleep.
const FROZEN_MS: u64 = 90_000;
/// Longest time from a loss to the next hello for which the network counts as working, so that the idle
/// time was the cause.
const BLAME_MS: u64 = 15_000;

/// A moment by both clocks of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds of a clock that never steps back; it may stand still while the machine sleeps.
    pub steady_ms: u64,
    /// Unix time in milliseconds, which may step in both directions.
    pub wall_ms: u64,
}

impl Moment {
    fn unix_s(self) -> u64 {
        self.wall_ms / 1_000
    }
}

/// How a connection is kept alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Pings after idling, at an interval that the client finds out, up to this many milliseconds.
    Adaptive(u64),
    /// Pings after the client's own silence, as servers of version 1.0 expect.
    Fixed,
    /// The client sends nothing: the server writes at least once in an interval.
    Listening,
}

/// Terms of a connection, from the server's hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Interval that the server asks for, in milliseconds.
    pub interval_ms: u64,
    /// How the connection is kept alive.
    pub manner: Manner,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// By a close frame, or by this client.
    Orderly,
    /// By a failure of the connection.
    Failed,
}

/// What the client must do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Poll again at [`Heartbeat::wake_at`], and nothing before.
    Wait,
    /// Send a ping with this id.
    Ping(u64),
    /// Give the connection up and reconnect: the server does not answer.
    Dead,
}

/// Heartbeat of one client over all its connections.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    memory: NetworkMemory,
    network: String,
    limits: NetworkLimits,
    connection: Option<Connection>,
    suspect: Option<Suspect>,
    polled_at: Moment,
    pings: u64,
    /// Whether the memory has changed since it was taken for storage.
    is_changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Connection {
    terms: Terms,
    sent_at_ms: u64,
    received_at_ms: u64,
    awaited: Option<AwaitedPong>,
}

#[derive(Debug, Clone, Copy)]
struct AwaitedPong {
    id: u64,
    pinged_at_ms: u64,
    deadline_ms: u64,
    /// Idle time before the ping, as evidence about the network; `None` after a sleep or a change.
    idle_ms: Option<u64>,
}

/// Loss whose cause is known once the next connection opens.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    idle_ms: u64,
    lost_at_ms: u64,
}

impl Connection {
    fn idle_ms(&self, now: Moment) -> u64 {
        now.steady_ms.saturating_sub(self.sent_at_ms.max(self.received_at_ms))
    }
}

impl Heartbeat {
    /// Creates the heartbeat of a client in a network, with the memory of earlier connections.
    #[must_use]
    pub fn new(memory: NetworkMemory, network: String, now: Moment) -> Self {
        let limits = memory.of(&network);
        Heartbeat {
            memory,
            network,
            limits,
            connection: None,
            suspect: None,
            polled_at: now,
            pings: 0,
            is_changed: false,
        }
    }

    /// Returns what the client has learned, for its storage.
    #[must_use]
    pub fn memory(&self) -> &NetworkMemory {
        &self.memory
    }

    /// Returns the memory as text to store, if it has changed since the last call.
    pub fn take_changed(&mut self) -> Option<String> {
        std::mem::take(&mut self.is_changed).then(|| self.memory.to_stored())
    }

    /// Returns the current interval in milliseconds; 0 without a connection.
    #[must_use]
    pub fn interval_ms(&self) -> u64 {
        self.connection.map_or(0, |connection| self.interval(connection.terms))
    }

    /// Takes a connection over that has received its hello.
    pub fn opened(&mut self, now: Moment, terms: Terms) {
        if let Some(suspect) = self.suspect.take()
            && now.steady_ms.saturating_sub(suspect.lost_at_ms) <= BLAME_MS
            && let Some(bounds) = bounds(terms)
        {
            self.limits.lost(suspect.idle_ms, bounds, now.unix_s());
            self.remember();
        }
        let at_ms = now.steady_ms;
        self.connection = Some(Connection { terms, sent_at_ms: at_ms, received_at_ms: at_ms, awaited: None });
        self.polled_at = now;
    }

    /// Notes the end of the connection. A failure before the pong counts as a silent loss.
    pub fn closed(&mut self, now: Moment, close: Close) {
        let Some(connection) = self.connection.take() else { return };
        if close == Close::Failed
            && let Some(idle_ms) = connection.awaited.and_then(|awaited| awaited.idle_ms)
        {
            self.suspect = Some(Suspect { idle_ms, lost_at_ms: now.steady_ms });
        }
    }

    /// Notes that the client is in another network, or that its network came back. The connection is
    /// examined at once.
    pub fn network_changed(&mut self, now: Moment, network: String) -> Action {
        self.suspect = None;
        self.set_network(network);
        self.probe(now)
    }

    /// Notes in which network the next connection will be.
    pub fn set_network(&mut self, network: String) {
        if network != self.network {
            self.suspect = None;
            self.limits = self.memory.of(&network);
            self.network = network;
        }
    }

    /// Sends a ping whose answer must come soon: after a wake from sleep or a change of the network. An
    /// event stream carries no ping, so it is given up.
    pub fn probe(&mut self, now: Moment) -> Action {
        match self.connection {
            None => Action::Wait,
            Some(Connection { terms: Terms { manner: Manner::Listening, .. }, .. }) => {
                self.connection = None;
                Action::Dead
            }
            Some(_) => self.ping(now, None, PROBE_WAIT_MS),
        }
    }

    /// Notes a frame of the client on this connection. Behind a silence of the server, a ping goes along.
    pub fn sent(&mut self, now: Moment) -> Action {
        let action = self.check(now);
        if let Some(connection) = &mut self.connection {
            connection.sent_at_ms = now.steady_ms;
        }
        action
    }

    /// Examines the connection if the server has been silent for ten seconds: the user sends something, on
    /// this connection or elsewhere, and expects to see the effect.
    pub fn check(&mut self, now: Moment) -> Action {
        let Some(connection) = &self.connection else { return Action::Wait };
        let silence_ms = now.steady_ms.saturating_sub(connection.received_at_ms);
        let is_checked = connection.awaited.is_none() && connection.terms.manner != Manner::Listening;
        if is_checked && silence_ms >= CHECK_AFTER_MS {
            return self.ping(now, Some(connection.idle_ms(now)), PONG_WAIT_MS);
        }
        Action::Wait
    }

    /// Notes a frame of the server. It answers no ping, but it prolongs the wait for the pong.
    pub fn received(&mut self, now: Moment) {
        let Some(connection) = &mut self.connection else { return };
        connection.received_at_ms = now.steady_ms;
        if let Some(awaited) = &mut connection.awaited {
            let last_ms = awaited.pinged_at_ms + PONG_WAIT_MS_MAX;
            awaited.deadline_ms = awaited.deadline_ms.max(now.steady_ms + PONG_WAIT_MS).min(last_ms);
        }
    }

    /// Notes a pong. One of an earlier ping answers nothing.
    pub fn pong(&mut self, now: Moment, id: u64) {
        self.received(now);
        let Some(connection) = &mut self.connection else { return };
        let Some(awaited) = connection.awaited.take_if(|awaited| awaited.id == id) else { return };
        if let (Some(idle_ms), Some(bounds)) = (awaited.idle_ms, bounds(connection.terms)) {
            let before = self.limits;
            self.limits.survived(idle_ms, bounds, now.unix_s());
            if self.limits.changed_at_s != before.changed_at_s || self.limits.proven_ms != before.proven_ms {
                self.remember();
            }
        }
    }

    /// Takes new terms, which a pong may carry.
    pub fn set_terms(&mut self, terms: Terms) {
        if let Some(connection) = &mut self.connection {
            connection.terms = terms;
        }
    }

    /// Decides what is due now.
    pub fn poll(&mut self, now: Moment) -> Action {
        let has_slept = self.has_slept(now);
        self.polled_at = now;
        let Some(connection) = self.connection else { return Action::Wait };
        if has_slept {
            return self.probe(now);
        }
        if let Some(awaited) = connection.awaited {
            return if now.steady_ms >= awaited.deadline_ms { self.dead(now, awaited) } else { Action::Wait };
        }
        if now.steady_ms < self.due_ms(connection) {
            return Action::Wait;
        }
        if connection.terms.manner == Manner::Listening {
            self.connection = None;
            return Action::Dead;
        }
        let idle_ms = connection.idle_ms(now);
        let wait_ms = PONG_WAIT_MS.min(self.interval(connection.terms) / 2);
        self.ping(now, Some(idle_ms), wait_ms)
    }

    /// Returns the steady time in milliseconds of the next poll.
    #[must_use]
    pub fn wake_at(&self) -> u64 {
        let watch_ms = self.polled_at.steady_ms + WATCH_MS;
        let Some(connection) = self.connection else { return watch_ms };
        let next_ms = match connection.awaited {
            Some(awaited) => awaited.deadline_ms,
            None => self.due_ms(connection),
        };
        next_ms.min(watch_ms)
    }

    fn interval(&self, terms: Terms) -> u64 {
        let fixed_ms = terms.interval_ms.clamp(FIXED_MS_MIN, CEILING_MS);
        bounds(terms).map_or(fixed_ms, |bounds| self.limits.interval(bounds))
    }

    /// Time of the next ping; for an event stream, the time at which it counts as dead.
    fn due_ms(&self, connection: Connection) -> u64 {
        let interval_ms = self.interval(connection.terms);
        match connection.terms.manner {
            Manner::Adaptive(_) => {
                let idle_since_ms = connection.sent_at_ms.max(connection.received_at_ms);
                // At least the wait for a pong more than the interval, so that an idle connection reaches its
                // interval first.
                let quiet_ms = QUIET_MS_MAX.max(interval_ms + PONG_WAIT_MS);
                (idle_since_ms + interval_ms).min(connection.sent_at_ms + quiet_ms)
            }
            Manner::Fixed => connection.sent_at_ms + interval_ms,
            Manner::Listening => connection.received_at_ms + interval_ms / 2 * 3,
        }
    }

    fn remember(&mut self) {
        self.memory.set(&self.network, self.limits);
        self.is_changed = true;
    }

    fn has_slept(&self, now: Moment) -> bool {
        let steady_ms = now.steady_ms.saturating_sub(self.polled_at.steady_ms);
        let wall_ms = now.wall_ms.saturating_sub(self.polled_at.wall_ms);
        wall_ms.saturating_sub(steady_ms) > SLEPT_MS || steady_ms > FROZEN_MS
    }

    fn ping(&mut self, now: Moment, idle_ms: Option<u64>, wait_ms: u64) -> Action {
        let Some(connection) = &mut self.connection else { return Action::Wait };
        self.pings += 1;
        connection.sent_at_ms = now.steady_ms;
        let deadline_ms = now.steady_ms + wait_ms;
        let pinged_at_ms = now.steady_ms;
        connection.awaited = Some(AwaitedPong { id: self.pings, pinged_at_ms, deadline_ms, idle_ms });
        Action::Ping(self.pings)
    }

    fn dead(&mut self, now: Moment, awaited: AwaitedPong) -> Action {
        self.connection = None;
        self.suspect = awaited.idle_ms.map(|idle_ms| Suspect { idle_ms, lost_at_ms: now.steady_ms });
        Action::Dead
    }
}

/// Bounds of the search; `None` where the interval is fixed.
fn bounds(terms: Terms) -> Option<Bounds> {
    match terms.manner {
        Manner::Adaptive(max_ms) => Some(Bounds { start_ms: terms.interval_ms, max_ms }),
        Manner::Fixed | Manner::Listening => None,
    }
}
