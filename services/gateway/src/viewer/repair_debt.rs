use std::time::Duration;

/// Repairs worth this time are answered without a wait.
const BURST_MS: i32 = 2_000;
/// Largest debt, so that one long resume does not block repairs for minutes.
const DEBT_MS_MAX: i32 = 2_000;
/// Longest wait before one answer; the viewer's heartbeats are not read meanwhile.
const WAIT_MS_MAX: i32 = 1_000;

/// Debt of one viewer for its repairs, in time: the moment at which all repairs so far are paid
/// for, in milliseconds modulo 2^32. Four bytes, because each idle viewer has one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RepairDebt(u32);

impl RepairDebt {
    /// No debt, with a whole burst left.
    pub(crate) fn none(now_ms: u64) -> Self {
        let mut debt = RepairDebt::default();
        debt.set(now_ms, -BURST_MS);
        debt
    }

    /// Returns the debt at `now_ms`, in milliseconds; negative while a burst is left. After 24 days
    /// without a repair the sign may be wrong, which costs one wait of a second.
    fn owed(self, now_ms: u64) -> i32 {
        self.0.wrapping_sub(now_ms as u32).cast_signed().clamp(-BURST_MS, DEBT_MS_MAX)
    }

    fn set(&mut self, now_ms: u64, owed: i32) {
        self.0 = (now_ms as u32).wrapping_add_signed(owed);
    }

    /// Charges an answer, at this rate, to the viewer's debt.
    pub(crate) fn charge(&mut self, bytes: usize, bytes_per_s: u32, now_ms: u64) {
        let cost_ms = (bytes as u64 * 1_000).div_ceil(u64::from(bytes_per_s.max(1)));
        let cost_ms = i32::try_from(cost_ms).unwrap_or(i32::MAX);
        self.set(now_ms, self.owed(now_ms).saturating_add(cost_ms).min(DEBT_MS_MAX));
    }

    /// Returns how long the next answer waits.
    pub(crate) fn wait(self, now_ms: u64) -> Duration {
        Duration::from_millis(u64::from(self.owed(now_ms).clamp(0, WAIT_MS_MAX).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A viewer that asks again as soon as it is answered, 48 KiB each time.
    #[test]
    fn repairs_after_a_burst_are_paced_by_their_bytes() {
        let (bytes, rate) = (48 * 1024, 256 * 1024);
        let mut now_ms = u64::from(u32::MAX) - 3_000;
        let (started_ms, mut debt) = (now_ms, RepairDebt::none(now_ms));
        let mut answered = 0;
        while now_ms < started_ms + 60_000 {
            let wait_ms = debt.wait(now_ms).as_millis() as u64;
            assert!(wait_ms <= 1_000);
            now_ms += wait_ms + 1;
            debt.charge(bytes, rate, now_ms);
            answered += bytes;
        }
        let allowed = rate as usize * 62;
        assert!(answered <= allowed + bytes, "{answered} of {allowed}");
        assert!(answered >= allowed * 9 / 10, "{answered} of {allowed}");
    }

    #[test]
    fn no_debt_lasts_longer_than_its_bound() {
        let mut debt = RepairDebt::none(0);
        debt.charge(1 << 30, 1, 0);
        assert_eq!(debt.wait(0), Duration::from_secs(1));
        assert_eq!(debt.wait(2_000), Duration::ZERO);
    }
}
