//! Scale actions, and those that were taken back.

/// Two opposite actions within this time are a reversal.
const REVERSAL_SECS: f64 = 600.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Out,
    In,
}

#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) all: u32,
    pub(super) reversed: u32,
    last: Option<(Direction, f64)>,
}

impl Actions {
    pub(super) fn note(&mut self, direction: Direction, now_secs: f64) {
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
