//! What is wrong with a configuration, all of it at once.

use std::fmt;

/// One value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub expected: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: expected {}", self.key, self.found, self.expected)
    }
}

/// Collects problems.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes a problem unless the value is sound.
    pub fn expect(&mut self, sound: bool, key: &str, found: impl fmt::Display, expected: &'static str) {
        if !sound {
            self.0.push(Problem { key: key.into(), found: found.to_string(), expected });
        }
    }
}
