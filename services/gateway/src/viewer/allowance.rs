use std::time::Duration;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use super::repair_debt::RepairDebt;
use crate::config::GatewayConfig;

/// Kind of a client's frame; each kind has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Frame of the protocol.
    Text,
    /// WebSocket ping or pong.
    Control,
}

/// Frames of one viewer within the current second, its refused frames, and its repairs. 24 bytes,
/// because each idle viewer has one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Unix seconds modulo 2^32.
    second: u32,
    text: u32,
    control: u32,
    refused: u32,
    pub(super) repairs: RepairDebt,
}

impl Allowance {
    /// `steady_ms` is the steady clock, by which repairs are charged.
    pub(super) fn new(steady_ms: u64) -> Self {
        Allowance { second: 0, text: 0, control: 0, refused: 0, repairs: RepairDebt::none(steady_ms) }
    }

    /// Counts a frame; refuses it when it exceeds the limit of the second.
    pub(super) fn count(
        &mut self,
        kind: FrameKind,
        config: &GatewayConfig,
        unix_secs: u64,
    ) -> Result<(), Refusal> {
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

    /// Counts a frame that was refused; true when the viewer must be closed for it.
    pub(super) fn count_refused(&mut self, config: &GatewayConfig) -> bool {
        self.refused += 1;
        self.refused > config.bad_frames_max
    }

    /// Returns how long the viewer's next repair waits.
    pub(super) fn repair_wait(&self, steady_ms: u64) -> Duration {
        self.repairs.wait(steady_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_beyond_the_limit_of_a_second_are_refused() {
        let config = GatewayConfig { client_frames_per_s: 2, control_frames_per_s: 1, ..Default::default() };
        let mut allowance = Allowance::new(0);
        let mut count = |kind, secs| allowance.count(kind, &config, secs).map_err(|refusal| refusal.code);
        assert_eq!([count(FrameKind::Text, 7), count(FrameKind::Text, 7)], [Ok(()), Ok(())]);
        assert_eq!(count(FrameKind::Text, 7), Err(Code::RateLimited));
        assert_eq!(count(FrameKind::Control, 7), Ok(()));
        assert_eq!(count(FrameKind::Control, 7), Err(Code::ControlFlood));
        assert_eq!(count(FrameKind::Text, 8), Ok(()), "a new second");
    }

    #[test]
    fn too_many_refused_frames_close_the_viewer() {
        let config = GatewayConfig { bad_frames_max: 2, ..GatewayConfig::default() };
        let mut allowance = Allowance::new(0);
        assert_eq!([(); 3].map(|()| allowance.count_refused(&config)), [false, false, true]);
    }

    #[test]
    fn an_allowance_is_small() {
        assert!(size_of::<Allowance>() <= 24);
    }
}
