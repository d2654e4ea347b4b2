//! Report that a process is up: text for a person, and the ready line for a parent process.

use crate::ready::{ReadyFd, ReadyLine};

/// Text and ready line of a process that listens.
pub(super) struct Announcement {
    pub(super) lines: Vec<String>,
    pub(super) ready: Option<ReadyFd>,
    pub(super) line: ReadyLine,
}

impl Announcement {
    /// Prints the text and writes the ready line where `--ready-fd` asks for it.
    pub(super) fn publish(&self) -> anyhow::Result<()> {
        let console = ReadyFd::console(self.ready);
        self.lines.iter().try_for_each(|line| console.print_line(line))?;
        self.ready.map_or(Ok(()), |fd| fd.write(&self.line))
    }
}
