//! Figures of a run, and their names in thresholds and comparisons.

use std::collections::BTreeMap;

/// Figures of a run by name. A figure that was not measured is absent. Times are in milliseconds,
/// shares from 0 to 1.
pub type Figures = BTreeMap<String, f64>;

/// Unit of a figure, which decides how its value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time in milliseconds; shown in seconds from 10 s on.
    Ms,
    /// Time in microseconds, shown with two decimals.
    Us,
    /// Share, 0 to 1; thresholds may use percent.
    Share,
    /// Number without a unit, shown with separators between thousands.
    Number,
}

impl Unit {
    /// Formats a value with its unit for tables and pages.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Ms if value >= 10_000.0 => format!("{:.1} s", value / 1_000.0),
            Unit::Ms if value >= 100.0 => format!("{value:.0} ms"),
            Unit::Ms => format!("{value:.1} ms"),
            Unit::Us => format!("{value:.2} µs"),
            Unit::Share if value > 0.0 && value < 0.000_1 => format!("{:.5} %", value * 100.0),
            Unit::Share => format!("{:.2} %", value * 100.0),
            Unit::Number => thousands(value),
        }
    }
}

/// Formats a number with separators between thousands.
#[must_use]
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Statistics of a latency, with their quantiles.
pub const STATISTICS: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Latencies, as prefixes of a statistic. A statistic without a prefix covers all deliveries.
pub const LATENCIES: [&str; 6] = ["chat", "gift", "post", "join", "reconnect", "history"];

/// Latencies of letters, as prefixes of a statistic: from the intended send to a device, to the last device of a
/// group, from the connect to `attached`, of the sync of a device, and of one that was away for a month; of pictures; from
/// the start of a stream to a follower's notification, and from there to the room.
pub const INBOX_LATENCIES: [&str; 10] =
    ["letter", "last", "attach", "sync", "away", "upload", "ready", "read", "push", "open"];

/// Figures of letters other than latencies, with their units and descriptions.
pub const INBOX_OTHERS: [(&str, Unit, &str); 18] = [
    ("letters_per_s", Unit::Number, "letters and items of groups accepted per second, on average"),
    ("letters.refused", Unit::Share, "letters and items of groups refused with a code"),
    ("letters.failed", Unit::Share, "letters and items of groups without an answer"),
    ("letters.late", Unit::Share, "accepted letters that a device got only by its sync after the end"),
    ("letters.lost", Unit::Share, "accepted letters that a device of a receiver could not read in the end"),
    ("devices.lost", Unit::Share, "devices that could not attach, or lost their connection"),
    ("away.bytes", Unit::Number, "bytes of the compressed answer for a device after a month"),
    ("away.round_trips", Unit::Number, "requests of a device after a month until it is in step"),
    ("unchanged.bytes", Unit::Number, "bytes of the answer for a device that lacks nothing"),
    ("pictures_per_s", Unit::Number, "pictures that could be sent per second, on average"),
    ("pictures.refused", Unit::Share, "pictures refused with a code, by the upload or the check"),
    ("pictures.failed", Unit::Share, "pictures without an answer, or not checked in time"),
    (
        "pictures.wrong",
        Unit::Number,
        "pictures with another digest, and forms with other bytes than announced",
    ),
    ("pushes.missing", Unit::Share, "followers who were not notified that their host is live"),
    ("pushes.twice", Unit::Number, "notifications beyond the first one of each follower"),
    ("joins_per_s.peak", Unit::Number, "joins of notified followers in the busiest second"),
    ("joins.of_plan", Unit::Share, "that peak, as a part of the joins a second that the pace plans"),
    ("joins.failed", Unit::Share, "followers who opened the room and could not join"),
];

/// Figures other than latencies, with their units and descriptions.
pub const OTHERS: [(&str, Unit, &str); 20] = [
    ("loss.gift", Unit::Share, "gifts that viewers should have received and did not"),
    (
        "loss.chat",
        Unit::Share,
        "chat that viewers should have received and did not, including reported drops",
    ),
    ("doubled.gift", Unit::Number, "gifts that viewers received twice, over all viewers"),
    ("viewers.lost", Unit::Share, "stays that never began, or ended before their time"),
    ("posts.failed", Unit::Share, "posts without an answer"),
    ("posts.refused", Unit::Share, "posts refused with a code"),
    ("posts.held", Unit::Share, "posts over the room's display quota"),
    ("posts.late", Unit::Share, "posts that left the tester over 100 ms after their due time, or never"),
    ("history.failed", Unit::Share, "pages of history that were refused or had no answer"),
    ("viewers.peak", Unit::Number, "most viewers connected at once"),
    ("viewers.moved_twice", Unit::Number, "moves of viewers that had moved within five minutes"),
    ("waiting.peak", Unit::Number, "most viewers at once that waited for their turn to join"),
    ("deliveries_per_s", Unit::Number, "messages delivered to viewers per second, on average"),
    ("deliveries_per_s.max", Unit::Number, "messages delivered to viewers in the busiest second"),
    (
        "frame.interval",
        Unit::Ms,
        "time between two batches of a viewer, while nearly all viewers are present",
    ),
    ("gateways.peak", Unit::Number, "most gateways at once"),
    ("gateways.end", Unit::Number, "gateways at the end"),
    ("gateway.joins_per_s.max", Unit::Number, "most joins per second at one gateway, by its load reports"),
    ("tester.cpu_per_delivery", Unit::Us, "CPU of the load tester for each delivery"),
    ("tester.lag.p99", Unit::Ms, "delay of the load tester's own timers"),
];

/// Unit of a figure; `None` when no figure has the name.
#[must_use]
pub fn unit_of(name: &str) -> Option<Unit> {
    if let Some((_, unit, _)) = OTHERS.iter().chain(&INBOX_OTHERS).find(|(other, ..)| *other == name) {
        return Some(*unit);
    }
    let statistic = match name.split_once('.') {
        Some((latency, statistic)) if LATENCIES.contains(&latency) || INBOX_LATENCIES.contains(&latency) => {
            statistic
        }
        Some(_) => return None,
        None => name,
    };
    STATISTICS.iter().any(|(known, _)| *known == statistic).then_some(Unit::Ms)
}

/// Names of all figures, in the order of reports.
#[must_use]
pub fn names() -> Vec<String> {
    let statistics = |prefix: &str| {
        STATISTICS.map(|(name, _)| if prefix.is_empty() { name.into() } else { format!("{prefix}.{name}") })
    };
    let mut names = statistics("").to_vec();
    names.extend(LATENCIES.iter().flat_map(|latency| statistics(latency)));
    names.extend(INBOX_LATENCIES.iter().flat_map(|latency| statistics(latency)));
    names.extend(OTHERS.iter().chain(&INBOX_OTHERS).map(|(name, ..)| (*name).to_owned()));
    names
}

/// Returns `; did you mean `p99`?` for a name close to that of a figure, and nothing otherwise.
#[must_use]
pub fn nearest(name: &str) -> String {
    crate::measure::spelling::hint(name, names().iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_has_a_unit_and_no_other_has() {
        assert!(names().iter().all(|name| unit_of(name).is_some()));
        for unknown in ["p98", "chat", "loss.pulse", "chat.p50.x", ""] {
            assert_eq!(unit_of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn values_are_readable() {
        assert_eq!(Unit::Number.show(1_234_567.0), "1,234,567");
        assert_eq!(Unit::Ms.show(12.34), "12.3 ms");
        assert_eq!(Unit::Share.show(0.015), "1.50 %");
    }
}
