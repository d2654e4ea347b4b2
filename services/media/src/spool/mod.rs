//! Uploads on the disk of this process: bytes, how far they are synced, and what became of them.
//!
//! Files of one upload: `ID.head` (what never changes), `ID.data` (bytes), `ID.mark` (synced bytes and the state of
//! their hash), `ID.stage` (what became of it, once all bytes are there).

mod files;
mod join;
mod mark;
#[allow(clippy::module_inception, reason = "the main type of the folder")]
mod spool;
mod spool_file;
mod upload;

pub(crate) use mark::Progress;
pub(crate) use spool::{NoRoom, Spool, SpoolLimits};
pub(crate) use spool_file::{SpoolFile, Syncing};
pub(crate) use upload::{Turn, Upload};
