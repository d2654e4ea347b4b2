use std::time::Duration;

use barrage_protocol::lines::TRAIL_BYTES_MAX;

use crate::config::GatewayConfig;
use crate::load::{Level, Load};
use crate::room::{Heat, Pace};

/// Factor by which the first overload level stretches the time between pulses.
const COARSE: u32 = 5;
/// Effort that a celebrity's room adds: its batches are deflated once for very many viewers.
const CELEBRITY_EFFORT: u8 = 2;
/// Bytes of earlier lines to which the batches of an idle room refer: such a room is one of many, and sends
/// little.
const IDLE_TRAIL_BYTES: usize = 1_024;
/// The same for a warm room.
const WARM_TRAIL_BYTES: usize = 4_096;
/// Largest effort that deflate has; a higher sum is cut to it.
const EFFORT_MAX: u8 = 9;

/// Returns how finely a room of this heat is served at this load.
pub(super) fn pace(config: &GatewayConfig, heat: Heat, load: &Load) -> Pace {
    at_level(config, heat, load.level(), load.chat_share(), load.window_stretch())
}

fn at_level(config: &GatewayConfig, heat: Heat, level: Level, chat_share: f64, stretch: f64) -> Pace {
    let (windows, pulses, effort, trail_bytes) = match heat {
        Heat::Idle => (1, 1, 1, IDLE_TRAIL_BYTES),
        Heat::Warm => (1, 1, config.deflate_effort, WARM_TRAIL_BYTES),
        Heat::Hot => (2, 2, config.deflate_effort, TRAIL_BYTES_MAX),
        Heat::Celebrity => (4, 3, config.deflate_effort.saturating_add(CELEBRITY_EFFORT), TRAIL_BYTES_MAX),
    };
    let factor = f64::from(windows * level.window_factor()) * stretch.max(1.0);
    let window = Duration::from_millis(config.window_ms);
    let window_max = Duration::from_millis(config.window_ms_max).max(window);
    let window = window.mul_f64(factor).min(window_max);
    // A pulse costs a write for each viewer, as a batch does: a room of long windows has no shorter pulses.
    let pulse = (Duration::from_millis(config.pulse_ms) * pulses).max(window);
    Pace {
        window,
        pulse: match level {
            Level::Normal => Some(pulse),
            Level::CoarsePulses => Some(pulse * COARSE),
            Level::NoPulses | Level::ThinChat | Level::RefuseJoins => None,
        },
        messages_max: config.batch_messages_max,
        bytes_max: config.full_batch_bytes(),
        bytes_due: config.due_batch_bytes(),
        chat_share,
        effort: effort.min(EFFORT_MAX),
        trail_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_and_overload_stretch_the_window_up_to_its_maximum() {
        let config = GatewayConfig::default();
        let window_ms = |heat, level| at_level(&config, heat, level, 1.0, 1.0).window.as_millis();
        assert_eq!(window_ms(Heat::Idle, Level::Normal), 50);
        assert_eq!(window_ms(Heat::Hot, Level::NoPulses), 200);
        assert_eq!(window_ms(Heat::Celebrity, Level::ThinChat), 500);
    }

    #[test]
    fn a_dear_write_stretches_the_window_of_any_heat() {
        let config = GatewayConfig::default();
        let window_ms =
            |heat, stretch| at_level(&config, heat, Level::Normal, 1.0, stretch).window.as_millis();
        assert_eq!([0.0, 1.0, 1.5, 20.0].map(|stretch| window_ms(Heat::Warm, stretch)), [50, 50, 75, 500]);
        assert_eq!(window_ms(Heat::Hot, 1.5), 150);
    }

    #[test]
    fn pulses_are_stretched_and_then_dropped() {
        let config = GatewayConfig::default();
        let pulse = |level| at_level(&config, Heat::Warm, level, 1.0, 1.0).pulse;
        assert_eq!(pulse(Level::Normal), Some(Duration::from_secs(1)));
        assert_eq!(pulse(Level::CoarsePulses), Some(Duration::from_secs(5)));
        assert_eq!(pulse(Level::NoPulses), None);
    }

    #[test]
    fn pulses_are_no_more_frequent_than_batches() {
        let config = GatewayConfig { window_ms: 2_500, window_ms_max: 5_000, ..GatewayConfig::default() };
        let pulse_ms =
            |heat| at_level(&config, heat, Level::Normal, 1.0, 1.0).pulse.map(|pulse| pulse.as_millis());
        assert_eq!([pulse_ms(Heat::Warm), pulse_ms(Heat::Hot)], [Some(2_500), Some(5_000)]);
    }

    #[test]
    fn the_effort_stays_within_the_range_of_deflate() {
        let config = GatewayConfig { deflate_effort: 9, ..GatewayConfig::default() };
        let effort = |heat| at_level(&config, heat, Level::Normal, 1.0, 1.0).effort;
        assert_eq!([effort(Heat::Idle), effort(Heat::Warm), effort(Heat::Celebrity)], [1, 9, 9]);
    }
}
