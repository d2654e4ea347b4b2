//! The embedded engine without threads: a simulation decides when it commits.

use std::path::Path;
use std::sync::Arc;

use barrage_clock::Clock;
use barrage_protocol::Sequence;
use tokio::sync::mpsc;

use super::engine::{EmbeddedBus, Parts, Reads};
use super::sequencer::{COMMIT_COMMANDS_MAX, Command, Sequencer};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::metrics::BusMetrics;

/// What one call of [`SteppedBus::commit`] has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Number of commands that were queued.
    pub commands: usize,
    /// SQLite has synced the write-ahead log with the last commit, and so all that is in it.
    pub synced: bool,
}

/// The embedded engine in one thread. Callers publish on [`SteppedBus::bus`], and are answered in the next
/// [`SteppedBus::commit`]. Log, sequencer and reads are those of [`EmbeddedBus`].
pub struct SteppedBus {
    bus: Arc<EmbeddedBus>,
    sequencer: Sequencer,
    commands: mpsc::Receiver<Command>,
}

impl SteppedBus {
    /// Opens the log as [`EmbeddedBus::open_after`] does, with the caller's clocks.
    ///
    /// # Errors
    /// When the log cannot be opened or read.
    pub fn open(
        clock: Box<dyn Clock>,
        path: &Path,
        config: BusConfig,
        metrics: BusMetrics,
        archived: Sequence,
    ) -> Result<Self, BusError> {
        let Parts { bus, sequencer, commands } =
            EmbeddedBus::parts(clock, path, config, metrics, archived, Reads::Here)?;
        Ok(SteppedBus { bus, sequencer, commands })
    }

    /// Returns the engine as its users have it.
    #[must_use]
    pub fn bus(&self) -> &Arc<EmbeddedBus> {
        &self.bus
    }

    /// Writes the queued commands, shows the messages to subscribers, and answers the callers.
    pub fn commit(&mut self) -> Committed {
        let mut taken = Vec::new();
        while taken.len() < COMMIT_COMMANDS_MAX
            && let Ok(command) = self.commands.try_recv()
        {
            taken.push(command);
        }
        let commands = taken.len();
        self.sequencer.commit(&mut taken);
        let synced = commands > 0 && self.sequencer.journal.syncs_commits().unwrap_or(false);
        Committed { commands, synced }
    }

    /// Does what the engine does each second: probes the log, notes the mark, sweeps when that is due.
    pub fn tick(&mut self) {
        self.sequencer.tick(false);
        self.sequencer.sweep_when_due();
    }
}
