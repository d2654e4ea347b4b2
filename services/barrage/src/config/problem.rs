//! A mistake in the configuration, with the key that the user has to change.

use std::fmt;

/// Key of a mistake, and the text that describes the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    key: String,
    text: String,
}

impl Problem {
    /// Returns a mistake with its key and a text that explains it.
    pub(crate) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Problem { key: key.into(), text: text.into() }
    }

    /// Describes a value that is not one of those expected.
    pub(crate) fn value(
        key: impl Into<String>,
        value: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        let key = key.into();
        let text = format!("{key} = {value}: must be {expected}");
        Problem { key, text }
    }

    /// Returns a mistake whose text is the error with all its causes.
    pub(crate) fn error(key: impl Into<String>, error: &anyhow::Error) -> Self {
        Problem::new(key, format!("{error:#}"))
    }
}

impl From<barrage_part::Problem> for Problem {
    fn from(problem: barrage_part::Problem) -> Self {
        Problem { text: problem.to_string(), key: problem.key }
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

/// Returns an error that lists all problems, one in each line; succeeds when there are none.
pub(crate) fn refuse(problems: &[Problem]) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    anyhow::bail!("the configuration is not valid:{lines}")
}
