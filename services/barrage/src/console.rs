//! Text for the person who runs a command: results on standard output, errors on standard error.

use std::io::Write;

/// Prints a line on standard output. Fails when standard output is closed.
pub(crate) fn print_line(text: impl AsRef<str>) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.as_ref())?;
    Ok(())
}

/// Prints a text of several lines as it is. Fails when standard output is closed.
pub(crate) fn print_text(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Prints an error and its causes on standard error.
pub(crate) fn print_error(error: &anyhow::Error) {
    // Standard error may be closed, and there is no other place for the text.
    drop(writeln!(std::io::stderr().lock(), "barrage: {error:#}"));
}

/// Whether a server process prints text for a person on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Console {
    /// Prints addresses and replays as text for people.
    Text,
    /// Prints nothing, because a parent process reads the ready line there (`--ready-fd 1`).
    Silent,
}

impl Console {
    /// Prints a line, unless the console is silent.
    pub(crate) fn print_line(self, text: impl AsRef<str>) -> anyhow::Result<()> {
        match self {
            Console::Text => print_line(text),
            Console::Silent => Ok(()),
        }
    }
}

/// Replaces control characters, so that text of another program can neither drive a terminal nor
/// begin a line.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_has_no_control_characters() {
        let shown = printable("no\u{1b}[2J\nlinks");
        assert!(!shown.contains(['\u{1b}', '\n']), "{shown:?}");
    }
}
