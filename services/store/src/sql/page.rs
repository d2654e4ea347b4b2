//! Page sizes, and integers as the databases store them.

/// Maximum number of rows in one page. A greater limit is lowered to it, so that no reader can make
/// the store build an unbounded answer.
pub const HISTORY_LIMIT_MAX: usize = 1_000;

/// Returns the page size that is used for a requested limit.
pub(crate) fn page(limit: usize) -> usize {
    limit.clamp(1, HISTORY_LIMIT_MAX)
}

/// Returns the page size as a bound value.
pub(crate) fn rows(limit: usize) -> i64 {
    int(page(limit) as u64)
}

/// Converts a value for an integer column, which is signed. Sequences end at 2^53, and a time or
/// price beyond 2^63 is invalid, so that the greatest value may stand for it.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
