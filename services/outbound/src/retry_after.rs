//! The header `Retry-After` of an answer: seconds, or a date.

use std::time::{Duration, SystemTime};

/// Parses `Retry-After`: seconds, or a date.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(secs) = value.parse() {
        return Some(Duration::from_secs(secs));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Sat, 06 Nov 1993 08:50:37 GMT", now), Some(Duration::ZERO));
        for bad in ["", "-1", "soon", "1e9"] {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }
}
