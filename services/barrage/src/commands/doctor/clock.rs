//! Checks of this machine's clock: against its own steady clock, and against those of servers.

use std::time::Duration;

use barrage_bus::nats::{Finding, Level};

use super::finding::finding;

/// Largest difference of two clocks without a risk: tickets allow 1 s, and `exp` of tokens 30 s.
pub(super) const DIFFERENCE_MAX: Duration = Duration::from_secs(2);
/// 2025-01-01 in Unix seconds; an earlier clock is wrong.
const EPOCH_SECS_MIN: u64 = 1_735_689_600;
/// Time over which both clocks of this machine are compared.
const WATCHED: Duration = Duration::from_millis(200);
/// Largest difference between both clocks in that time: NTP slews by far less.
const DRIFT_MAX: Duration = Duration::from_millis(20);

/// Checks the date, and whether the wall clock steps while it is watched.
pub(super) async fn own() -> Finding {
    let (wall, steady) = (barrage_clock::since_unix_epoch(), barrage_clock::now());
    if wall.as_secs() < EPOCH_SECS_MIN {
        let text = "clock: the time is before 2025, so that every token is refused; set the clock";
        return finding(Level::Bad, text);
    }
    tokio::time::sleep(WATCHED).await;
    let elapsed = steady.elapsed();
    drift(barrage_clock::since_unix_epoch(), wall + elapsed)
}

fn drift(wall: Duration, expected: Duration) -> Finding {
    let difference = wall.abs_diff(expected);
    if difference <= DRIFT_MAX {
        return finding(Level::Good, "clock: it runs as the steady clock of this machine");
    }
    let text = format!(
        "clock: it stepped by {} ms while it was watched for {} ms; only one program may set it, and by slewing \
         (chrony, systemd-timesyncd)",
        difference.as_millis(),
        WATCHED.as_millis()
    );
    finding(Level::Risk, text)
}

/// Compares this machine's clock with a server's, which was read between two moments.
pub(super) fn of_server(name: &str, theirs: Duration, before: Duration, after: Duration) -> Finding {
    // The answer was made at some time between both moments.
    let difference = match theirs {
        theirs if theirs < before => before - theirs,
        theirs => theirs.saturating_sub(after),
    };
    if difference <= DIFFERENCE_MAX {
        return finding(Level::Good, format!("clock: {name} agrees with this machine"));
    }
    let text = format!(
        "clock: {name} differs by {:.1} s from this machine, so that tokens and tickets expire early or late; \
         synchronise both clocks with NTP",
        difference.as_secs_f64()
    );
    finding(Level::Risk, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_a_server_with_another_time_are_risks() {
        let at = Duration::from_millis;
        assert_eq!(drift(at(1_000), at(1_010)).level, Level::Good);
        assert_eq!(drift(at(1_000), at(1_100)).level, Level::Risk);
        assert_eq!(of_server("Redis", at(9_000), at(9_900), at(10_100)).level, Level::Good);
        assert_eq!(of_server("Redis", at(5_000), at(9_900), at(10_100)).level, Level::Risk);
        let late = of_server("Redis", at(20_000), at(9_900), at(10_100));
        assert!(late.level == Level::Risk && late.text.contains("9.9 s"), "{}", late.text);
    }

    #[tokio::test]
    async fn clock_of_this_machine_is_good() {
        let found = own().await;
        assert_eq!(found.level, Level::Good, "{}", found.text);
    }
}
