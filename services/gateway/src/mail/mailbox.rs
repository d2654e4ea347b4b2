//! The box of one attached viewer: its budget of frames, what waits, and the bell that it is owed; pure.

use std::collections::VecDeque;

use barrage_bus::UserHash;
use bytes::Bytes;

/// Limits of the mail for one viewer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Frames a second, after a burst of two seconds' worth.
    pub(crate) frames_per_s: u32,
    /// Bytes that wait at most. Beyond, all that waits becomes one bell.
    pub(crate) bytes_max: usize,
}

/// Fates of frames; every frame that is offered has one, or waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MailCounts {
    /// Frames that were offered to viewers.
    pub(crate) took: u64,
    /// Frames in the queues of their connections.
    pub(crate) delivered: u64,
    /// Frames in whose place a bell comes.
    pub(crate) collapsed: u64,
    /// Frames whose viewer has gone.
    pub(crate) gone: u64,
}

/// What a viewer gets next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A frame as the socket takes it.
    Frame(Bytes),
    /// A bell, with the time in milliseconds over which its client spreads its request.
    Bell(Option<u64>),
}

/// Bell in the place of frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Owed {
    #[default]
    Nothing,
    Bell,
    SpreadBell(u32),
}

/// The box of one viewer.
#[derive(Debug)]
pub(crate) struct MailBox {
    pub(crate) user: UserHash,
    /// Thousandths of frames that the viewer may get.
    tokens: u32,
    /// Time of the last refill by the steady clock, in milliseconds modulo 2^32.
    refilled_ms: u32,
    owed: Owed,
    /// Allocated while something waits.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

/// Thousandths in one token.
const TOKEN: u32 = 1_000;

impl MailBox {
    pub(crate) const fn new(user: UserHash, now_ms: u64, limits: Limits) -> Self {
        let tokens = limits.frames_per_s.saturating_mul(2 * TOKEN);
        MailBox { user, tokens, refilled_ms: now_ms as u32, owed: Owed::Nothing, waiting: None }
    }

    /// Takes a frame for the viewer, behind what waits. Returns the number of frames that collapse into a bell.
    pub(crate) fn offer(&mut self, frame: Bytes, limits: Limits) -> u64 {
        if self.owed != Owed::Nothing {
            return 1;
        }
        let waiting = self.waiting.get_or_insert_default();
        if waiting.bytes + frame.len() > limits.bytes_max {
            return 1 + self.collapse(Owed::Bell);
        }
        waiting.bytes += frame.len();
        waiting.frames.push_back(frame);
        0
    }

    /// Turns everything that waits into a bell; returns the number of frames. `spread_ms` is for bells of many
    /// viewers at once.
    pub(crate) fn ring(&mut self, spread_ms: Option<u32>) -> u64 {
        self.collapse(spread_ms.map_or(Owed::Bell, Owed::SpreadBell))
    }

    fn collapse(&mut self, owed: Owed) -> u64 {
        // A bell for at once stays one.
        if self.owed != Owed::Bell {
            self.owed = owed;
        }
        self.waiting.take().map_or(0, |waiting| waiting.frames.len() as u64)
    }

    /// Returns what the viewer gets next, within its budget. The caller gives it back by [`MailBox::put_back`] when
    /// the connection has no room.
    pub(crate) fn next(&mut self, now_ms: u64, limits: Limits) -> Option<Next> {
        if !self.has_waiting() {
            return None;
        }
        self.refill(now_ms, limits);
        self.tokens = self.tokens.checked_sub(TOKEN)?;
        match std::mem::take(&mut self.owed) {
            Owed::Bell => return Some(Next::Bell(None)),
            Owed::SpreadBell(spread_ms) => return Some(Next::Bell(Some(spread_ms.into()))),
            Owed::Nothing => {}
        }
        let waiting = self.waiting.as_mut()?;
        let frame = waiting.frames.pop_front();
        waiting.bytes -= frame.as_ref().map_or(0, Bytes::len);
        if waiting.frames.is_empty() {
            self.waiting = None;
        }
        frame.map(Next::Frame)
    }

    /// Takes back what the connection had no room for.
    pub(crate) fn put_back(&mut self, next: Next) {
        self.tokens = self.tokens.saturating_add(TOKEN);
        match next {
            Next::Frame(frame) => {
                let waiting = self.waiting.get_or_insert_default();
                waiting.bytes += frame.len();
                waiting.frames.push_front(frame);
            }
            Next::Bell(None) => self.owed = Owed::Bell,
            Next::Bell(Some(spread_ms)) => {
                self.owed = Owed::SpreadBell(u32::try_from(spread_ms).unwrap_or(u32::MAX));
            }
        }
    }

    /// Whether a frame or a bell waits.
    pub(crate) const fn has_waiting(&self) -> bool {
        self.waiting.is_some() || !matches!(self.owed, Owed::Nothing)
    }

    /// Whether the box is as a new one: nothing waits, and the budget is whole.
    pub(crate) fn is_at_rest(&mut self, now_ms: u64, limits: Limits) -> bool {
        self.refill(now_ms, limits);
        !self.has_waiting() && self.tokens >= limits.frames_per_s.saturating_mul(2 * TOKEN)
    }

    /// Number of frames that wait.
    pub(crate) fn frames(&self) -> u64 {
        self.waiting.as_ref().map_or(0, |waiting| waiting.frames.len() as u64)
    }

    fn refill(&mut self, now_ms: u64, limits: Limits) {
        let now = now_ms as u32;
        let passed_ms = now.wrapping_sub(self.refilled_ms);
        let refill = u64::from(passed_ms) * u64::from(limits.frames_per_s);
        let max = limits.frames_per_s.saturating_mul(2 * TOKEN);
        self.tokens = u32::try_from(refill).unwrap_or(u32::MAX).saturating_add(self.tokens).min(max);
        self.refilled_ms = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { frames_per_s: 5, bytes_max: 100 };

    fn new() -> MailBox {
        MailBox::new(UserHash::from_bytes([1; 16]), 0, LIMITS)
    }

    fn frame(bytes: usize) -> Bytes {
        vec![b'x'; bytes].into()
    }

    #[test]
    fn frames_beyond_the_budget_wait_for_their_turn_in_order() {
        let mut mailbox = new();
        for bytes in 1..=11 {
            assert_eq!(mailbox.offer(frame(bytes), LIMITS), 0);
        }
        for bytes in 1..=10 {
            assert_eq!(mailbox.next(0, LIMITS), Some(Next::Frame(frame(bytes))));
        }
        assert_eq!((mailbox.next(100, LIMITS), mailbox.frames()), (None, 1));
        assert_eq!(mailbox.next(200, LIMITS), Some(Next::Frame(frame(11))));
        assert!(!mailbox.has_waiting() && mailbox.waiting.is_none());
        // A clock that wraps at 2^32 ms, some 49 days later, gives no more than the burst.
        mailbox.next(u64::from(u32::MAX) + 50, LIMITS);
        assert!(mailbox.tokens <= 10 * TOKEN);
    }

    #[test]
    fn box_is_at_rest_once_its_budget_is_whole() {
        let mut mailbox = new();
        assert!(mailbox.is_at_rest(0, LIMITS));
        mailbox.offer(frame(1), LIMITS);
        assert!(!mailbox.is_at_rest(0, LIMITS), "a frame waits");
        mailbox.next(0, LIMITS);
        assert!(!mailbox.is_at_rest(199, LIMITS), "the token is not back");
        assert!(mailbox.is_at_rest(200, LIMITS));
        mailbox.ring(None);
        assert!(!mailbox.is_at_rest(400, LIMITS), "a bell waits");
    }

    #[test]
    fn bytes_beyond_the_bound_become_one_bell() {
        let mut mailbox = new();
        for _ in 0..2 {
            assert_eq!(mailbox.offer(frame(50), LIMITS), 0);
        }
        assert_eq!(mailbox.offer(frame(1), LIMITS), 3);
        assert_eq!(mailbox.offer(frame(1), LIMITS), 1, "the bell comes instead");
        assert_eq!(mailbox.next(0, LIMITS), Some(Next::Bell(None)));
        assert_eq!(mailbox.next(0, LIMITS), None);
        assert_eq!(mailbox.offer(frame(1), LIMITS), 0);
        assert_eq!(mailbox.offer(frame(101), LIMITS), 2, "one frame above the bound");
    }

    #[test]
    fn bell_of_many_is_spread_and_one_for_at_once_stays() {
        let mut mailbox = new();
        mailbox.offer(frame(1), LIMITS);
        assert_eq!(mailbox.ring(Some(10_000)), 1);
        let spread = mailbox.next(0, LIMITS).unwrap();
        assert_eq!(spread, Next::Bell(Some(10_000)));
        mailbox.put_back(spread);
        mailbox.ring(None);
        mailbox.ring(Some(10_000));
        assert_eq!(mailbox.next(0, LIMITS), Some(Next::Bell(None)));
    }

    proptest! {
        /// Every frame is delivered in order, or a bell comes behind it.
        #[test]
        fn no_frame_is_lost_without_a_bell(steps in prop::collection::vec((0_u8..5, 1_usize..60), 1..200)) {
            let mut mailbox = new();
            let (mut now_ms, mut offered, mut delivered, mut collapsed, mut owes) = (0, 0, 0, 0, false);
            for (step, size) in steps {
                match step {
                    0 | 1 => {
                        offered += 1;
                        let gone = mailbox.offer(frame(size), LIMITS);
                        collapsed += gone;
                        owes |= gone > 0;
                    }
                    2 => now_ms += size as u64 * 10,
                    _ => {
                        if let Some(next) = mailbox.next(now_ms, LIMITS) {
                            if size % 3 == 0 {
                                mailbox.put_back(next);
                            } else if matches!(next, Next::Frame(_)) {
                                prop_assert!(!owes, "the bell comes first");
                                delivered += 1;
                            } else {
                                owes = false;
                            }
                        }
                    }
                }
                prop_assert_eq!(offered, delivered + collapsed + mailbox.frames());
                prop_assert!(mailbox.waiting.as_ref().is_none_or(|waiting| waiting.bytes <= LIMITS.bytes_max));
                prop_assert!(!owes || mailbox.has_waiting());
            }
        }
    }
}
