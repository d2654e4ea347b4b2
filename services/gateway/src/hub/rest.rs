use std::time::Duration;

/// Time between two measurements of a room in which something happens.
const AWAKE: Duration = Duration::from_millis(500);
/// Longest time between two measurements of a quiet room. A gateway with 100,000 quiet rooms then makes
/// 25,000 measurements a second, and the heartbeat of a hub stays well below its greatest age.
const AT_REST_MAX: Duration = Duration::from_secs(4);

/// Time until a hub's next measurement; pure.
///
/// Law: twice as long after each measurement of a quiet room, up to a maximum; the shortest after any other.
#[derive(Debug)]
pub(super) struct Rest(Duration);

impl Default for Rest {
    fn default() -> Self {
        Rest(AWAKE)
    }
}

impl Rest {
    /// Takes whether a measurement found a quiet room. Returns the time until the next one.
    pub(super) fn measured(&mut self, is_quiet: bool) -> Duration {
        self.0 = if is_quiet { (self.0 * 2).min(AT_REST_MAX) } else { AWAKE };
        self.0
    }

    /// Whether the time between measurements is longer than that of a room in which something happens.
    pub(super) fn is_long(&self) -> bool {
        self.0 > AWAKE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_room_is_measured_ever_less_often_up_to_a_maximum() {
        let mut rest = Rest::default();
        let times: Vec<_> = (0..5).map(|_| rest.measured(true).as_millis()).collect();
        assert_eq!(times, [1_000, 2_000, 4_000, 4_000, 4_000]);
        assert!(AT_REST_MAX * 2 < crate::load::HEARTBEAT_AGE_MAX);
    }

    #[test]
    fn a_room_in_which_something_happens_is_measured_often_again() {
        let mut rest = Rest::default();
        assert!(rest.measured(true) > AWAKE && rest.is_long());
        assert_eq!(rest.measured(false), AWAKE);
        assert!(!rest.is_long());
    }
}
