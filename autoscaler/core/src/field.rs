//! Every number of the policy described: its key, default, range and meaning. The
//! struct, its checks, the manual's table and the Kubernetes schema come from one list.

use crate::problem::Problems;

/// Where a number may lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The least.
    pub least: f64,
    /// Whether the least itself is excluded.
    pub above: bool,
    /// The greatest; infinite when there is none.
    pub most: f64,
    /// The range in words.
    pub words: &'static str,
}

impl Range {
    pub(crate) const ANY: Range = Range::from(0.0, "0 or more");
    pub(crate) const ONE: Range = Range::from(1.0, "1 or more");
    pub(crate) const POSITIVE: Range = Range::over(0.0, "above 0");
    pub(crate) const OVER_ONE: Range = Range::over(1.0, "above 1");
    pub(crate) const SHARE: Range = Range { most: 1.0, ..Range::over(0.0, "above 0 and at most 1") };
    pub(crate) const PERCENT: Range = Range { most: 100.0, ..Range::from(0.0, "0 to 100") };

    const fn from(least: f64, words: &'static str) -> Range {
        Range { least, above: false, most: f64::INFINITY, words }
    }

    const fn over(least: f64, words: &'static str) -> Range {
        Range { above: true, ..Range::from(least, words) }
    }

    /// Whether a value lies in it; what is not finite does not.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        value.is_finite() && value <= self.most && (value > self.least || !self.above && value == self.least)
    }
}

/// One number of the policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its table in the file; empty for the policy's own numbers.
    pub part: &'static str,
    /// Its key there.
    pub key: &'static str,
    /// Its default.
    pub default: f64,
    /// Whether it is a whole number.
    pub whole: bool,
    /// Where it may lie.
    pub range: Range,
    /// What it means.
    pub meaning: &'static str,
}

impl Field {
    /// Its path in the file.
    #[must_use]
    pub fn path(&self) -> String {
        if self.part.is_empty() { self.key.into() } else { format!("{}.{}", self.part, self.key) }
    }

    pub(crate) fn check(&self, value: f64, p: &mut Problems) {
        p.expect(self.range.holds(value), &self.path(), value, self.range.words);
    }
}

/// Declares a table of numbers: `key: kind = default, range;`.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident in $part:literal {
        $($(#[doc = $text:literal])* $field:ident: $kind:ident = $default:expr, $range:ident;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[doc = $text])* pub $field: $kind,)* }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }

        impl $name {
            /// Its numbers, described.
            pub const FIELDS: &'static [$crate::field::Field] = &[$($crate::field::Field {
                part: $part,
                key: stringify!($field),
                default: $default as f64,
                whole: $crate::field::whole!($kind),
                range: $crate::field::Range::$range,
                meaning: concat!($($text),*),
            }),*];

            pub(crate) fn check(&self, p: &mut $crate::problem::Problems) {
                let values = [$(self.$field as f64),*];
                Self::FIELDS.iter().zip(values).for_each(|(field, value)| field.check(value, p));
            }
        }
    };
}

macro_rules! whole {
    (u32) => {
        true
    };
    (f64) => {
        false
    };
}

pub(crate) use {part, whole};
