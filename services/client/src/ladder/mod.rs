//! Ladder of transports: which one to open, when to step down, and when to try a better one again.
//!
//! Pure: events with their times come in, actions go out. The caller owns sockets, the clock and random
//! numbers. The page has the same state machine (`web/packages/client/src/ladder/ladder.ts`), and both pass the vectors in
//! `services/client/vectors`. `docs/guide/channel.md` explains the rules.

mod limits;

use serde::{Deserialize, Serialize};

pub use self::limits::LadderLimits;

/// Event that the caller reports to the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LadderEvent<R> {
    /// The caller wants a connection. One may still carry, for example when a server moves its viewers.
    Connect {
        /// Rungs for which there are endpoints; others are not opened.
        offered: Vec<R>,
    },
    /// The server answered on this rung: a hello on the downlink, an answer to a post on the uplink.
    Opened {
        /// Rung that was opened, as an action named it.
        rung: R,
    },
    /// An attempt to open this rung failed.
    Failed {
        /// Rung that was tried, as an action named it.
        rung: R,
        /// Whether the network or the server stood in the way.
        cause: FailureCause,
    },
    /// The connection that carried has ended.
    Ended {
        /// Whether the server gave a reason.
        cause: EndCause,
    },
    /// The time of [`Ladder::due_ms`] has come.
    Tick,
    /// The machine is on another network: all observations are void.
    NetworkChanged,
}

/// Reason for a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// No answer of a Barrage server came: silence, a cut, another status, another body.
    Blocked,
    /// A Barrage server refused; it would refuse another rung as well.
    Refused,
}

/// Reason for the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Cut or silent, without a reason from the server.
    Lost,
    /// Ended by the server with a reason, or by the caller.
    Closed,
}

/// Action that the caller carries out, in the order of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LadderAction<R> {
    /// Open a connection on this rung.
    Open {
        /// Rung on which to open a connection.
        rung: R,
    },
    /// Open a connection on this better rung beside the one that carries, and resume there.
    Probe {
        /// Rung on which to open a connection.
        rung: R,
    },
    /// Use the connection that was just opened, and leave the one before.
    Use {
        /// Rung that carries from now on.
        rung: R,
    },
    /// Drop the attempt or the connection on this rung.
    Abandon {
        /// Rung whose attempt is no longer wanted.
        rung: R,
    },
    /// No rung was opened. Wait with backoff, then report [`LadderEvent::Connect`] again.
    GiveUp,
}

/// Observations of one rung on this network.
#[derive(Debug, Clone, Copy, Default)]
struct Observed {
    /// Blockages in a row; 0 for a rung that has carried for `stable_ms`.
    failures: u32,
    /// Connections in a row that were lost before `stable_ms`.
    early_ends: u32,
    /// Time until which the rung is tried last, and not probed.
    blocked_until_ms: u64,
}

/// Rungs of one direction, best first, and what is known of them.
#[derive(Debug, Clone)]
pub struct Ladder<R> {
    rungs: Vec<R>,
    limits: LadderLimits,
    observed: Vec<Observed>,
    /// Indices of the rungs that the last connect offered, best first.
    offered: Vec<usize>,
    /// Rung that is being opened in this round.
    opening: Option<usize>,
    /// Rungs that were blocked in this round.
    blocked: Vec<usize>,
    probing: Option<usize>,
    carrying: Option<Carrying>,
}

#[derive(Debug, Clone, Copy)]
struct Carrying {
    rung: usize,
    since_ms: u64,
}

impl<R: Copy + PartialEq> Ladder<R> {
    /// Creates a ladder of these rungs, best first, about which nothing is known.
    #[must_use]
    pub fn new(rungs: Vec<R>, limits: LadderLimits) -> Self {
        let observed = vec![Observed::default(); rungs.len()];
        Ladder {
            rungs,
            limits,
            observed,
            offered: Vec::new(),
            opening: None,
            blocked: Vec::new(),
            probing: None,
            carrying: None,
        }
    }

    /// Returns the rung that carries, if any.
    #[must_use]
    pub fn carrying(&self) -> Option<R> {
        self.carrying.map(|carrying| self.rungs[carrying.rung])
    }

    /// Returns the time at which the caller reports [`LadderEvent::Tick`]; `None` when no probe is planned.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        if self.probing.is_some() || self.opening.is_some() {
            return None;
        }
        self.better().map(|rung| self.observed[rung].blocked_until_ms).min()
    }

    /// Takes an event at this time, with a random number from 0 to 1, and returns the actions. An event
    /// about a rung that no action named is ignored, but for a connection, which is abandoned.
    pub fn step(&mut self, at_ms: u64, chance: f64, event: LadderEvent<R>) -> Vec<LadderAction<R>> {
        let mut actions = Vec::new();
        self.settle(at_ms);
        match event {
            LadderEvent::Connect { offered } => self.connect(at_ms, &offered, &mut actions),
            LadderEvent::Opened { rung } => self.opened(at_ms, chance, rung, &mut actions),
            LadderEvent::Failed { rung, cause } => self.failed(at_ms, chance, rung, cause, &mut actions),
            LadderEvent::Ended { cause } => self.ended(at_ms, chance, cause, &mut actions),
            LadderEvent::Tick => self.tick(at_ms, &mut actions),
            LadderEvent::NetworkChanged => self.observed.fill(Observed::default()),
        }
        actions
    }

    fn connect(&mut self, at_ms: u64, offered: &[R], actions: &mut Vec<LadderAction<R>>) {
        self.drop_probe(actions);
        self.offered = (0..self.rungs.len()).filter(|rung| offered.contains(&self.rungs[*rung])).collect();
        self.blocked.clear();
        self.open_next(at_ms, actions);
    }

    /// Opens the best rung that was not tried in this round. Rungs that are known as blocked come last.
    fn open_next(&mut self, at_ms: u64, actions: &mut Vec<LadderAction<R>>) {
        let untried = || self.offered.iter().copied().filter(|rung| !self.blocked.contains(rung));
        let is_free = |rung: &usize| self.observed[*rung].blocked_until_ms <= at_ms;
        self.opening = untried().find(is_free).or_else(|| untried().next());
        actions.push(match self.opening {
            Some(rung) => LadderAction::Open { rung: self.rungs[rung] },
            None => LadderAction::GiveUp,
        });
    }

    fn opened(&mut self, at_ms: u64, chance: f64, rung: R, actions: &mut Vec<LadderAction<R>>) {
        let Some(index) = self.index(rung) else { return };
        if self.opening == Some(index) {
            self.reached(at_ms, chance, index);
        } else if self.probing == Some(index) {
            self.probing = None;
        } else {
            actions.push(LadderAction::Abandon { rung });
            return;
        }
        // A rung that goes on carrying over a move keeps its age.
        if self.carrying.is_none_or(|carrying| carrying.rung != index) {
            self.carrying = Some(Carrying { rung: index, since_ms: at_ms });
        }
        actions.push(LadderAction::Use { rung });
    }

    fn failed(
        &mut self,
        at_ms: u64,
        chance: f64,
        rung: R,
        cause: FailureCause,
        actions: &mut Vec<LadderAction<R>>,
    ) {
        let Some(index) = self.index(rung) else { return };
        if self.opening == Some(index) {
            match cause {
                FailureCause::Blocked => {
                    self.blocked.push(index);
                    self.open_next(at_ms, actions);
                }
                FailureCause::Refused => {
                    self.reached(at_ms, chance, index);
                    actions.push(LadderAction::GiveUp);
                }
            }
        } else if self.probing == Some(index) {
            self.probing = None;
            match cause {
                FailureCause::Blocked => self.block(at_ms, chance, index),
                // The network passes this rung. The server is busy, so the probe waits as before.
                FailureCause::Refused => self.postpone(at_ms, chance, index),
            }
        }
    }

    fn ended(&mut self, at_ms: u64, chance: f64, cause: EndCause, actions: &mut Vec<LadderAction<R>>) {
        self.drop_probe(actions);
        let Some(Carrying { rung, since_ms }) = self.carrying.take() else { return };
        let is_early = at_ms.saturating_sub(since_ms) < self.limits.stable_ms;
        let has_lower = self.offered.iter().any(|other| *other > rung);
        if cause == EndCause::Closed || !is_early || !has_lower {
            return;
        }
        let observed = &mut self.observed[rung];
        observed.early_ends += 1;
        // A rung that was blocked before is on trial: it gets one connection.
        if observed.failures > 0 || observed.early_ends >= self.limits.early_ends_max {
            self.block(at_ms, chance, rung);
        }
    }

    fn tick(&mut self, at_ms: u64, actions: &mut Vec<LadderAction<R>>) {
        if self.due_ms().is_none_or(|due_ms| due_ms > at_ms) {
            return;
        }
        let free = self.better().find(|rung| self.observed[*rung].blocked_until_ms <= at_ms);
        self.probing = free;
        actions.extend(self.probing.map(|rung| LadderAction::Probe { rung: self.rungs[rung] }));
    }

    /// The server was reached on this rung: the better rungs of this round are blocked by the network, but
    /// for one that carries meanwhile. A round in which no rung reached the server shows nothing about the
    /// network.
    fn reached(&mut self, at_ms: u64, chance: f64, rung: usize) {
        self.opening = None;
        for better in std::mem::take(&mut self.blocked) {
            if better < rung && self.carrying.is_none_or(|carrying| carrying.rung != better) {
                self.block(at_ms, chance, better);
            }
        }
    }

    /// Counts a blockage, and plans the next probe of the rung.
    fn block(&mut self, at_ms: u64, chance: f64, rung: usize) {
        let observed = &mut self.observed[rung];
        observed.failures = observed.failures.saturating_add(1);
        observed.early_ends = 0;
        self.postpone(at_ms, chance, rung);
    }

    fn postpone(&mut self, at_ms: u64, chance: f64, rung: usize) {
        let observed = &mut self.observed[rung];
        observed.blocked_until_ms = at_ms.saturating_add(self.limits.wait_ms(observed.failures, chance));
    }

    /// Clears what counted against a rung that has carried for long enough.
    fn settle(&mut self, at_ms: u64) {
        let Some(Carrying { rung, since_ms }) = self.carrying else { return };
        if at_ms.saturating_sub(since_ms) >= self.limits.stable_ms {
            self.observed[rung] = Observed::default();
        }
    }

    fn drop_probe(&mut self, actions: &mut Vec<LadderAction<R>>) {
        let probing = self.probing.take();
        actions.extend(probing.map(|rung| LadderAction::Abandon { rung: self.rungs[rung] }));
    }

    /// Offered rungs that are better than the one that carries, best first; none when nothing carries.
    fn better(&self) -> impl Iterator<Item = usize> + '_ {
        let carrying = self.carrying.map_or(0, |carrying| carrying.rung);
        self.offered.iter().copied().filter(move |rung| *rung < carrying)
    }

    fn index(&self, rung: R) -> Option<usize> {
        self.rungs.iter().position(|known| *known == rung)
    }
}

#[cfg(test)]
mod tests;
