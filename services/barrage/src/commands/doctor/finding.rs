//! Makes one finding of a check.

use barrage_bus::nats::{Finding, Level};

pub(super) fn finding(level: Level, text: impl Into<String>) -> Finding {
    Finding { level, text: text.into() }
}
