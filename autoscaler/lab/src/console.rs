//! Lines on standard output and standard error.

use std::io::Write;

/// Prints text and a line end on standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'))?;
    Ok(())
}

/// Prints a line on standard error.
pub(crate) fn note(text: &str) {
    // A failed write to standard error has nowhere to be reported.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
