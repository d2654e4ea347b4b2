//! Numbers as recorders write them: as text, with and without decimals.

/// Parses a non-negative decimal number, multiplies it by `factor` and rounds it; `None` when it is no
/// number, negative, or beyond `max` after the multiplication.
pub(crate) fn scaled(text: &str, factor: f64, max: u64) -> Option<u64> {
    let value = text.trim().parse::<f64>().ok()? * factor;
    // A double skips integers above 2^53; no limit is near that.
    let in_range = value.is_finite() && value >= 0.0 && value <= max as f64;
    in_range.then(|| value.round() as u64)
}

/// Parses a whole number from `min` to `max`.
pub(crate) fn whole(text: &str, min: u32, max: u32) -> Option<u32> {
    let value = text.trim().parse::<u32>().ok()?;
    (min..=max).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_number_in_range_is_none() {
        for bad in ["", "x", "-1", "nan", "inf", "1e300", "0x10", "1,5"] {
            assert_eq!(scaled(bad, 1000.0, 1_000_000), None, "{bad}");
        }
        assert_eq!(scaled("22.799999237061", 1000.0, 1_000_000), Some(22_800));
        assert_eq!(scaled("1E-05", 1000.0, 1_000_000), Some(0));
        assert_eq!(scaled("30000", 0.1, 1_000_000), Some(3_000));
        assert_eq!(whole("-1", 0, 5), None);
        assert_eq!(whole("6", 0, 5), None);
        assert_eq!(whole("4294967296", 0, u32::MAX), None);
        assert_eq!(whole(" 5 ", 0, 5), Some(5));
    }
}
