//! Problems of a configuration, all of them at once.

use std::fmt;

pub use barrage_part::Problem;

/// A list that checks append invalid values to, so that the user sees all at once.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds a problem with the key and its value unless `is_valid` holds.
    pub fn expect(&mut self, is_valid: bool, key: &str, found: impl fmt::Display, expected: &str) {
        if !is_valid {
            self.0.push(Problem::new(key, found, expected));
        }
    }
}
