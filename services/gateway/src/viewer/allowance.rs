use std::cell::Cell;
use std::time::Duration;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use super::repair_debt::RepairDebt;
use crate::config::GatewayConfig;

/// Kind of a client's frame; each kind has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Frame of the protocol, limited by `gateway.client_frames_per_s`.
    Text,
    /// WebSocket ping or pong, limited by `gateway.control_frames_per_s`.
    Control,
}

/// Limits of one viewer: its frames within the current second, its refused frames, its repairs.
/// 24 bytes at most, because each idle viewer has one.
#[derive(Debug)]
pub(crate) struct Allowance(Cell<Used>);

#[derive(Debug, Clone, Copy)]
struct Used {
    /// Unix seconds modulo 2^32. A new second resets `text` and `control`.
    second: u32,
    text: u32,
    control: u32,
    refused: u32,
    repairs: RepairDebt,
}

impl Allowance {
    /// `steady_ms` is the steady clock, by which repairs are charged.
    pub(super) fn new(steady_ms: u64) -> Self {
        let repairs = RepairDebt::none(steady_ms);
        Allowance(Cell::new(Used { second: 0, text: 0, control: 0, refused: 0, repairs }))
    }

    fn update<T>(&self, change: impl FnOnce(&mut Used) -> T) -> T {
        let mut used = self.0.get();
        let result = change(&mut used);
        self.0.set(used);
        result
    }

    /// Counts a frame; refuses it when it exceeds the limit of the second.
    pub(crate) fn count(
        &self,
        kind: FrameKind,
        config: &GatewayConfig,
        unix_secs: u64,
    ) -> Result<(), Refusal> {
        self.update(|used| used.count(kind, config, unix_secs))
    }

    /// Counts a frame that was refused; true when the viewer must be closed for it.
    pub(super) fn count_refused(&self, config: &GatewayConfig) -> bool {
        self.update(|used| {
            used.refused += 1;
            used.refused > config.bad_frames_max
        })
    }

    /// Returns how long the viewer's next repair waits.
    pub(crate) fn repair_wait(&self, steady_ms: u64) -> Duration {
        self.0.get().repairs.wait(steady_ms)
    }

    /// Charges the answer to a repair, or a part of a resume.
    pub(crate) fn charge_repair(&self, bytes: usize, config: &GatewayConfig, steady_ms: u64) {
        self.update(|used| used.repairs.charge(bytes, config.repair_bytes_per_s, steady_ms));
    }
}

impl Used {
    fn count(&mut self, kind: FrameKind, config: &GatewayConfig, unix_secs: u64) -> Result<(), Refusal> {
        let second = unix_secs as u32;
        if self.second != second {
            (self.second, self.text, self.control) = (second, 0, 0);
        }
        let (count, max, code) = match kind {
            FrameKind::Text => (&mut self.text, config.client_frames_per_s, Code::RateLimited),
            FrameKind::Control => (&mut self.control, config.control_frames_per_s, Code::ControlFlood),
        };
        *count += 1;
        if *count > max {
            let refusal = Refusal::new(code, format!("at most {max} frames of this kind a second"));
            return Err(refusal.retry_after_ms(1_000));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_beyond_the_limit_of_a_second_are_refused() {
        let config = GatewayConfig { client_frames_per_s: 2, control_frames_per_s: 1, ..Default::default() };
        let allowance = Allowance::new(0);
        let count = |kind, secs| allowance.count(kind, &config, secs).map_err(|refusal| refusal.code);
        assert_eq!([count(FrameKind::Text, 7), count(FrameKind::Text, 7)], [Ok(()), Ok(())]);
        assert_eq!(count(FrameKind::Text, 7), Err(Code::RateLimited));
        assert_eq!(count(FrameKind::Control, 7), Ok(()));
        assert_eq!(count(FrameKind::Control, 7), Err(Code::ControlFlood));
        assert_eq!(count(FrameKind::Text, 8), Ok(()), "a new second");
    }

    #[test]
    fn too_many_refused_frames_close_the_viewer() {
        let config = GatewayConfig { bad_frames_max: 2, ..GatewayConfig::default() };
        let allowance = Allowance::new(0);
        assert_eq!([(); 3].map(|()| allowance.count_refused(&config)), [false, false, true]);
    }

    #[test]
    fn an_allowance_is_small() {
        assert!(size_of::<Allowance>() <= 24);
    }
}
