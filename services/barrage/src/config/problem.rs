//! One mistake of the configuration.

use std::fmt;

/// A key, its value, and the values that are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    key: String,
    text: String,
}

impl Problem {
    /// A mistake in words.
    pub(crate) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Problem { key: key.into(), text: text.into() }
    }

    /// A value that is not one of those expected.
    pub(crate) fn value(
        key: impl Into<String>,
        value: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        let key = key.into();
        let text = format!("{key} = {value}: must be {expected}");
        Problem { key, text }
    }

    /// A mistake with the error's causes.
    pub(crate) fn error(key: impl Into<String>, error: &anyhow::Error) -> Self {
        Problem::new(key, format!("{error:#}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.starts_with(&self.key) {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.key, self.text)
        }
    }
}

/// An error that lists all of them, each in a line; none when there are none.
pub(crate) fn refuse(problems: &[Problem]) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    anyhow::bail!("the configuration is not valid:{lines}")
}
