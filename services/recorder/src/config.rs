//! Bounds of a recorder.

use std::path::PathBuf;

barrage_part::part! {
    /// Records of recent posts or batches, for `barrage why` and for dumps.
    @[derive(Eq)]
    pub struct RecorderConfig {
        /// Memory for the records of all rooms, in bytes. At the bound the oldest records go, of any
        /// room. The default holds about 100,000 records. The memory is taken at the first write; 0
        /// turns the recorder off.
        bytes_max: usize = 8 << 20, between(0, 16 << 30);
        /// Largest age of a record in an answer, in minutes.
        minutes: u32 = 10, between(1, 1_440);
        /// Folder for dumps when a room is in trouble. Without it, dumps are given on request alone.
        folder: Option<PathBuf> = None;
        /// Maximum files of one kind of process in the folder; a further file replaces the oldest.
        files_max: usize = 20, between(1, 10_000);
    }
}
