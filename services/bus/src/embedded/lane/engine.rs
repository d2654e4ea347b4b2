//! The public face of the lane: appends go to the writer, reads have a connection of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use barrage_clock::SystemClock;
use barrage_protocol::Sequence;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::file::LaneFile;
use super::writer::{Command, Writer};
use crate::embedded::file::LogFile;
use crate::embedded::row;
use crate::error::BusError;
use crate::lanes::{LANE_READ_MAX, LaneDraft, LaneEntry, LaneReceipt, Lanes, check};

/// Appends that wait for the writer. Beyond, an append is refused with a retry time.
const QUEUE_MAX: usize = 8_192;

/// One lane in a file of this process. It survives `kill -9` and a power cut: each commit is synced.
#[derive(Debug)]
pub struct EmbeddedLanes {
    commands: mpsc::Sender<Command>,
    tail: watch::Receiver<Sequence>,
    reader: Arc<Mutex<Connection>>,
}

impl EmbeddedLanes {
    /// Opens the lane at `path`, creates it when it is absent, and continues where it ended. Only one
    /// engine may have a lane open. `taken` is the position up to which the inbox has taken the lane: new
    /// positions begin behind it, also when the file was lost. The lane refuses appends when it holds
    /// `entries_max` entries.
    pub fn open(path: &Path, taken: Sequence, entries_max: u64) -> Result<Arc<Self>, BusError> {
        let failed =
            |error: &dyn std::fmt::Display| BusError::Unavailable(format!("{}: {error}", path.display()));
        let lock = LogFile::open(path)?;
        let file = LaneFile::open(path, lock, taken, entries_max).map_err(|error| failed(&error))?;
        let reader = row::connect(path).map_err(|error| failed(&error))?;
        reader.pragma_update(None, "query_only", "ON").map_err(|error| failed(&error))?;
        let (commands, queue) = mpsc::channel(QUEUE_MAX);
        let (told, tail) = watch::channel(file.last());
        let writer = Writer::new(file, queue, told, SystemClock);
        let thread = std::thread::Builder::new().name("lane".into()).spawn(move || writer.run());
        thread.map_err(|error| failed(&error))?;
        Ok(Arc::new(EmbeddedLanes { commands, tail, reader: Arc::new(Mutex::new(reader)) }))
    }

    /// Returns the path of the lane's file in a data directory.
    #[must_use]
    pub fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("lane.sqlite")
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, BusError>>) -> Command,
    ) -> Result<T, BusError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => BusError::Unavailable("too many appends wait".into()),
            mpsc::error::TrySendError::Closed(_) => ended(),
        })?;
        answer.await.map_err(|_| ended())?
    }
}

fn ended() -> BusError {
    BusError::Unavailable("the lane's thread has ended".into())
}

/// This engine has lane 0 alone.
fn only(lane: u16) -> Result<(), BusError> {
    if lane == 0 { Ok(()) } else { Err(BusError::Unavailable(format!("there is no lane {lane}"))) }
}

#[async_trait]
impl Lanes for EmbeddedLanes {
    fn lanes(&self) -> u16 {
        1
    }

    async fn append(&self, lane: u16, drafts: Vec<LaneDraft>) -> Result<Vec<LaneReceipt>, BusError> {
        only(lane)?;
        check(&drafts)?;
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(|reply| Command::Append { drafts, reply }).await
    }

    async fn read(&self, lane: u16, after: Sequence, limit: usize) -> Result<Vec<LaneEntry>, BusError> {
        only(lane)?;
        if *self.tail.borrow() <= after {
            return Ok(Vec::new());
        }
        let reader = Arc::clone(&self.reader);
        let limit = limit.clamp(1, LANE_READ_MAX);
        let read = move || LaneFile::read(&reader.lock(), after, limit);
        let found = tokio::task::spawn_blocking(read).await;
        found
            .map_err(|error| BusError::Unavailable(error.to_string()))?
            .map_err(|error| BusError::Unavailable(error.to_string()))
    }

    fn tail(&self, lane: u16) -> watch::Receiver<Sequence> {
        debug_assert_eq!(lane, 0, "this engine has one lane");
        self.tail.clone()
    }

    async fn forget(&self, lane: u16, up_to: Sequence, before_ms: u64) -> Result<u64, BusError> {
        only(lane)?;
        self.ask(|reply| Command::Forget { up_to, before_ms, reply }).await
    }
}
