//! Counts scale actions, and reversals among them.

/// Two opposite actions within this time are a reversal.
const REVERSAL_SECS: f64 = 600.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Out,
    In,
}

#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) all: u32,
    pub(crate) reversed: u32,
    last: Option<(Direction, f64)>,
}

impl Actions {
    pub(crate) fn note(&mut self, direction: Direction, now_secs: f64) {
        self.all += 1;
        if let Some((last, at)) = self.last
            && last != direction
            && now_secs - at < REVERSAL_SECS
        {
            self.reversed += 1;
        }
        self.last = Some((direction, now_secs));
    }
}
