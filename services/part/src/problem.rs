//! A value of the configuration that is not valid.

use std::fmt;

/// Key, value and expectation of a value that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, such as `gateway.window_ms`.
    pub key: String,
    /// The value that is not valid, as a text.
    pub value: String,
    /// Values that are valid, in words such as `1 to 9`.
    pub expected: String,
}

impl Problem {
    /// Describes a value that is not one of those expected.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Problem { key: key.into(), value: value.to_string(), expected: expected.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: must be {}", self.key, self.value, self.expected)
    }
}
