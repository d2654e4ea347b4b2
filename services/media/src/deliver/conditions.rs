//! Which bytes of a medium a request wants, by RFC 9110: conditions, then the range.

use std::ops::Range;

use http::{HeaderMap, header};

/// What a request wants of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The client has the medium as it is.
    NotModified,
    Whole,
    /// A part that is not empty and lies inside of the medium.
    Range(Range<u64>),
    /// No byte of the range is in the medium.
    OutOfRange,
}

/// The header fields of a request that decide it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Conditions<'a> {
    if_none_match: Option<&'a str>,
    if_range: Option<&'a str>,
    range: Option<&'a str>,
}

impl<'a> Conditions<'a> {
    /// Reads the fields. One that appears twice counts as absent.
    pub(crate) fn read(headers: &'a HeaderMap) -> Self {
        let one = |name: header::HeaderName| {
            let mut values = headers.get_all(name).into_iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().ok(),
                _ => None,
            }
        };
        Conditions {
            if_none_match: one(header::IF_NONE_MATCH),
            if_range: one(header::IF_RANGE),
            range: one(header::RANGE),
        }
    }
}

/// Decides for a medium of `length` bytes, which is not 0, with this entity tag in quotes.
pub(crate) fn wanted(conditions: Conditions<'_>, etag: &str, length: u64) -> Wanted {
    let weak = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    if conditions
        .if_none_match
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "*" || weak(tag) == etag))
    {
        return Wanted::NotModified;
    }
    let Some(range) = conditions.range else { return Wanted::Whole };
    // A date, or a tag of other bytes: the client has a part of something else.
    if conditions.if_range.is_some_and(|tag| tag.trim() != etag) {
        return Wanted::Whole;
    }
    parse(range, length)
}

/// Parses a range of bytes. Several ranges, and what is no range of bytes, are answered with the whole medium, as
/// RFC 9110, 14.2 allows: an answer in many parts would cost more than the medium.
fn parse(text: &str, length: u64) -> Wanted {
    let Some((unit, range)) = text.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Whole };
    let number = |text: &str| {
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a length has: beyond the end.
        is_digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (number(first), last.is_empty(), number(last)) {
        (Some(first), true, _) => first..length,
        (Some(first), false, Some(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (None, false, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::Whole,
    };
    if range.is_empty() { Wanted::OutOfRange } else { Wanted::Range(range) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn range(text: &str) -> Wanted {
        wanted(Conditions { range: Some(text), ..Conditions::default() }, TAG, 100)
    }

    #[test]
    fn one_range_is_cut_to_the_medium() {
        for (text, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-", 0..100),
            ("bytes=10-19", 10..20),
            ("bytes=90-1000", 90..100),
            ("Bytes = 99-99999999999999999999999", 99..100),
            ("bytes=-1", 99..100),
            ("bytes=-1000", 0..100),
        ] {
            assert_eq!(range(text), Wanted::Range(expected), "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(text), Wanted::OutOfRange, "{text}");
        }
    }

    #[test]
    fn several_ranges_and_other_texts_get_the_whole() {
        let thousand = (0..1_000).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(",");
        for text in [
            &format!("bytes={thousand}"),
            "bytes=0-50,25-75",
            "lines=0-1",
            "bytes=5-4",
            "bytes=-",
            "bytes=a-b",
            "0-5",
            "bytes=+1-2",
            "",
        ] {
            assert_eq!(range(text), Wanted::Whole, "{text}");
        }
    }

    #[test]
    fn conditions_come_before_the_range() {
        let all = |if_none_match, if_range| {
            wanted(Conditions { if_none_match, if_range, range: Some("bytes=0-9") }, TAG, 100)
        };
        assert_eq!(all(None, Some(TAG)), Wanted::Range(0..10));
        assert_eq!(all(None, Some("\"other\"")), Wanted::Whole);
        assert_eq!(all(None, Some("W/\"abc\"")), Wanted::Whole, "If-Range compares strongly");
        assert_eq!(all(None, Some("Tue, 01 Dec 2026 00:00:00 GMT")), Wanted::Whole);
        assert_eq!(all(Some("\"x\", W/\"abc\""), None), Wanted::NotModified);
        assert_eq!(all(Some("*"), None), Wanted::NotModified);
    }

    proptest! {
        /// No text leads outside of the medium.
        #[test]
        fn any_range_lies_inside(text in "(bytes=)?[0-9,=+ a-]{0,24}", length in 1_u64..1_000) {
            let conditions = Conditions { range: Some(&text), ..Conditions::default() };
            if let Wanted::Range(range) = wanted(conditions, TAG, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
