//! Versions of the parts of a room's state.

/// Returns the version of a change behind `version`: greater, and not below the time. So a version that
/// an older program dropped from the stored value does not begin again at a low number.
pub(super) fn next_version(version: u64, now_ms: u64) -> u64 {
    (version + 1).max(now_ms)
}
