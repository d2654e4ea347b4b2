//! Units of panels, by Grafana's names.

/// Unit of the values of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things, shortened: `12.3 K`.
    Count,
    /// A rate of events per second.
    PerSecond,
    /// A time in seconds, shown in ms or µs where it is short.
    Seconds,
    /// A size in bytes.
    Bytes,
    /// A rate of bytes per second.
    BytesPerSecond,
    /// A ratio from 0 to 1, shown in percent.
    Ratio,
    /// A factor without a unit.
    Factor,
}

impl Unit {
    /// Returns the id that Grafana has for the unit.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Unit::Count => "short",
            Unit::PerSecond => "cps",
            Unit::Seconds => "s",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "Bps",
            Unit::Ratio => "percentunit",
            Unit::Factor => "none",
        }
    }
}
